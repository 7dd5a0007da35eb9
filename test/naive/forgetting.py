"""Surprise of a histogram by going through every histogram there is."""

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
