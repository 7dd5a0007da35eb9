"""The stable fallback for every P (math.md §3): E[f(μ')] as a Bernstein–Bézier net, evaluated by de Casteljau.

A net b on the histograms of m robots becomes one of m − 1 robots when one robot of zone z has chosen where to go,

    b_ν ← Σ_j P[z, j] b_{ν + e_j}

Starting from f and taking one robot after another away ends, for the histogram μ, at the number E[f(μ')]. Histograms
share their beginnings: a walk over (μ_1, μ_2, …) depth first computes every net once, and the robots of the last zone
are summed over at once by their multinomial law. Averages only, so nothing is lost, at a cost that grows like
C(k + 2·zones − 2, 2·zones − 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import comb

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray

from ..histograms import count_histograms
from .kernels import SIMD
from .layouts import IndexArray
from .neighbours import raised


def operations(k: int, zones: int) -> int:
    """Multiplications per column of values of one expectation, nearly."""
    return zones * sum(comb(k + zones - 1 + depth, zones - 1 + depth) for depth in range(1, zones))


@dataclass(frozen=True, eq=False)
class CasteljauLaw:
    """The law of the next histogram of k robots that move by P [z, z']; see `choice.NextLaw`."""

    k: int
    P: FloatArray

    @property
    def error(self) -> float:
        """Rounding error of an expectation relative to max |f|: an average over the zones per robot."""
        return float(np.finfo(np.float64).eps * (self.k + 1) * (len(self.P) + 1))

    def expect(self, values: FloatArray) -> FloatArray:
        """E[f(μ') | μ] for columns of f [h, column]."""
        nets, flat = self._scratch(values)
        out = np.empty_like(flat)
        nets[0] = flat
        _walk_down(nets, self.k, self.P, *_raised_all(self.k, len(self.P)), values.shape[1], out)
        return out.reshape(values.shape)

    def push(self, weights: FloatArray) -> FloatArray:
        """Σ_μ w(μ) P(μ' | μ) for columns of weights [h, column]: the transpose of `expect`."""
        nets, flat = self._scratch(weights)
        _walk_up(flat, self.k, self.P, *_raised_all(self.k, len(self.P)), weights.shape[1], nets)
        return np.asarray(nets[0]).reshape(weights.shape)

    def _scratch(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        flat = np.ascontiguousarray(values).ravel()
        return np.zeros((max(len(self.P) - 1, 1), flat.size)), flat


@lru_cache(maxsize=16)
def _raised_all(k: int, zones: int) -> tuple[IndexArray, IntArray]:
    """`raised` of 1, 2, …, k robots one below the other, int32 [row, j]; that of m begins at row begins[m].

    begins[m + 1] is also the number of histograms of fewer than m robots.
    """
    tables = [raised(m, zones) for m in range(1, k + 1)]
    sizes = [count_histograms(m, zones) for m in range(k + 1)]
    begins = np.concatenate([[0, 0], np.cumsum(sizes)]).astype(np.int64)
    return np.concatenate([np.zeros((0, zones), dtype=np.int32), *tables]).astype(np.int32), begins


@njit(cache=True, nogil=True)
def _last_zone(k: int, row: FloatArray, up: IndexArray, begins: IntArray) -> FloatArray:
    """Multinomial laws of 0, 1, …, k robots of one zone, one after the other; m robots begin at begins[m + 1]."""
    laws = np.zeros(begins[k + 2])
    laws[0] = 1.0
    for m in range(1, k + 1):
        for nu in range(begins[m], begins[m + 1]):
            for j in range(len(row)):
                laws[begins[m + 1] + up[nu, j]] += row[j] * laws[begins[m] + nu - begins[m]]
    return laws


@njit(cache=True, nogil=True, fastmath=SIMD)
def _walk_down(
    nets: FloatArray, k: int, P: FloatArray, up: IndexArray, begins: IntArray, columns: int, out: FloatArray
) -> None:
    """Fill `out` with the expectations of nets[0]. Mutates `nets` as scratch."""
    zones = P.shape[0]
    depth = zones - 2
    if zones == 1:
        out[:] = nets[0]
        return
    laws = _last_zone(k, P[zones - 1], up, begins)
    left = np.full(zones - 1, k, dtype=np.int64)
    z, h = 0, len(out) // columns
    while True:
        for deeper in range(z + 1, zones - 1):
            size = (begins[left[z] + 2] - begins[left[z] + 1]) * columns
            nets[deeper, :size] = nets[z, :size]
            left[deeper] = left[z]
        h -= 1
        begin, m = begins[left[depth] + 1], left[depth]
        for c in range(columns):
            out[h * columns + c] = 0.0
        for nu in range(begins[m + 2] - begin):
            for c in range(columns):
                out[h * columns + c] += laws[begin + nu] * nets[depth, nu * columns + c]
        z = depth
        while z >= 0 and left[z] == 0:
            z -= 1
        if z < 0:
            return
        _one_robot(nets[z], left[z], P[z], up, begins, columns)
        left[z] -= 1


@njit(cache=True, nogil=True, fastmath=SIMD)
def _one_robot(net: FloatArray, m: int, row: FloatArray, up: IndexArray, begins: IntArray, columns: int) -> None:
    """b_ν ← Σ_j row[j] b_{ν + e_j}, in place: ν + e_j never stands before ν. Mutates `net`."""
    for i in range(begins[m + 1] - begins[m]):
        here = up[begins[m] + i]
        for c in range(columns):
            total = row[0] * net[here[0] * columns + c]
            for j in range(1, len(row)):
                total += row[j] * net[here[j] * columns + c]
            net[i * columns + c] = total


@njit(cache=True, nogil=True)
def _walk_up(
    weights: FloatArray, k: int, P: FloatArray, up: IndexArray, begins: IntArray, columns: int, nets: FloatArray
) -> None:
    """`_walk_down` transposed, step by step backwards: adds what `weights` become to nets[0]. Mutates `nets`, zeros."""
    zones = P.shape[0]
    depth = zones - 2
    if zones == 1:
        nets[0] += weights
        return
    laws = _last_zone(k, P[zones - 1], up, begins)
    mu, left = np.zeros(zones - 1, dtype=np.int64), np.zeros(zones - 1, dtype=np.int64)
    mu[0] = k
    for h in range(len(weights) // columns):
        begin, m = begins[left[depth] + 1], left[depth]
        for nu in range(begins[m + 2] - begin):
            for c in range(columns):
                nets[depth, nu * columns + c] += laws[begin + nu] * weights[h * columns + c]
        z = depth
        while z > 0 and mu[z] == 0:  # the nets of zones without a robot are those of the zone before
            size = (begins[left[z] + 2] - begins[left[z] + 1]) * columns
            nets[z - 1, :size] += nets[z, :size]
            nets[z, :size] = 0.0
            z -= 1
        if mu[z] == 0:
            return
        mu[z] -= 1
        left[z] += 1
        _one_robot_back(nets[z], left[z], P[z], up, begins, columns)
        if z < depth:
            mu[z + 1] = left[z]
            left[z + 1 :] = 0


@njit(cache=True, nogil=True)
def _one_robot_back(net: FloatArray, m: int, row: FloatArray, up: IndexArray, begins: IntArray, columns: int) -> None:
    """`_one_robot` transposed, from m − 1 robots to m. Mutates `net`."""
    for i in range(begins[m + 1] - begins[m] - 1, -1, -1):
        here = up[begins[m] + i]
        for c in range(columns):
            value = net[i * columns + c]
            net[i * columns + c] = 0.0
            for j in range(len(row)):
                net[here[j] * columns + c] += row[j] * value
