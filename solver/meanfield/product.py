"""Expectations over the next histogram of k robots, for many zones and few robots: robot by robot.

With T_j[ν, λ] = E of f(ν + where the j robots of λ go), ν the k − j robots that have moved,

    T_0[μ'] = f(μ'),      T_{j+1}[ν, λ + e_z] = Σ_z' P[z, z'] T_j[ν + e_z', λ],      T_k[λ] = E[f(μ') | λ]

where z is the last zone that has a robot. Averages only, so no rounding grows. The cost is the sum over j of the
histograms of k − j − 1 and of j + 1 robots times the zones: far less than the ordered states' S^(k+1), and less than
`next_law` needs where zones are many and robots few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray

from ..histograms import count_histograms, enumerate_histograms
from ..next_law import lowered, raised

BLOCK = 16  # columns at once: what is read and written stays in the cache


def operations(k: int, zones: int) -> int:
    """Multiplications per column of one expectation."""
    return zones * sum(count_histograms(k - j - 1, zones) * count_histograms(j + 1, zones) for j in range(k))


def scratch(k: int, zones: int) -> int:
    """Numbers per column of the largest T_j."""
    return max(count_histograms(k - j, zones) * count_histograms(j, zones) for j in range(k + 1))


@dataclass(frozen=True, eq=False)
class Product:
    """The tables of k robots on so many zones, shared by every P.

    Attributes:
        up: per j, index of ν + e_z' among histograms of k − j robots, int64 [ν, z'].
        last: per j, the last zone with a robot in each histogram of j + 1 robots [λ].
        parent: per j, index of that histogram without this robot [λ].
    """

    k: int
    zones: int
    up: tuple[IntArray, ...]
    last: tuple[IntArray, ...]
    parent: tuple[IntArray, ...]

    @classmethod
    def of(cls, k: int, zones: int) -> Product:
        """Make the tables."""
        up, last, parent = [], [], []
        for j in range(k):
            up.append(np.ascontiguousarray(raised(k - j, zones)))
            mu, down = enumerate_histograms(j + 1, zones), lowered(j + 1, zones)
            zone = zones - 1 - np.argmax(mu[:, ::-1] > 0, axis=1)
            last.append(zone.astype(np.int64))
            parent.append(down[np.arange(len(mu)), zone])
        return cls(k, zones, tuple(up), tuple(last), tuple(parent))

    @property
    def error(self) -> float:
        """Rounding error of an expectation relative to max |f|."""
        return float(np.finfo(np.float64).eps * self.k * (self.zones + 1))

    def expect(self, P: FloatArray, values: FloatArray) -> FloatArray:
        """E[f(μ') | μ] under P [z, z'] for columns of f [h, column]."""
        out = np.empty_like(values)
        for begin in range(0, values.shape[1], BLOCK):
            part = np.ascontiguousarray(values[:, begin : begin + BLOCK])
            table = part.reshape(len(part), 1, -1)
            for up, last, parent in zip(self.up, self.last, self.parent, strict=True):
                after = np.empty((len(up), len(last), part.shape[1]))
                _one_robot(P, table, up, last, parent, after)
                table = after
            out[:, begin : begin + BLOCK] = table[0]
        return out


@njit(cache=True, nogil=True)
def _one_robot(
    P: FloatArray, table: FloatArray, up: IntArray, last: IntArray, parent: IntArray, out: FloatArray
) -> None:
    """out[ν, λ] = Σ_z' P[last[λ], z'] table[up[ν, z'], parent[λ]]. Overwrites `out`."""
    for nu in range(out.shape[0]):
        for i in range(out.shape[1]):
            z, before = last[i], parent[i]
            for c in range(out.shape[2]):
                out[nu, i, c] = 0.0
            for ahead in range(P.shape[0]):
                weight, row = P[z, ahead], up[nu, ahead]
                if weight != 0.0:
                    for c in range(out.shape[2]):
                        out[nu, i, c] += weight * table[row, before, c]
