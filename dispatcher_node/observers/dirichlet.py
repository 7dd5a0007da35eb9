"""A Dirichlet belief that is predicted with the model and forgets by ρ (math.md §7).

    update     α ← α + histogram of the samples
    predict    α ← ρ · α P̃[s_g]

Both steps are linear in α. So a sample that is m ticks old, carried forward by the m steps since, leaves the very
belief that it would have left had it arrived in time.

A ρ that adapts is found by beliefs beside it, the rivals, that forget by one fixed ρ each; samples of their own tick
tell which of them predicts best (`filtering.forgetting`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from meanfleet.base.arrays import FloatArray
from meanfleet.solver.bundle.filtering import Deciding, FilterModel, forgetting, head_start, rivals, surprise

from .protocol import HISTORY, Sample, finite

FAINT = 1e-9  # a belief that nothing renews keeps at least this sum, and its mean with it
TINY = 1e-15  # of the sum, in zones that the model never reaches: logarithms of weights stay finite


class DirichletObserver:
    """α per zone.

    Args:
        step: P̃, float64 [s_g, z, z'].
        prior: α before the first sample [zone].
        rho: share of the belief that survives a tick, in (0, 1].
        adaptive: start from that ρ and follow what samples tell (`filtering.forgetting`).
    """

    def __init__(self, step: FloatArray, prior: FloatArray, rho: float, adaptive: bool = False) -> None:
        self._step, self._prior, self._base, self._adaptive = step, prior, rho, adaptive
        self.alpha: FloatArray = np.array(prior, dtype=np.float64)
        self.rho, self.surprise = rho, 0.0
        self._rhos = rivals(rho, adaptive)
        self._rivals = np.tile(self.alpha, (len(self._rhos), 1))  # α of every rival [rival, zone]
        self._scores = head_start(len(self._rhos))
        self._past: deque[tuple[int, float]] = deque(maxlen=HISTORY)  # s_g and ρ of the last ticks

    @property
    def reach(self) -> int:
        """Ticks back whose priorities are still known."""
        return len(self._past)

    def update(self, samples: Sequence[Sample]) -> None:
        """Add the samples, the older ones as the steps since would have left them."""
        now, nothing = [sample for sample in samples if sample.age == 0], np.zeros(len(self.alpha))
        self.surprise = surprise(self.alpha, sum((sample.counts for sample in now), nothing.astype(np.int64)))
        if self._adaptive:
            counted = sum((sample.weights for sample in now), nothing)
            self.rho, self._scores = forgetting(self._rhos, self._scores, self._rivals, counted)
        alpha, trials = self.alpha, self._rivals
        for sample in samples:
            carried, kept = self._carried(sample), math.prod(rho for _, rho in self._since(sample))
            alpha, trials = alpha + kept * carried, trials + self._rhos[:, None] ** sample.age * carried
        self.alpha, self._rivals = alpha, trials

    def predict(self, priority: int) -> None:
        """α ← ρ · α P̃[s_g]."""
        self._past.append((priority, self.rho))
        self.alpha = self._kept(self.rho * (self.alpha @ self._step[priority]))
        moved = self._rhos[:, None] * (self._rivals @ self._step[priority])
        self._rivals = np.stack([self._kept(alpha) for alpha in moved])

    def values(self, model: FilterModel, priority: int, deciding: Deciding) -> FloatArray:
        """Worth of every dispatch [a_g]."""
        return model.values(priority, self.alpha, deciding)

    def _kept(self, alpha: FloatArray) -> FloatArray:
        """A predicted belief that still says something, however faint."""
        total = float(alpha.sum())
        if total < FAINT:
            alpha = self._prior * (FAINT / self._prior.sum()) if total <= 0 else alpha * (FAINT / total)
        return np.asarray(np.maximum(alpha, TINY * alpha.sum()))

    def _carried(self, sample: Sample) -> FloatArray:
        """Where a sample's robots are now, as the model has it; nothing of it forgotten [zone]."""
        weights = sample.weights
        for priority, _ in self._since(sample):
            weights = weights @ self._step[priority]
        return weights

    def _since(self, sample: Sample) -> list[tuple[int, float]]:
        """s_g and ρ of the ticks since a sample was true."""
        return list(self._past)[len(self._past) - sample.age :]

    def state(self) -> dict[str, Any]:
        """Weights, those of the rivals with their scores, and the last priorities."""
        return {
            "alpha": self.alpha.tolist(),
            "rho": self.rho,
            "rivals": [
                {"rho": float(rho), "alpha": alpha.tolist(), "score": float(score)}
                for rho, alpha, score in zip(self._rhos, self._rivals, self._scores, strict=True)
            ],
            "past": [list(entry) for entry in self._past],
        }

    def believing(self, alpha: FloatArray) -> DirichletObserver:
        """A new observer with the weights `alpha` [zone] that has taken no step yet."""
        new = DirichletObserver(self._step, self._prior, self._base, self._adaptive)
        new.alpha = np.maximum(alpha, TINY * alpha.sum())
        new._rivals = np.tile(new.alpha, (len(new._rhos), 1))
        return new

    def restored(self, state: Mapping[str, Any]) -> DirichletObserver:
        """A new observer that goes on from `state`, as far as its parameters allow.

        A ρ that does not adapt is its own. Rivals that the state lacks, as those of earlier versions do, begin with its
        belief and no more than their head start.
        """
        new = self.believing(finite(state["alpha"], self.alpha.shape))
        rho = float(state["rho"])
        for priority, then in state["past"]:
            new._past.append((int(priority), float(then)))
        known = all(0 <= priority < len(self._step) and 0 < then <= 1 for priority, then in new._past)
        if not known or not 0 < rho <= 1 or new.alpha.sum() <= 0:
            raise ValueError("out of range")
        new._join(state.get("rivals", ()))
        new.rho = rho if self._adaptive else self._base
        return new

    def _join(self, told: Sequence[Mapping[str, Any]]) -> None:
        """Take over rivals of the same ρ; their scores only if all of them are there, for scores are relative."""
        found = {float(one["rho"]): one for one in told}
        scores = self._scores.copy()
        for i, rho in enumerate(self._rhos.tolist()):
            if rho in found:
                self._rivals[i] = finite(found[rho]["alpha"], self.alpha.shape)
                scores[i] = float(found[rho]["score"])
        if not np.isfinite(scores).all() or (self._rivals.sum(axis=1) <= 0).any():
            raise ValueError("out of range")
        if found.keys() >= set(self._rhos.tolist()):
            self._scores = scores
