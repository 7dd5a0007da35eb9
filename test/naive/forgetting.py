"""Surprise of a histogram by going through every histogram there is; and the ρ that samples ask for, by loops."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .surrogate import histograms


def log_chance(alpha: Sequence[float], sample: Sequence[int]) -> float:
    """Log-probability of a histogram, one robot after the other: Pólya's urn, times the orders that give it."""
    balls, result = list(alpha), math.lgamma(sum(sample) + 1) - sum(math.lgamma(c + 1) for c in sample)
    for zone, count in enumerate(sample):
        for _ in range(count):
            result += math.log(balls[zone] / sum(balls))
            balls[zone] += 1
    return result


def expected_log_chance(alpha: Sequence[float], k: int) -> float:
    """E L over every histogram of k robots."""
    logs = [log_chance(alpha, histogram) for histogram in histograms(k, len(alpha))]
    return sum(math.exp(value) * value for value in logs)


class Forgetting:
    """Beliefs that forget by one fixed ρ each, judged by how far they were off: the ρ of a tick, and what follows."""

    def __init__(self, prior: Sequence[float], rho: float) -> None:
        self.rhos = [rho] + [other for other in (1.0, 0.98, 0.95, 0.9, 0.8, 0.6, 0.3) if other != rho]
        self.scores = [0.0] + [-4.0] * (len(self.rhos) - 1)
        self.beliefs = [list(prior) for _ in self.rhos]

    def rho(self, sample: Sequence[float]) -> float:
        """Judge every belief by this tick's robots one by one, add them, and mix the ρ."""
        k = sum(sample)
        for i, belief in enumerate(self.beliefs):
            if k > 0:
                missed = sum((b / sum(belief) - x / k) ** 2 for b, x in zip(belief, sample, strict=True))
                self.scores[i] = 0.98 * self.scores[i] - k * missed
            self.beliefs[i] = [b + x for b, x in zip(belief, sample, strict=True)]
        weights = [math.exp(score - max(self.scores)) for score in self.scores]
        return sum(w * rho for w, rho in zip(weights, self.rhos, strict=True)) / sum(weights)

    def add(self, late: Sequence[float], steps: Sequence[Sequence[Sequence[float]]]) -> None:
        """Robots heard late, that have moved by `steps` [tick][z][z'] since; they judge nobody."""
        for i, rho in enumerate(self.rhos):
            moved = [float(x) for x in late]
            for step in steps:
                moved = _moved(moved, step, rho)
            self.beliefs[i] = [b + x for b, x in zip(self.beliefs[i], moved, strict=True)]

    def move(self, step: Sequence[Sequence[float]]) -> None:
        """One tick under P̃ [z][z']."""
        self.beliefs = [_moved(belief, step, rho) for belief, rho in zip(self.beliefs, self.rhos, strict=True)]


def _moved(belief: Sequence[float], step: Sequence[Sequence[float]], rho: float) -> list[float]:
    zones = range(len(belief))
    return [rho * sum(belief[z] * float(step[z][to]) for z in zones) for to in zones]
