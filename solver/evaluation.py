"""Exact value and occupancy of a pair (dispatch table, π_l) in the k-robot system."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .bounds import ValueInterval, fixed_point
from .game import FloatArray
from .surrogate import Surrogate

IntArray = NDArray[np.int64]


def evaluate(
    surrogate: Surrogate,
    table: IntArray,
    tolerance: float = 1e-9,
    start: FloatArray | None = None,
    hopeless_below: float = -np.inf,
) -> ValueInterval:
    """Value of the pair in every state.

    With `hopeless_below` the iteration may end as soon as J at the start law is proven to lie below it.
    """
    law = surrogate.system.start
    first = np.zeros_like(surrogate.fleet_reward) if start is None else start
    return fixed_point(
        lambda values: surrogate.backup_policy(values, table),
        first,
        surrogate.system.game.discount,
        tolerance,
        lambda interval: interval.mean(law)[1] < hopeless_below,
    )


def occupancy(surrogate: Surrogate, table: IntArray, tolerance: float = 1e-13) -> FloatArray:
    """Discounted occupancy d = Σ_t γ^t · law(t) from the start law, not normalised: float64 [s_g, h].

    Once the law stands still the rest is γ^t/(1−γ) times it; a periodic chain never does, and γ^t ends the sum.
    """
    gamma = surrogate.system.game.discount
    law, weight = surrogate.system.start, 1.0
    total = np.zeros_like(law)
    while weight / (1 - gamma) > tolerance:
        total += weight * law
        after = surrogate.push(law, table)
        weight *= gamma
        if float(np.abs(after - law).sum()) * weight / (1 - gamma) < tolerance:
            return np.asarray(total + weight / (1 - gamma) * after)
        law = after
    return total
