"""The Bellman backup on α-vectors at many points at once (math.md §10).

With C_s(v) = r̃[s] + γ P̃[s] v, what a plan's vector v after the step is worth before the robots move under s,

    next_tick   α_new = r_g(s, a*) + C_s( Σ_s' P_g(s'|s, a*) α*_s' ),      α*_s' the best of Γ_s' at m P̃[s]
    at_once     α_new = r_g(s, a*) + Σ_s' P_g(s'|s, a*) C_s'(α*_s'),       α*_s' the best by m·C_s'(α)

So both look ahead with one matrix product per global state: shares that have moved against Γ, or shares as they are
against C(Γ).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray

from ..threads import run_all
from .alphas import Alphas
from .kernels import best_dispatch, best_per_state, mixed, successors
from .model import MeanField

CHUNK = 1 << 21  # scores at once


@dataclass(frozen=True, eq=False)
class Choices:
    """What is done at some points: a dispatch, then one vector per end of its law.

    Attributes:
        dispatch: int64 [point].
        follow: index of the vector that is followed, int64 [point, end].
    """

    dispatch: IntArray
    follow: IntArray


def carried(model: MeanField, state: int, vectors: FloatArray) -> FloatArray:
    """C_s(v) = r̃[s] + γ P̃[s] v for every row v of `vectors` [..., z]."""
    return np.asarray(model.fleet_reward[state] + model.discount * (vectors @ model.step(state).T))


def carried_all(model: MeanField, alphas: Alphas) -> FloatArray:
    """C_s(α) for every vector of every Γ_s, float64 [vector, z]."""
    out = np.empty_like(alphas.vectors)

    def fill(state: int) -> None:
        own = slice(alphas.begins[state], alphas.begins[state + 1])
        out[own] = carried(model, state, alphas.vectors[own])

    for_states(model.states, fill)
    return out


def for_states(states: int, work: Callable[[int], None]) -> None:
    """Call work(s) for every global state, in as many parts as keep all threads busy."""
    parts = np.array_split(np.arange(states), min(states, 16))

    def run(part: IntArray) -> None:
        for state in part.tolist():
            work(state)

    run_all(partial(run, part) for part in parts)


class Lookahead:
    """Decisions by Γ: what is looked up is made once.

    Args:
        model: the fleet.
        alphas: Γ.
    """

    def __init__(self, model: MeanField, alphas: Alphas) -> None:
        self.model, self.alphas = model, alphas
        self.late = model.order == "next_tick"
        self._factor = model.discount if self.late else 1.0

    @cached_property
    def ahead(self) -> FloatArray:
        """What points are held against: Γ itself, or C(Γ) where robots move after the priority [vector, z]."""
        return self.alphas.vectors if self.late else carried_all(self.model, self.alphas)

    @cached_property
    def _turned(self) -> FloatArray:
        return np.ascontiguousarray(self.ahead.T)

    def prepare(self) -> Lookahead:
        """Make what is looked up now, before threads ask for it."""
        assert self._turned.size
        return self

    def choices(self, state: int, shares: FloatArray) -> Choices:
        """The best at s_g = state and every row of shares [point, z]."""
        model, begins = self.model, self.alphas.begins
        points = shares @ model.step(state) if self.late else shares
        dispatch = np.empty(len(shares), dtype=np.int64)
        follow = np.empty((len(shares), model.row_next.shape[1]), dtype=np.int64)
        size = max(1, CHUNK // len(self.ahead))
        for begin in range(0, len(points), size):
            part = slice(begin, begin + size)
            scores = points[part] @ self._turned
            best = np.empty((len(scores), model.states))
            which = np.empty(best.shape, dtype=np.int64)
            best_per_state(scores, begins, best, which)
            reward, row_of = model.dispatch_reward[state], model.row_of[state]
            best_dispatch(best, self._factor, reward, row_of, model.row_next, model.row_weight, dispatch[part])
            successors(dispatch[part], which, row_of, model.row_next, follow[part])
        return Choices(dispatch, follow)

    def backed_up(self, state: int, choices: Choices) -> FloatArray:
        """The vectors of plans that make these choices at s_g = state, float64 [point, z]."""
        return followed(self.model, state, choices, self.ahead)


def followed(model: MeanField, state: int, choices: Choices, ahead: FloatArray) -> FloatArray:
    """Vectors of plans that make these choices at s_g = state; `ahead` as in `Lookahead` [vector, z]."""
    together = np.empty((len(choices.dispatch), model.zones))
    mixed(model.row_of[state][choices.dispatch], model.row_weight, choices.follow, ahead, together)
    if model.order == "next_tick":
        together = carried(model, state, together)
    return np.asarray(together + model.dispatch_reward[state][choices.dispatch][:, None])
