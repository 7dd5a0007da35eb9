"""Between histograms: any distribution of robots as a weighted mean of the histograms of k robots around it.

With the partial sums x_z = Σ_{y≤z} c_y of real counts c that sum to k, the histograms are the integer points
0 ≤ x_1 ≤ … ≤ x_{S−1} ≤ k. Freudenthal's triangulation of that lattice has, around every x, the corners ⌊x⌋,
⌊x⌋ + e_{z₁}, ⌊x⌋ + e_{z₁} + e_{z₂}, … in falling order of the fractional parts, whose gaps are the weights. Corners
with weight are histograms, and a histogram itself has weight 1. numpy alone, because dispatchers decide with it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfleet.base.arrays import FloatArray, IntArray

from .histograms import enumerate_histograms, rank

SNAP = 1e-9  # partial sums this close to a whole number are one


def corners(counts: ArrayLike, k: int) -> tuple[IntArray, FloatArray]:
    """Histograms of k robots around real counts [point, zone] that sum to k, and their weights, both [point, corner].

    Corners are given by their index; there are as many as zones.
    """
    real = np.asarray(counts, dtype=np.float64)
    points, zones = real.shape
    sums = np.clip(np.cumsum(real, axis=1)[:, :-1], 0, k)
    nearest = np.rint(sums)
    sums = np.where(np.abs(sums - nearest) < SNAP, nearest, sums)
    low = np.floor(sums).astype(np.int64)
    part = sums - low
    # Of equal parts the later zone first, so that the corners' partial sums never fall.
    order = zones - 2 - np.argsort(-part[:, ::-1], axis=1, kind="stable")
    falling = np.take_along_axis(part, order, axis=1)
    weights = -np.diff(np.column_stack([np.ones(points), falling, np.zeros(points)]), axis=1)
    indices = np.empty((points, zones), dtype=np.int64)
    edge = np.zeros((points, 1), dtype=np.int64)
    for corner in range(zones):
        indices[:, corner] = rank(np.diff(np.column_stack([edge, low, edge + k]), axis=1))
        if corner < zones - 1:
            low[np.arange(points), order[:, corner]] += falling[:, corner] > 0
    return indices, weights


def interpolate(values: NDArray[np.floating], counts: ArrayLike, k: int) -> FloatArray:
    """Values [h, …] of histograms of k robots at real counts [point, zone] that sum to k: [point, …]."""
    indices, weights = corners(counts, k)
    return np.asarray(np.einsum("pc,pc...->p...", weights, values[indices]), dtype=np.float64)


def resampled(values: FloatArray, k: int, new_k: int, zones: int) -> FloatArray:
    """Values [s_g, h] of k robots at the shares of new_k robots: float64 [s_g, h']."""
    return np.ascontiguousarray(interpolate(values.T, enumerate_histograms(new_k, zones) * (k / new_k), k).T)
