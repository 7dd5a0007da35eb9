"""Symmetric powers as products of binomial thinnings (MATH §3).

A move M(i→j, c) sends each robot of zone i to zone j with probability c. Its symmetric power acts along lines of
histograms that differ in the split of μ_i + μ_j only:

    (Sym^k M(i→j, c) f)(μ) = Σ_b C(μ_i, b) c^b (1−c)^{μ_i−b} f(μ − b·e_i + b·e_j)

Gauss–Jordan elimination writes a transition matrix with non-zero pivots as a product of such moves, so E[f(μ')] costs
one pass over the histograms per move and no matrix. With every c in [0, 1] each pass is an average and nothing is lost.
Outside of it signs alternate; Π (|c| + |1−c|)^k bounds by how much rounding errors can grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..game import FloatArray
from ..histograms import enumerate_histograms

IntArray = NDArray[np.int64]
PIVOT = 1e-6  # smaller pivots are taken for zero
LOSS = 1e-10  # accepted rounding error, relative to the size of f


@dataclass(frozen=True)
class Move:
    """Every robot of zone `source` goes to zone `target` with probability `share`, independently."""

    source: int
    target: int
    share: float


def factorise(P: FloatArray) -> tuple[Move, ...] | None:
    """Moves whose product, left to right, is P [z, z']; None where a pivot or a divisor 1 − c vanishes."""
    rest = np.array(P, dtype=np.float64)
    moves = []
    for j in range(len(rest)):
        if abs(rest[j, j]) < PIVOT:
            return None
        for i in range(len(rest)):
            share = rest[i, j] / rest[j, j]
            if i == j or share == 0.0:
                continue
            if abs(1 - share) < PIVOT:
                return None
            rest[i] = (rest[i] - share * rest[j]) / (1 - share)
            rest[i, j] = 0.0
            moves.append(Move(i, j, float(share)))
    return tuple(moves)


def error_bound(moves: tuple[Move, ...], k: int) -> float:
    """Bound of the rounding error of the product on k robots, relative to max |f|."""
    growth = sum(k * np.log(abs(move.share) + abs(1 - move.share)) for move in moves)
    return float(np.finfo(np.float64).eps * (1 + len(moves)) * np.exp(min(growth, 600.0)))


@lru_cache(maxsize=256)
def lines(k: int, zones: int, source: int, target: int) -> tuple[NDArray[np.int32], IntArray]:
    """Histograms along which a move acts, line after line with μ_source ascending, and where each line begins.

    Returns:
        order: int32 [histogram]; begins: int64 [line + 1].
    """
    mu = enumerate_histograms(k, zones)
    others = [z for z in range(zones) if z not in (source, target)]
    order = np.lexsort([mu[:, source], *(mu[:, z] for z in others)])
    fixed = mu[order][:, others]
    new = np.flatnonzero(np.any(np.diff(fixed, axis=0) != 0, axis=1)) + 1
    return order.astype(np.int32), np.concatenate([[0], new, [len(order)]]).astype(np.int64)


@dataclass(frozen=True)
class ThinningLaw:
    """The law of the next histogram of k robots under a factorised P; see `next_law.NextLaw`."""

    k: int
    zones: int
    moves: tuple[Move, ...]

    def expect(self, values: FloatArray) -> FloatArray:
        """E[f(μ') | μ] for columns of f [h, column]."""
        here = np.array(values, dtype=np.float64, order="C")
        there = np.empty_like(here)
        for move in reversed(self.moves):
            kernel = _binomial(self.k, move.share)
            _along_lines(here, *lines(self.k, self.zones, move.source, move.target), kernel, False, there)
            here, there = there, here
        return here

    def push(self, weights: FloatArray) -> FloatArray:
        """Σ_μ w(μ) P(μ' | μ) for columns of weights [h, column]: the transpose of `expect`."""
        here = np.array(weights, dtype=np.float64, order="C")
        there = np.empty_like(here)
        for move in self.moves:
            kernel = np.ascontiguousarray(_binomial(self.k, move.share).T)
            _along_lines(here, *lines(self.k, self.zones, move.source, move.target), kernel, True, there)
            here, there = there, here
        return here


@njit(cache=True)
def _binomial(k: int, share: float) -> FloatArray:
    """Probability that of a robots, a − x move: float64 [a, x], x those that stay, 0 ≤ x ≤ a ≤ k."""
    table = np.zeros((k + 1, k + 1))
    table[0, 0] = 1.0
    for a in range(1, k + 1):
        table[a, 0] = share * table[a - 1, 0]
        for x in range(1, a + 1):
            table[a, x] = share * table[a - 1, x] + (1 - share) * table[a - 1, x - 1]
    return table


# Sums may be reordered, so that they run in SIMD registers; NaN and infinity keep their meaning.
@njit(cache=True, fastmath={"reassoc", "contract", "nsz"})
def _along_lines(
    values: FloatArray,
    order: NDArray[np.int32],
    begins: IntArray,
    kernel: FloatArray,
    upper: bool,
    out: FloatArray,
) -> None:
    """Multiply the values on every line by a triangular kernel, for every column. Overwrites `out` only.

    out[x] = Σ_y kernel[x, y] values[y] over y ≤ x (lower) or y ≥ x (upper), x and y positions on the line.
    """
    columns = values.shape[1]
    work = np.empty((columns, kernel.shape[0]))
    for line in range(len(begins) - 1):
        begin = begins[line]
        length = begins[line + 1] - begin
        for x in range(length):
            mu = order[begin + x]
            for column in range(columns):
                work[column, x] = values[mu, column]
        for x in range(length):
            mu = order[begin + x]
            for column in range(columns):
                total = 0.0
                if upper:  # two loops with plain bounds: only those become SIMD code
                    for y in range(x, length):
                        total += kernel[x, y] * work[column, y]
                else:
                    for y in range(x + 1):
                        total += kernel[x, y] * work[column, y]
                out[mu, column] = total
