"""Values on the histograms of one number of robots, read off for another: piecewise linear in the shares per zone."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .game import FloatArray
from .histograms import counting_table, enumerate_histograms

IntArray = NDArray[np.int64]


def resampled(values: FloatArray, k: int, new_k: int, zones: int) -> FloatArray:
    """Values [s_g, h] of k robots at the shares of new_k robots: float64 [s_g, h']."""
    mu = enumerate_histograms(new_k, zones)
    return interpolated(values, k, np.asarray(mu * (k / new_k), dtype=np.float64))


def interpolated(values: FloatArray, k: int, counts: FloatArray) -> FloatArray:
    """Values [s_g, h] of k robots at real counts [point, zone] that sum to k: float64 [s_g, point].

    Kuhn's triangulation: in the coordinates of partial sums a point lies between at most `zones` histograms, found by
    sorting the fractional parts. Exact for values that are linear in the histogram.
    """
    zones = counts.shape[1]
    out = np.empty((len(values), len(counts)))
    _interpolate(np.ascontiguousarray(values.T), k, np.ascontiguousarray(counts), counting_table(k, zones), out)
    return out


@njit(cache=True, nogil=True)
def _interpolate(values: FloatArray, k: int, counts: FloatArray, table: IntArray, out: FloatArray) -> None:
    """Fill out[s, point] from values[h, s]."""
    points, zones = counts.shape
    sums, fraction, order = np.empty(zones, dtype=np.int64), np.empty(zones), np.empty(zones, dtype=np.int64)
    for point in range(points):
        total = 0.0
        for z in range(zones - 1):
            total += counts[point, z]
            nearest = np.rint(total)
            if abs(total - nearest) < 1e-9:  # histograms themselves are met exactly
                sums[z], fraction[z] = np.int64(nearest), 0.0
            else:
                sums[z] = np.int64(np.floor(total))
                fraction[z] = total - sums[z]
            # Larger fractions are rounded up first; of equal ones the later zone, so that sums never fall.
            place = z
            while place > 0 and fraction[order[place - 1]] <= fraction[z]:
                order[place] = order[place - 1]
                place -= 1
            order[place] = z
        for s in range(out.shape[0]):
            out[s, point] = 0.0
        before = 1.0
        for vertex in range(zones):
            after = fraction[order[vertex]] if vertex < zones - 1 else 0.0
            if before > after:
                index = 0
                for z in range(zones - 1):
                    index += table[k - sums[z], zones - z]
                for s in range(out.shape[0]):
                    out[s, point] += (before - after) * values[index, s]
            before = after
            if vertex < zones - 1:
                sums[order[vertex]] += 1
