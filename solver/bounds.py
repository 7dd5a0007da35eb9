"""Iterating a Bellman operator until its fixed point is known to a stated width (MATH §2).

For any V with d = T V − V, the fixed point V* of a γ-contraction that commutes with constants obeys, everywhere,

    T V + γ/(1−γ)·min d  ≤  V*  ≤  T V + γ/(1−γ)·max d

(Porteus/MacQueen bounds). The same holds for a fixed policy with its own operator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .game import FloatArray

Operator = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class ValueInterval:
    """The fixed point lies between `middle − half` and `middle + half` in every state.

    Attributes:
        middle: float64 [s_g, h].
        half: half the width, in units of reward.
        backups: operator applications used.
    """

    middle: FloatArray
    half: float
    backups: int

    def mean(self, law: FloatArray) -> tuple[float, float]:
        """Lower and upper end of the expected value under a law of states."""
        centre = float(np.sum(law * self.middle))
        return centre - self.half, centre + self.half


def fixed_point(
    operator: Operator,
    start: FloatArray,
    discount: float,
    tolerance: float,
    on_backup: Callable[[ValueInterval], bool] | None = None,
    max_backups: int = 100_000,
) -> ValueInterval:
    """Iterate `operator` until the interval's width is at most `tolerance`.

    Rounding bounds what can be reached: iteration also ends when the width no longer shrinks and is below 1e-9 of
    the values' size. `on_backup` sees every interval and may end the iteration early by returning True.
    """
    values, best = start, np.inf
    scale = discount / (1 - discount)
    stalled = 0
    for backup in range(1, max_backups + 1):
        after = operator(values)
        change = after - values
        low, high = float(change.min()), float(change.max())
        middle = after + scale * (low + high) / 2
        interval = ValueInterval(middle, scale * (high - low) / 2, backup)
        width = 2 * interval.half
        stalled = 0 if width < best else stalled + 1
        best = min(best, width)
        if width <= tolerance or (on_backup is not None and on_backup(interval)):
            return interval
        if stalled >= 5 and width <= 1e-9 * max(1.0, float(np.abs(middle).max())):
            return interval
        values = middle
    return interval
