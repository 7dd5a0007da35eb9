"""How much memory a process gains per subscription made, with an interval that allows for memory's own memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

SHARE = 0.1  # of the samples: over how many the residuals' correlation is taken into account
LEAST = 20  # samples


@dataclass(frozen=True)
class Trend:
    """A slope with its 95 % interval, in units of y per unit of x."""

    slope: float
    low: float
    high: float
    samples: int


def trend(x: ArrayLike, y: ArrayLike) -> Trend | None:
    """Least squares through equally spaced samples in time; None if they are too few, or x stands still.

    Resident memory grows in steps that last, so neighbouring residuals are alike, and the textbook's interval is far
    too narrow. The variance is Newey and West's with Bartlett weights over a share b of the samples, the quantile that
    of Kiefer and Vogelsang (Econometric Theory 21, 2005, table 1), who do not take b for small.
    """
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    n = len(xs)
    if n < LEAST or np.ptp(xs) == 0:
        return None
    away = xs - xs.mean()
    spread = float(away @ away)
    slope = float(away @ ys) / spread
    scores = away * (ys - ys.mean() - slope * away)
    lags = max(round(SHARE * n), 1)
    variance = float(scores @ scores)
    variance += 2 * sum((1 - lag / lags) * float(scores[lag:] @ scores[:-lag]) for lag in range(1, lags))
    b = lags / n
    quantile = 1.9600 + 2.9694 * b + 0.4160 * b**2 - 0.5324 * b**3
    half = quantile * math.sqrt(max(variance, 0.0)) / spread
    return Trend(slope, slope - half, slope + half, n)
