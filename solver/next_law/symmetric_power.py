"""The law of the next histogram when every robot moves by P independently: the symmetric power of P.

T_k[μ, μ'] = P(next histogram of k robots is μ' | now it is μ). Adding one robot of zone z gives

    T_k[μ, ·] = Σ_j P[z, j] · T_{k−1}[μ − e_z, · − e_j]        for any z with μ_z > 0

so T_k follows from T_{k−1} exactly, with non-negative terms only. Dense: |H_k|² numbers per P.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..game import FloatArray
from ..histograms import count_histograms, enumerate_histograms, rank

IntArray = NDArray[np.int64]


def dense_bytes(k: int, zones: int) -> int:
    """Memory of one T_k [bytes]."""
    return 8 * count_histograms(k, zones) ** 2


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


class SymmetricPower:
    """Builds T_{k−1} and T_k for any P over `zones` zones; index tables are made once."""

    def __init__(self, k: int, zones: int) -> None:
        self.k, self.zones = k, zones
        self._levels = [(lowered(level, zones), raised(level, zones)) for level in range(1, k + 1)]

    def matrices(self, P: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return (T_{k−1}, T_k), float64 [μ, μ'], for the zone transition P [z, z']."""
        law = np.ones((1, 1))
        fewer = law
        for down, up in self._levels:
            fewer = law
            law = np.zeros((len(down), len(down)))
            _add_robot(np.ascontiguousarray(P), fewer, down, up, law)
        return fewer, law


@njit(cache=True, fastmath=False)
def _add_robot(P: FloatArray, fewer: FloatArray, down: IntArray, up: IntArray, law: FloatArray) -> None:
    """Fill `law` (zeros on entry) from the law with one robot fewer. Mutates `law` only."""
    zones = P.shape[0]
    for mu in range(law.shape[0]):
        zone = 0
        while down[mu, zone] < 0:
            zone += 1
        row = down[mu, zone]
        for nu in range(fewer.shape[0]):
            weight = fewer[row, nu]
            if weight != 0.0:
                for j in range(zones):
                    law[mu, up[nu, j]] += weight * P[zone, j]
