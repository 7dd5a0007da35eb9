"""Histograms: counts of k robots per zone, in a fixed order. numpy alone, because robots load bundles with it.

Order: lexicographic from the largest first count to the smallest. With N(m, S) = C(m + S − 1, S − 1), the number of
histograms of m robots over S zones, and m_z the robots not yet counted before zone z, the hockey-stick identity gives

    rank(μ) = Σ_z N(m_z − μ_z − 1, S − z)        (N(−1, ·) = 0; the last zone adds nothing)
"""

from __future__ import annotations

from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import ArrayLike

from meanfleet.base.arrays import IntArray


def count_histograms(k: int, zones: int) -> int:
    """C(k + zones − 1, zones − 1)."""
    return comb(k + zones - 1, zones - 1)


@lru_cache(maxsize=64)
def counting_table(k: int, zones: int) -> IntArray:
    """N(m − 1, s) at [m, s] for m = 0…k and s = 0…zones."""
    table = np.array([[comb(m - 1 + s - 1, s - 1) if m and s else 0 for s in range(zones + 1)] for m in range(k + 1)])
    return table.astype(np.int64)


def rank(histograms: ArrayLike) -> IntArray:
    """Index of each histogram [..., zone] among those with the same number of robots.

    All histograms of one call must hold the same number of robots.
    """
    counts = np.asarray(histograms, dtype=np.int64)
    zones = counts.shape[-1]
    left = counts.sum(axis=-1)
    table = counting_table(int(left.max()) if left.size else 0, zones)
    ranks = np.zeros(left.shape, dtype=np.int64)
    for zone in range(zones - 1):
        left = left - counts[..., zone]
        ranks += table[left, zones - zone]
    return ranks


@lru_cache(maxsize=16)
def enumerate_histograms(k: int, zones: int) -> IntArray:
    """All histograms [index, zone] of k robots in the order of `rank`, read-only."""
    rows = np.zeros((1, 0), dtype=np.int64)
    left = np.array([k], dtype=np.int64)
    for _ in range(zones - 1):
        repeats = left + 1
        start = np.repeat(np.cumsum(repeats) - repeats, repeats)
        after = np.arange(repeats.sum()) - start  # robots left after this zone, ascending: counts descend
        rows = np.column_stack([np.repeat(rows, repeats, axis=0), np.repeat(left, repeats) - after])
        left = after
    full: IntArray = np.column_stack([rows, left])
    full.setflags(write=False)
    return full
