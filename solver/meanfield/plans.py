"""Plans as graphs: every vector is a node that says what to dispatch, and which node to go on with at each s_g'.

Following a graph for one tick more, T_c, turns returns of plans into returns of plans, without a maximum to look for:
that is far cheaper than a backup, and where the graph is kept, T_c V → its value without end. Whatever V the vectors
are floors of, T_c V is one again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.arrays import FloatArray, IntArray

from .alphas import Alphas
from .backups import Choices, carried, carried_all, followed, for_states
from .model import MeanField

SWEEPS = 10_000


def one_tick_more(model: MeanField, alphas: Alphas, graph: Sequence[Choices]) -> Alphas:
    """T_c: every vector of every Γ_s becomes the return of its choices in `graph`, those of s_g in graph[s_g]."""
    ahead = alphas.vectors if model.order == "next_tick" else carried_all(model, alphas)
    out = np.empty_like(alphas.vectors)

    def fill(state: int) -> None:
        out[alphas.begins[state] : alphas.begins[state + 1]] = followed(model, state, graph[state], ahead)

    for_states(model.states, fill)
    return Alphas(out, alphas.begins)


def holding(model: MeanField) -> IntArray:
    """The dispatch [s_g] under which robots most likely go on as they do; of equals the best paid, then the first."""
    stays = model.step_of[model.row_next]  # [row, end]
    out = np.empty(model.states, dtype=np.int64)
    for state in range(model.states):
        kept = ((stays == model.step_of[state]) * model.row_weight).sum(axis=1)[model.row_of[state]]
        likely = kept >= kept.max() - 1e-12
        out[state] = np.argmax(np.where(likely, model.dispatch_reward[state], -np.inf))
    return out


def blind_tables(model: MeanField) -> IntArray:
    """Plans that look at the present s_g alone: every constant dispatch, and holding; int64 [plan, s_g]."""
    constant = np.tile(np.arange(model.dispatches)[:, None], (1, model.states))
    return np.concatenate([constant, holding(model)[None]]).astype(np.int64)


def table_values(model: MeanField, tables: IntArray, tolerance: float = 1e-9) -> Alphas:
    """Floors of the returns of plans [plan, s_g] that look at s_g alone: one vector per plan in every Γ_s.

    By accelerated iteration (math.md §2): for a fixed plan, V ≥ T V + γ/(1−γ)·min(T V − V) everywhere, so every vector
    is proven, and is the return itself within `tolerance` of r_max/(1−γ). First on the states that a plan never
    leaves, then on those that lead there.
    """
    plans, states, gamma = len(tables), model.states, model.discount
    graph = _graph(model, tables)
    level = _levels(model, tables)  # [plan, s_g], 0: never left
    low = -model.reward_bound / (1 - gamma)
    vectors = np.full((states, plans, model.zones), low)
    scale = gamma / (1 - gamma)
    lasting = [np.flatnonzero(level[:, s] == 0) for s in range(states)]
    open_plans = np.ones(plans, dtype=bool)
    for _ in range(SWEEPS):
        todo = [own[open_plans[own]] for own in lasting]
        after = _advanced(model, vectors, graph, todo, todo)
        least, most = np.full(plans, np.inf), np.full(plans, -np.inf)
        for s, own in enumerate(todo):
            change = after[s, own] - vectors[s, own]
            least[own] = np.minimum(least[own], change.min(axis=1))
            most[own] = np.maximum(most[own], change.max(axis=1))
        for s, own in enumerate(todo):
            vectors[s, own] = after[s, own] + scale * least[own, None]
        open_plans &= scale * (most - least) > tolerance * model.reward_bound / (1 - gamma)
        if not open_plans.any():
            break
    for depth in range(1, int(level.max()) + 1):
        todo = [np.flatnonzero(level[:, s] == depth) for s in range(states)]
        known = [np.flatnonzero(level[:, s] < depth) for s in range(states)]
        after = _advanced(model, vectors, graph, todo, known)
        for s, own in enumerate(todo):
            vectors[s, own] = after[s, own]
    return Alphas(vectors.reshape(-1, model.zones), np.arange(states + 1, dtype=np.int64) * plans)


def _graph(model: MeanField, tables: IntArray) -> list[Choices]:
    """A plan goes on with itself: node s_g·plans + plan."""
    plans = len(tables)
    return [
        Choices(
            tables[:, s],
            model.row_next[model.row_of[s][tables[:, s]]] * plans + np.arange(plans, dtype=np.int64)[:, None],
        )
        for s in range(model.states)
    ]


def _levels(model: MeanField, tables: IntArray) -> IntArray:
    """Ticks after which each plan is surely among the states that it never leaves [plan, s_g]."""
    level = np.empty(tables.shape, dtype=np.int64)
    for plan, table in enumerate(tables):
        inside = np.ones(model.states, dtype=bool)
        ends = model.row_next[model.row_of[np.arange(model.states), table]]  # [s_g, end]
        while True:
            reached = np.zeros(model.states, dtype=bool)
            reached[ends[inside].ravel()] = True
            if (reached == inside).all():
                break
            inside = reached
        level[plan] = _outward(ends, inside)
    return level


def _outward(ends: IntArray, inside: NDArray[np.bool_]) -> IntArray:
    """Longest way in ticks from each state to `inside`, which every way ends in [s_g]."""
    known, level, depth = inside.copy(), np.zeros(len(inside), dtype=np.int64), 0
    while not known.all():
        depth += 1
        fresh = ~known & known[ends].all(axis=1)
        level[fresh], known = depth, known | fresh
    return level


def _advanced(
    model: MeanField,
    vectors: FloatArray,
    graph: Sequence[Choices],
    todo: Sequence[IntArray],
    known: Sequence[IntArray],
) -> FloatArray:
    """T_c at nodes todo[s_g], which lead to nodes known[s_g]; the rest of what is returned means nothing."""
    ahead, out = vectors, np.empty_like(vectors)
    if model.order == "at_once":
        ahead = np.empty_like(vectors)

        def carry(state: int) -> None:
            ahead[state, known[state]] = carried(model, state, vectors[state, known[state]])

        for_states(model.states, carry)
    flat = ahead.reshape(-1, ahead.shape[2])

    def fill(state: int) -> None:
        own = todo[state]
        if len(own):
            part = Choices(graph[state].dispatch[own], graph[state].follow[own])
            out[state, own] = followed(model, state, part, flat)

    for_states(model.states, fill)
    return out
