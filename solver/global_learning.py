"""G-LEARN: the dispatcher's best response to a fixed π_l in the k-robot system (math.md §2).

Exact: value iteration with proven bounds. The paper's empirical operator is in `sampled`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray, Progress

from .bounds import ValueInterval, fixed_point
from .interpolation import resampled
from .surrogate import KRobotSystem, Surrogate

COARSEST = 5  # robots below which a first guess costs more than it saves


@dataclass(frozen=True, eq=False)
class BestDispatch:
    """A best response of the dispatcher.

    Attributes:
        table: dispatch [s_g, h].
        q: float64 [s_g, h, a_g].
        optimal: interval of the optimal value.
        exact: whether the interval is proven; False for the sampled backup.
    """

    table: IntArray
    q: FloatArray
    optimal: ValueInterval
    exact: bool


def learn_exact(
    surrogate: Surrogate, tolerance: float = 1e-6, start: FloatArray | None = None, progress: Progress | None = None
) -> BestDispatch:
    """Best response to the surrogate's π_l, its value known to `tolerance` in every state."""
    game = surrogate.system.game

    def report(interval: ValueInterval) -> bool:
        if progress is not None:
            progress("backup", 2 * interval.half)
        return False

    first = _from_fewer_robots(surrogate) if start is None else start
    optimal = fixed_point(
        surrogate.backup_optimal, first, game.discount, tolerance, report, rounding=surrogate.rounding
    )
    q = surrogate.q_values(optimal.middle)
    return BestDispatch(first_best(q), q, optimal, exact=True)


def _from_fewer_robots(surrogate: Surrogate) -> FloatArray:
    """A first guess [s_g, h]: the value with half as many robots, at the same shares per zone."""
    system = surrogate.system
    game, fewer = system.game, system.k // 2
    if fewer < COARSEST:
        return np.zeros_like(surrogate.fleet_reward)
    coarse = KRobotSystem(game, fewer).under(surrogate.local_policy)
    accuracy = 1e-4 * game.reward_scale / (1 - game.discount)
    value = fixed_point(coarse.backup_optimal, _from_fewer_robots(coarse), game.discount, accuracy).middle
    return resampled(value, fewer, system.k, game.zones)


def first_best(q: FloatArray) -> IntArray:
    """Greedy dispatch [s_g, h]; ties within rounding go to the smallest index, so that tables are reproducible."""
    top = q.max(axis=2, keepdims=True)
    return np.asarray(np.argmax(q >= top - 1e-12 * np.abs(q).max(), axis=2), dtype=np.int64)
