"""Means of dependent ticks with 95 % intervals that are never of no width.

Consecutive ticks of a fleet resemble each other: T ticks say as much as n_eff ≤ T independent ones, n_eff = T R(0)/Ω,
with R the autocovariance and Ω its sum over all lags. Ω is the larger of two estimates:

- that of the circular block bootstrap (Politis and Romano 1992), b/T times the variance of the means of all blocks of b
  ticks, at the length that minimises its squared error (Politis and White 2004, corrected by Patton, Politis and White
  2009), from the series itself,

      b = (2G²/D)^(1/3) T^(1/3),    G = Σ_m λ(m/M) |m| R(m),    D = (4/3) (Σ_m λ(m/M) R(m))²,

  with λ the flat-top window and M twice the lag beyond which no correlation is significant; for an AR(1) with
  coefficient φ that is b → (6 φ²/(1−φ²)² · T)^(1/3). What blocks miss across edges, the share G/(b √(D·3/4)), is added;
- that of an AR(1), R(0) (1 + φ)/(1 − φ), its φ freed of the bias (1 + 3φ)/T of a series about its own mean (Kendall
  1954) and raised by one standard error √((1 − φ²)/T): few ticks cannot tell much dependence from very much.

The variance of n_eff values about their mean, R(0) n_eff/(n_eff − 1), and Student's t with n_eff − 1 degrees of freedom
give the interval; its longer tail is lengthened by the skewness (Johnson 1978). With less than two ticks' worth nothing
is known but the range. Rare losses are no matter for t: a series that departs from its usual value in fewer than RARE
separate spells gets the limits of `bounded` over blocks, one-sided where the usual value is an end of the range. Those
blocks are as long as its longest spell, and as what the series follows from hangs together (`memory`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from .arrays import FloatArray
from .bounded import limits
from .statistics import LEVEL, Band

MISSED = 0.5  # of the variance at most is added back
RARE = 10  # spells below which a loss is rare
HALF = (1 + LEVEL) / 2


def block_length(series: FloatArray) -> tuple[int, float]:
    """b for the mean of a series [tick], at least 1 and at most min(3√T, T/3), and the share of variance it misses."""
    ticks = len(series)
    centred = series - series.mean()
    largest = max(1, math.floor(min(3 * math.sqrt(ticks), ticks / 3)))
    if _constant(series):
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


def block_band(
    series: FloatArray, *, low: float = -math.inf, high: float = math.inf, memory: int | None = None
) -> tuple[Band, int]:
    """Mean of a series [tick] with its 95 % interval, and the block length used.

    Args:
        series: at least 2 ticks.
        low, high: range of what is averaged; without it the interval of a rare loss has no end.
        memory: how many ticks what the series follows from hangs together, for one that rarely departs from its usual
            value and so cannot say; None: √T.
    """
    b, missed = block_length(series)
    spells = Spells.of(series)
    if spells is not None and spells.count < RARE:
        b = max(b, spells.longest, math.ceil(math.sqrt(len(series))) if memory is None else memory)
        return _rare(series, spells.usual, low, high, b)
    return _usual(series, low, high, b, missed), b


class Spells:
    """Where a series departs from the value that most of its ticks have.

    Attributes:
        usual: that value.
        count: how many separate spells depart from it.
        longest: ticks of the longest.
    """

    def __init__(self, usual: float, away: NDArray[np.bool_]) -> None:
        steps = np.diff(np.concatenate([[0], away.astype(np.int64), [0]]))
        lengths = np.flatnonzero(steps < 0) - np.flatnonzero(steps > 0)
        self.usual, self.count, self.longest = usual, len(lengths), int(lengths.max(initial=1))

    @classmethod
    def of(cls, series: FloatArray) -> Spells | None:
        """None where no value is that of more than half of the ticks."""
        if _constant(series):
            return cls(float(series[0]), np.zeros(len(series), dtype=np.bool_))
        usual = float(np.median(series))  # the only value that more than half can have
        away = np.abs(series - usual) > 1e-12 * max(1.0, abs(usual))
        return cls(usual, away) if 2 * away.sum() < len(series) else None


def _rare(series: FloatArray, usual: float, low: float, high: float, b: int) -> tuple[Band, int]:
    """Limits over blocks of at least b ticks; one-sided where the usual value is the least or greatest."""
    blocks = max(1, len(series) // b)
    means = np.array([part.mean() for part in np.array_split(series, blocks)])
    mean, one_sided = float(series.mean()), usual in (low, high)
    ends = limits(means - usual, low - usual, high - usual, LEVEL if one_sided else HALF)
    least = low if usual == low else min(usual + ends[0], mean)
    most = high if usual == high else max(usual + ends[1], mean)
    error = float(means.std(ddof=1) / math.sqrt(blocks)) if blocks > 1 else math.inf
    return Band(mean, error, least, most), math.ceil(len(series) / blocks)


def _usual(series: FloatArray, low: float, high: float, b: int, missed: float) -> Band:
    """Student's interval with what T ticks are worth."""
    mean, variance = float(series.mean()), float(series.var())
    worth = min(_worth_by_blocks(series, b, missed), _worth_by_regression(series))
    error = math.sqrt(variance / (max(worth, 2.0) - 1))
    if worth < 2:
        return Band(mean, error, low, high)
    quantile = float(student.ppf(HALF, worth - 1))
    skewness = float(((series - mean) ** 3).mean()) / variance**1.5
    longer = skewness * (1 + 2 * quantile**2) / 6 * error / math.sqrt(worth)
    least, most = mean - quantile * error + min(longer, 0.0), mean + quantile * error + max(longer, 0.0)
    return Band(mean, error, min(max(least, low), mean), max(min(most, high), mean))


def _worth_by_blocks(series: FloatArray, b: int, missed: float) -> float:
    """n_eff of a series [tick] by the variance of all its circular blocks of b ticks; never above T."""
    ticks, centred = len(series), series - series.mean()
    sums = np.cumsum(np.concatenate([[0.0], centred, centred[: b - 1]]))
    of_mean = float(((sums[b:] - sums[:-b]) ** 2).mean()) / (b * ticks)
    return min(float(ticks), float(series.var()) * (1 - missed) / of_mean) if of_mean > 0 else float(ticks)


def _worth_by_regression(series: FloatArray) -> float:
    """n_eff of a series [tick] as an AR(1); never above T, for what alternates may cease to."""
    ticks, centred = len(series), series - series.mean()
    phi = float(centred[1:] @ centred[:-1] / (centred @ centred))
    phi += (1 + 3 * max(phi, 0.0)) / ticks
    phi = min(max(phi + math.sqrt(max(1 - phi**2, 0.0) / ticks), 0.0), 1.0)
    return ticks * (1 - phi) / (1 + phi)


def _constant(series: FloatArray) -> bool:
    spread = float(np.abs(series - series.mean()).max(initial=0.0))
    return not spread > 1e-12 * max(1.0, float(np.abs(series).max(initial=0.0)))
