"""Histograms that differ by one robot."""

from __future__ import annotations

import numpy as np

from meanfleet.base.arrays import IntArray

from ..histograms import enumerate_histograms, rank


def raised(k: int, zones: int) -> IntArray:
    """Index among histograms of k robots of ν + e_j, for every histogram ν of k−1 robots: int64 [ν, j]."""
    nu = enumerate_histograms(k - 1, zones)
    return np.stack([rank(nu + unit) for unit in np.eye(zones, dtype=np.int64)], axis=1)


def lowered(k: int, zones: int) -> IntArray:
    """Index among histograms of k−1 robots of μ − e_z, −1 where μ_z = 0: int64 [μ, z]."""
    mu = enumerate_histograms(k, zones)
    down = np.full(mu.shape, -1, dtype=np.int64)
    for zone in range(zones):
        has = mu[:, zone] > 0
        less = mu[has]
        less[:, zone] -= 1
        down[has, zone] = rank(less)
    return down
