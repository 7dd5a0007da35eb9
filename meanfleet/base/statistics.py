"""Means over seeds with their bands: a seed's mean return is one observation, seeds are independent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student

LEVEL = 0.95


@dataclass(frozen=True)
class Band:
    """A mean over seeds.

    Attributes:
        mean: of the seeds' values.
        error: its standard error.
        low, high: ends of its 95 % interval, by Student's t with seeds − 1 degrees of freedom.
    """

    mean: float
    error: float
    low: float
    high: float


def half_width(error: float, count: float, level: float = LEVEL) -> float:
    """How far the interval of a mean reaches to either side: its standard error by Student's t, of `count` values."""
    return float(student.ppf((1 + level) / 2, count - 1)) * error


def band(values: ArrayLike) -> Band:
    """Mean, standard error and 95 % interval of values [seed], two at least."""
    x = np.asarray(values, dtype=np.float64)
    mean, error = float(x.mean()), float(x.std(ddof=1) / np.sqrt(len(x)))
    half = half_width(error, len(x))
    return Band(mean, error, mean - half, mean + half)


def gaps(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far every return lies below that of the largest k on the same seed: [seed, k] from [seed, k], k ascending.

    All k share their seeds, so what the seeds have in common drops out of the difference.
    """
    return np.asarray(returns[:, -1:] - returns)
