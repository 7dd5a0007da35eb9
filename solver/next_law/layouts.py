"""Orders of the histograms in which thinning runs along contiguous memory (math.md §3).

Thinning into zone j leaves the other zones' counts as free coordinates; μ_j is what remains of k. Of these, two lead:
the layout (j; p, q) sorts histograms by μ_p, then μ_q, then by the total of the rest, then the rest itself. A row, the
histograms with one (μ_p, μ_q), is then contiguous, and as the rest is graded by its total, the row of a larger μ_p or
μ_q is a prefix of that of a smaller one. So a move out of p or q into j is a triangular combination of whole rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import comb

import numpy as np
from numba import njit
from numpy.typing import NDArray

from meanfleet.base.arrays import IntArray

from ..histograms import count_histograms, counting_table, enumerate_histograms, rank

IndexArray = NDArray[np.int32]


@dataclass(frozen=True)
class Layout:
    """The order (implied; first, second) of the histograms of k robots over at least 3 zones."""

    k: int
    zones: int
    implied: int
    first: int
    second: int

    @property
    def rows(self) -> tuple[IntArray, IntArray]:
        """Where row (μ_first, μ_second) begins [x, y], and the length of a row by the robots left for the rest [m]."""
        return _rows(self.k, self.zones - 3)

    def positions(self) -> IndexArray:
        """Position of every histogram, by its index in the order of `histograms`."""
        return _positions_of(self)


@lru_cache(maxsize=64)
def passes(zones: int, target: int) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
    """Two leaders for every pass into `target`, and those of them that move: each other zone moves once."""
    others = [z for z in range(zones) if z != target]
    pairs: list[tuple[int, int, tuple[int, ...]]] = []
    pairs += [(p, q, (p, q)) for p, q in zip(others[::2], others[1::2], strict=False)]
    if len(others) % 2:
        pairs.append((others[-1], others[0], (others[-1],)))
    return tuple(pairs)


@lru_cache(maxsize=512)
def gathering(before: Layout | None, after: Layout | None, k: int, zones: int) -> IndexArray:
    """Index in layout `before` of each position in layout `after`; None is the order of `histograms`. Read-only."""
    index = np.arange(count_histograms(k, zones), dtype=np.int32)
    source = index if before is None else before.positions()
    if after is None:
        return source
    result = np.empty_like(index)
    result[after.positions()] = source
    result.setflags(write=False)
    return result


@lru_cache(maxsize=64)
def relabelling(k: int, zones: int, relabelled: tuple[int, ...]) -> IndexArray:
    """Index of the histogram ν with ν[relabelled[z]] = μ[z], for every histogram μ. Read-only."""
    mu = enumerate_histograms(k, zones)
    nu = np.empty_like(mu)
    nu[:, list(relabelled)] = mu
    index = rank(nu).astype(np.int32)
    index.setflags(write=False)
    return index


@lru_cache(maxsize=64)
def _rows(k: int, rest: int) -> tuple[IntArray, IntArray]:
    lengths = np.array([comb(m + rest, rest) for m in range(k + 1)], dtype=np.int64)
    begins = np.zeros((k + 1, k + 1), dtype=np.int64)
    position = 0
    for x in range(k + 1):
        for y in range(k + 1 - x):
            begins[x, y] = position
            position += lengths[k - x - y]
    return begins, lengths


@lru_cache(maxsize=128)
def _positions_of(layout: Layout) -> IndexArray:
    rest = [z for z in range(layout.zones) if z not in (layout.implied, layout.first, layout.second)]
    columns = np.array([layout.first, layout.second, *rest], dtype=np.int64)
    mu = np.ascontiguousarray(enumerate_histograms(layout.k, layout.zones)[:, columns])
    positions = np.empty(len(mu), dtype=np.int32)
    _fill_positions(mu, layout.rows[0], counting_table(layout.k, layout.zones), positions)
    positions.setflags(write=False)
    return positions


@njit(cache=True)
def _fill_positions(mu: IntArray, begins: IntArray, table: IntArray, positions: IndexArray) -> None:
    """Positions of histograms given as (μ_first, μ_second, rest…). Fills `positions`.

    table[m, s] counts the histograms of m − 1 robots over s zones, or of fewer than m over s − 1.
    """
    rest = mu.shape[1] - 2
    for h in range(mu.shape[0]):
        total = 0
        for z in range(2, 2 + rest):
            total += mu[h, z]
        position = begins[mu[h, 0], mu[h, 1]]
        if rest > 0:
            position += table[total, rest + 1]  # all rests with a smaller total
        left = total
        for z in range(2, 1 + rest):  # lexicographic among those with the same total, largest first
            left -= mu[h, z]
            position += table[left, 2 + rest - z]
        positions[h] = position
