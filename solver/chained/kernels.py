"""Kernels of UCFH: confidence intervals of a model, planning in it, playing episodes. Layout as in `EpisodicMDP`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from meanfleet.base.arrays import FloatArray, IntArray

from .confidence import extreme, interval


@njit(cache=True)
def intervals(
    n: IntArray, n_next: IntArray, begin: IntArray, fixed: NDArray[np.bool_], log_term: float, scale: float
) -> tuple[FloatArray, FloatArray]:
    """Confidence interval of every entry, float64 [entry] each. Mutates nothing."""
    low, high = np.zeros(len(n_next)), np.ones(len(n_next))
    for pair in range(len(n)):
        for i in range(begin[pair], begin[pair + 1]):
            if fixed[pair]:
                low[i] = 1.0
            elif n[pair] > 0:
                low[i], high[i] = interval(n_next[i] / n[pair], n[pair], log_term, scale)
    return low, high


@njit(cache=True)
def extended_value_iteration(
    actions: IntArray,
    pair: IntArray,
    begin: IntArray,
    successor: IntArray,
    reward: FloatArray,
    weight: FloatArray,
    by_phase: IntArray,
    phase_begin: IntArray,
    low: FloatArray,
    high: FloatArray,
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Policy [time step, state] of the most favourable model, its value there, and in the least favourable one.

    Only states that can occur at a time step are planned for. Mutates nothing.
    """
    states, horizon, period = len(actions), len(weight), len(phase_begin) - 1
    policy = np.full((horizon, states), -1, dtype=np.int64)
    best, worst = np.zeros(states), np.zeros(states)
    for t in range(horizon - 1, -1, -1):
        # The states of this step and those of the next are disjoint, so one array serves both.
        for place in range(phase_begin[t % period], phase_begin[t % period + 1]):
            s = by_phase[place]
            top, choice = -np.inf, 0
            for a in range(actions[s]):
                first, last = begin[pair[s] + a], begin[pair[s] + a + 1]
                q = extreme(best, successor[first:last], low[first:last], high[first:last], True)
                if q > top:
                    top, choice = q, a
            policy[t, s] = choice
            first, last = begin[pair[s] + choice], begin[pair[s] + choice + 1]
            bottom = extreme(worst, successor[first:last], low[first:last], high[first:last], False)
            best[s] = weight[t] * reward[s] + top
            worst[s] = weight[t] * reward[s] + bottom
    return policy, best, worst


@njit(cache=True)
def play(
    policy: IntArray,
    pair: IntArray,
    begin: IntArray,
    successor: IntArray,
    cumulative: FloatArray,
    start: FloatArray,
    fixed: NDArray[np.bool_],
    n: IntArray,
    floor: float,
    cap: float,
    rng: np.random.Generator,
    budget: int,
    v: IntArray,
    v_next: IntArray,
) -> int:
    """Play whole episodes until a pair is due. Mutates v [pair], v_next [entry] and the generator."""
    horizon = policy.shape[0]
    for episode in range(budget):
        s = min(int(np.searchsorted(start, rng.random(), side="right")), len(start) - 1)
        due = False
        for t in range(horizon):
            p = pair[s] + policy[t, s]
            first, last = begin[p], begin[p + 1]
            if fixed[p]:
                s = successor[first]
                continue
            i = min(first + int(np.searchsorted(cumulative[first:last], rng.random(), side="right")), last - 1)
            if n[p] < cap:
                v[p] += 1
                v_next[i] += 1
                due = due or v[p] >= max(floor, n[p], 1)
            s = successor[i]
        if due:
            return episode + 1
    return budget
