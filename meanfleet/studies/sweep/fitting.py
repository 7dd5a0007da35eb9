"""The theorem's shape against what was measured: gap(k) = a + c/√k (ALTERNATING-MARL bounds the gap by Õ(1/√k)).

The gap is measured against the largest k, whose own distance from the optimum, and whose noise, the offset a takes in:
if the shape holds, a = −c/√k_max. The fit is least squares, linear in the data. So fitting every seed by itself gives
independent values of a, c and of every residual, whose spread is their error: nothing need be assumed about how the
points of one seed hang together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import t as student

from meanfleet.base.statistics import Band, band

FEWEST = 4  # k: with fewer, two parameters leave too little to judge the shape by
EXPONENTS = (0.05, 3.0)  # range in which the best exponent is sought
WRONG = 0.05  # chance of refuting a shape that is right


@dataclass(frozen=True)
class RootFit:
    """gap(k) = offset + slope/√k, fitted to all k.

    Attributes:
        offset, slope: with their 95 % intervals over seeds.
        residuals: gap minus fit at every k, with their bands.
        r_squared: share of the gaps' variance over k that the fit explains; 0 for gaps without variance.
        rms_residual: root mean square of the mean gaps' distance from the fit.
        noise: root mean square of these residuals' standard errors; where the shape holds, the two are alike.
        worst_k: where the residual is largest in units of its error.
        worst: that residual in units of its error.
        refuted: whether some residual is beyond noise, all k taken together at 5 % (Bonferroni, Student's t); few seeds
            refute little.
        exponent: p of the best offset + slope/k^p in EXPONENTS.
        exponent_r_squared: its share of the variance.
    """

    offset: Band
    slope: Band
    residuals: tuple[Band, ...]
    r_squared: float
    rms_residual: float
    noise: float
    worst_k: int
    worst: float
    refuted: bool
    exponent: float
    exponent_r_squared: float

    def at(self, k: NDArray[np.float64]) -> NDArray[np.float64]:
        """The fitted gap at k."""
        return np.asarray(self.offset.mean + self.slope.mean / np.sqrt(k))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the shape in words."""
        return {"shape": "gap(k) = offset + slope/sqrt(k)"} | asdict(self)


def fit_root(ks: Sequence[int], gap: NDArray[np.float64]) -> RootFit | None:
    """Fit gaps [seed, k]; None with fewer than FEWEST k."""
    if len(ks) < FEWEST:
        return None
    k = np.asarray(ks, dtype=np.float64)
    coefficients, residuals = _least_squares(k, 0.5, gap)  # [seed, 2], [seed, k]
    bands = tuple(band(column) for column in residuals.T)
    mean, error = (np.array([getattr(each, name) for each in bands]) for name in ("mean", "error"))
    ratios = np.abs(mean) / np.maximum(error, 1e-12 * max(1.0, float(np.abs(gap).max())))
    limit = float(student.ppf(1 - WRONG / (2 * len(k)), len(gap) - 1))
    worst = int(ratios.argmax())
    exponent = _best_exponent(k, gap)
    return RootFit(
        offset=band(coefficients[:, 0]),
        slope=band(coefficients[:, 1]),
        residuals=bands,
        r_squared=_explained(gap, mean),
        rms_residual=float(np.sqrt(np.mean(mean**2))),
        noise=float(np.sqrt(np.mean(error**2))),
        worst_k=ks[worst],
        worst=float(ratios[worst]),
        refuted=bool(ratios[worst] > limit),
        exponent=exponent,
        exponent_r_squared=_explained(gap, _least_squares(k, exponent, gap)[1].mean(axis=0)),
    )


def _least_squares(
    k: NDArray[np.float64], exponent: float, gap: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients [seed, (offset, slope)] and residuals [seed, k] of offset + slope/k^exponent, seed by seed."""
    design = np.column_stack([np.ones_like(k), k**-exponent])
    coefficients = np.asarray(np.linalg.lstsq(design, gap.T, rcond=None)[0].T, dtype=np.float64)
    return coefficients, gap - coefficients @ design.T


def _explained(gap: NDArray[np.float64], residual: NDArray[np.float64]) -> float:
    """1 − Σ residual² / Σ (mean gap − its mean over k)²."""
    around = gap.mean(axis=0) - gap.mean()
    total = float(np.sum(around**2))
    return 1 - float(np.sum(residual**2)) / total if total > 0 else 0.0


def _best_exponent(k: NDArray[np.float64], gap: NDArray[np.float64]) -> float:
    """By a grid, for there may be several minima, then between the best's neighbours."""

    def loss(exponent: float) -> float:
        return float(np.sum(_least_squares(k, exponent, gap)[1].mean(axis=0) ** 2))

    grid = np.unique([*np.geomspace(*EXPONENTS, 40), 0.5])
    best = int(np.argmin([loss(exponent) for exponent in grid]))
    around = (float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)]))
    finer = float(minimize_scalar(loss, bounds=around, method="bounded", options={"xatol": 1e-3}).x)
    return min(finer, float(grid[best]), key=loss)
