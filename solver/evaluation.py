"""Exact value and occupancy of a pair (dispatch table, π_l) in the k-robot system.

Both are linear systems, (I − γP) V = r and dᵀ(I − γP) = start, with P at hand as an operator only. Accelerated
iteration solves them (see `bounds`): the value with its proof, the occupancy with its defect.
"""

from __future__ import annotations

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray

from .bounds import STALLED, Mixing, ValueInterval, fixed_point
from .surrogate import Surrogate


def evaluate(
    surrogate: Surrogate,
    table: IntArray,
    tolerance: float = 1e-9,
    start: FloatArray | None = None,
    hopeless_below: float = -np.inf,
) -> ValueInterval:
    """Value of the pair in every state, float64 [s_g, h], known to `tolerance`.

    With `hopeless_below` the work may end as soon as J at the start law is proven to lie below it.
    """
    game, law = surrogate.system.game, surrogate.system.start
    ahead, reward = surrogate.policy_operator(table), surrogate.policy_reward(table)

    def backup(values: FloatArray) -> FloatArray:
        return reward + game.discount * ahead(values)

    def hopeless(interval: ValueInterval) -> bool:
        return interval.mean(law)[1] < hopeless_below

    first = np.zeros_like(reward) if start is None else start
    return fixed_point(backup, first, game.discount, tolerance, hopeless, rounding=surrogate.rounding)


def occupancy(surrogate: Surrogate, table: IntArray, tolerance: float = 1e-12) -> FloatArray:
    """Discounted occupancy d = Σ_t γ^t · law(t) from the start law, not normalised: float64 [s_g, h].

    `tolerance` bounds the defect of d = start + γ·push(d), summed over states; the error is at most 1/(1−γ) times that.
    """
    gamma, start = surrogate.system.game.discount, surrogate.system.start
    d, mixing, best, stalled = start / (1 - gamma), Mixing(), np.inf, 0
    while True:
        defect = start + gamma * surrogate.push(d, table) - d
        residual = float(np.abs(defect).sum())
        stalled = 0 if residual < 0.9 * best else stalled + 1
        best = min(best, residual)
        if residual <= tolerance or (stalled >= STALLED and residual <= 1e-12 / (1 - gamma)):
            return d + defect
        d = mixing.next(d, defect, residual)
