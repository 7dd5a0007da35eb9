"""A Dirichlet belief that is predicted with the model and forgets by ρ (MATH §7).

    update     α ← α + histogram of the samples
    predict    α ← ρ · α P̃[s_g]

Both steps are linear in α. So a sample that is m ticks old, carried forward by the m steps since, leaves the very
belief that it would have left had it arrived in time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from meanfleet.filtering import Deciding, FilterModel, forgetting, surprise

from .protocol import HISTORY, FloatArray, Sample, finite

FAINT = 1e-9  # a belief that nothing renews keeps at least this sum, and its mean with it
TINY = 1e-15  # of the sum, in zones that the model never reaches: logarithms of weights stay finite


class DirichletObserver:
    """α per zone.

    Args:
        step: P̃, float64 [s_g, z, z'].
        prior: α before the first sample [zone].
        rho: share of the belief that survives a tick, in (0, 1].
        adaptive: forget faster while samples surprise (`filtering.forgetting`).
    """

    def __init__(self, step: FloatArray, prior: FloatArray, rho: float, adaptive: bool = False) -> None:
        self._step, self._prior, self._base, self._adaptive = step, prior, rho, adaptive
        self.alpha: FloatArray = np.array(prior, dtype=np.float64)
        self.rho, self.surprise, self._level = rho, 0.0, 0.0
        self._past: deque[tuple[int, float]] = deque(maxlen=HISTORY)  # s_g and ρ of the last ticks

    @property
    def reach(self) -> int:
        """Ticks back whose priorities are still known."""
        return len(self._past)

    def update(self, samples: Sequence[Sample]) -> None:
        """Add the samples, the older ones as the steps since would have left them."""
        counts = sum((sample.counts for sample in samples if sample.age == 0), np.zeros(len(self.alpha), np.int64))
        self.surprise = surprise(self.alpha, counts)
        if self._adaptive:
            self.rho, self._level = forgetting(self._base, self._level, self.alpha, counts)
        alpha = self.alpha
        for sample in samples:
            alpha = alpha + self._carried(sample)
        self.alpha = alpha

    def predict(self, priority: int) -> None:
        """α ← ρ · α P̃[s_g]."""
        self._past.append((priority, self.rho))
        alpha = self.rho * (self.alpha @ self._step[priority])
        total = float(alpha.sum())
        if total < FAINT:
            alpha = self._prior * (FAINT / self._prior.sum()) if total <= 0 else alpha * (FAINT / total)
        self.alpha = np.maximum(alpha, TINY * alpha.sum())

    def values(self, model: FilterModel, priority: int, deciding: Deciding) -> FloatArray:
        """Worth of every dispatch [a_g]."""
        return model.values(priority, self.alpha, deciding)

    def _carried(self, sample: Sample) -> FloatArray:
        weights = sample.weights
        for priority, rho in list(self._past)[len(self._past) - sample.age :]:
            weights = rho * (weights @ self._step[priority])
        return weights

    def state(self) -> dict[str, Any]:
        """Weights, surprise so far, and the last priorities."""
        return {
            "alpha": self.alpha.tolist(),
            "rho": self.rho,
            "level": self._level,
            "past": [list(entry) for entry in self._past],
        }

    def believing(self, alpha: FloatArray) -> DirichletObserver:
        """A new observer with the weights `alpha` [zone] that has taken no step yet."""
        new = DirichletObserver(self._step, self._prior, self._base, self._adaptive)
        new.alpha = np.maximum(alpha, TINY * alpha.sum())
        return new

    def restored(self, state: Mapping[str, Any]) -> DirichletObserver:
        """A new observer that goes on from `state`; a ρ that does not adapt is its own."""
        new = DirichletObserver(self._step, self._prior, self._base, self._adaptive)
        new.alpha = finite(state["alpha"], self.alpha.shape)
        new.rho, new._level = float(state["rho"]), float(state["level"])
        for priority, rho in state["past"]:
            new._past.append((int(priority), float(rho)))
        known = all(0 <= priority < len(self._step) and 0 < rho <= 1 for priority, rho in new._past)
        if not known or not 0 < new.rho <= 1 or not np.isfinite(new._level) or new.alpha.sum() <= 0:
            raise ValueError("out of range")
        new.rho = new.rho if self._adaptive else self._base
        return new
