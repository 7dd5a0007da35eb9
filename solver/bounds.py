"""Iterating a Bellman operator until its fixed point is known to a stated width (math.md §2).

For any V with d = T V − V, the fixed point V* of a γ-contraction that commutes with constants obeys, everywhere,

    T V + γ/(1−γ)·min d  ≤  V*  ≤  T V + γ/(1−γ)·max d

(Porteus/MacQueen bounds). The same holds for a fixed policy with its own operator.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from meanfleet.base.arrays import FloatArray

STALLED = 8  # backups without progress after which rounding is to blame
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
    rounding: float = 0.0,
) -> ValueInterval:
    """Iterate `operator` until the interval's width is at most `tolerance`.

    The iteration is accelerated (`Mixing`); as the bounds hold for any V, they prove whatever it arrives at. `rounding`
    bounds the operator's rounding error relative to max |V| and is part of every interval. It bounds what can be
    reached: iteration also ends when the width no longer shrinks and is of that size. `on_backup` sees every interval
    and may end the iteration early by returning True.
    """
    values, best, stalled = start, np.inf, 0
    scale = discount / (1 - discount)
    mixing = Mixing()
    for backup in range(1, max_backups + 1):
        change = operator(values)
        size = max(float(np.abs(change).max()), float(np.abs(values).max()))
        change -= values
        low, high = float(change.min()), float(change.max())
        lost = rounding * size / (1 - discount)
        half = scale * (high - low) / 2
        interval = ValueInterval(values + change + scale * (low + high) / 2, half + lost, backup)
        stalled = 0 if half < 0.9 * best else stalled + 1
        best = min(best, half)
        if 2 * interval.half <= tolerance or (on_backup is not None and on_backup(interval)):
            return interval
        if stalled >= STALLED and half <= 10 * lost + 1e-9 * size:
            return interval
        change -= (low + high) / 2
        values = mixing.next(values, change, high - low)
    return interval


class Mixing:
    """Anderson acceleration of V ← V + d, d = T V − V up to a constant, with plain iteration to fall back on.

    The next V combines the last ones so that the linear prediction of d is smallest. Where d grows instead, the
    history is dropped and plain steps, which always contract, lead on from the best V so far.
    """

    def __init__(self, depth: int = 5) -> None:
        self.depth = depth
        self._steps: deque[tuple[FloatArray, FloatArray]] = deque(maxlen=depth)  # differences of V + d, and of d
        self._gram = np.empty((0, 0))  # inner products of the differences of d
        self._last: tuple[FloatArray, FloatArray] | None = None  # V + d, and d
        self._best: tuple[FloatArray, float] | None = None  # V + d with the smallest span of d
        self._plain, self._penalty = 0, 1

    def next(self, values: FloatArray, change: FloatArray, span: float) -> FloatArray:
        """The V to try next, given d = `change` at `values` and its span, or another size that plain steps reduce."""
        plain = values + change
        if self._best is None or span <= self._best[1]:
            self._best = (plain, span)
        elif self._plain == 0:
            self._steps.clear()
            self._last, self._gram = None, np.empty((0, 0))
            self._plain, self._penalty = self._penalty, min(2 * self._penalty, 64)
            return self._best[0]
        if self._last is not None:
            self._remember(plain - self._last[0], change - self._last[1])
        self._last = (plain, change)
        if self._plain > 0:
            self._plain -= 1
            return plain
        mixed = plain.copy()
        for weight, (step, _) in zip(self._weights(change), self._steps, strict=True):
            mixed -= weight * step
        return mixed

    def _remember(self, step: FloatArray, slope: FloatArray) -> None:
        self._steps.append((step, slope))
        kept = self._gram[1:, 1:] if len(self._gram) == self.depth else self._gram
        row = np.array([_inner(slope, other) for _, other in self._steps])
        self._gram = np.block([[kept, row[:-1, None]], [row[None, :]]])

    def _weights(self, change: FloatArray) -> FloatArray:
        """θ that minimises |d − Σ θ_i Δd_i|₂."""
        if not self._steps:
            return np.empty(0)
        target = np.array([_inner(slope, change) for _, slope in self._steps])
        scale = 1 / np.sqrt(np.maximum(np.diag(self._gram), np.finfo(np.float64).tiny))
        scaled = self._gram * scale[:, None] * scale[None, :]
        return np.asarray(scale * np.linalg.lstsq(scaled, scale * target, rcond=1e-12)[0])


def _inner(left: FloatArray, right: FloatArray) -> float:
    # Not BLAS, whose threads spin for longer than a product of this size takes.
    return float(np.einsum("sh,sh->", left, right))
