"""Means of dependent ticks with 95 % intervals: the circular block bootstrap.

Consecutive ticks of a fleet resemble each other, so ticks are resampled in blocks (Politis and Romano 1992). The block
length b is the one that minimises the mean squared error of the variance (Politis and White 2004, corrected by Patton,
Politis and White 2009), from the series itself,

    b = (2G²/D)^(1/3) T^(1/3),    G = Σ_m λ(m/M) |m| R(m),    D = (4/3) (Σ_m λ(m/M) R(m))²,

with R the autocovariance, λ the flat-top window and M twice the lag beyond which no correlation is significant. For an
AR(1) with coefficient φ that is b → (6 φ²/(1−φ²)² · T)^(1/3).

The percentiles are widened for what blocks are known to miss: correlation across their edges, which lowers the variance
by the share G/(b √(D·3/4)) to first order, and their own spread, of which T/b of them say little: Student's t with
T/b − 1 degrees of freedom takes the normal law's place, and the variance is multiplied by T/b / (T/b − 1).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from meanfleet.sweep.statistics import LEVEL, Band

FloatArray = NDArray[np.float64]
REPLICATES = 2000
MISSED = 0.5  # of the variance at most is added back


def block_length(series: FloatArray) -> tuple[int, float]:
    """b for the mean of a series [tick], at least 1 and at most min(3√T, T/3), and the share of variance it misses."""
    ticks = len(series)
    centred = series - series.mean()
    largest = max(1, math.floor(min(3 * math.sqrt(ticks), ticks / 3)))
    if not np.abs(centred).max(initial=0.0) > 1e-12 * max(1.0, float(np.abs(series).max(initial=0.0))):
        return 1, 0.0
    run = max(5, math.ceil(math.sqrt(math.log10(ticks))))
    reach = min(math.ceil(math.sqrt(ticks)) + run, ticks - 1)
    covariance = np.array([centred[: ticks - m] @ centred[m:] for m in range(reach + 1)]) / ticks
    significant = np.abs(covariance / covariance[0]) >= 2 * math.sqrt(math.log10(ticks) / ticks)
    settled = next((m for m in range(reach + 1) if not significant[m + 1 : m + 1 + run].any()), reach)
    window = min(2 * max(settled, 1), reach)
    lags = np.arange(window + 1)
    weight = np.clip(2 * (1 - lags / window), 0, 1) * covariance[: window + 1]
    long_run = weight[0] + 2 * weight[1:].sum()
    if long_run <= 0:
        return 1, 0.0
    ratio = 2 * (lags * weight).sum() / long_run
    b = min(largest, max(1, math.ceil((1.5 * ratio**2 * ticks) ** (1 / 3) - 1e-9)))
    return b, min(max(ratio / b, 0.0), MISSED)


def block_band(series: FloatArray, seed: int = 0, replicates: int = REPLICATES) -> tuple[Band, int]:
    """Mean of a series [tick] with its 95 % interval, and the block length used; the same seed, the same interval."""
    ticks, (b, missed) = len(series), block_length(series)
    mean = float(series.mean())
    blocks = math.ceil(ticks / b)
    starts = np.random.default_rng(seed).integers(ticks, size=(replicates, blocks))
    sums = np.concatenate([[0.0], np.cumsum(np.concatenate([series, series[:b]]) - mean)])
    lengths = np.full(blocks, b)
    lengths[-1] = ticks - b * (blocks - 1)
    spread = (sums[starts + lengths] - sums[starts]).sum(axis=1) / ticks
    effective = max(ticks / b, 2.0)
    half = (1 + LEVEL) / 2
    spread *= math.sqrt(effective / (effective - 1) / (1 - missed))
    low, high = np.quantile(spread, [1 - half, half]) * float(student.ppf(half, effective - 1) / norm.ppf(half))
    error = float(spread.std(ddof=1))
    return Band(mean, error, mean + float(low), mean + float(high)), b
