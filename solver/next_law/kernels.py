"""Compiled passes over the histograms: permuting rows of values, and combining rows by a triangular kernel.

FloatArray lie flat: `columns` numbers per histogram, histograms in the order of a layout. All kernels release the GIL.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray

from .layouts import IndexArray

TILE = 128  # values of a row that are combined at a time: a tile of all rows stays in the first-level cache

# Sums may be reordered, so that they run in SIMD registers; NaN and infinity keep their meaning.
SIMD = {"reassoc", "contract", "nsz"}


@njit(cache=True)
def binomial_rows(k: int, share: float) -> FloatArray:
    """Probability that of a robots, a − x move: float64 [a, x], x those that stay, 0 ≤ x ≤ a ≤ k."""
    table = np.zeros((k + 1, k + 1))
    table[0, 0] = 1.0
    for a in range(1, k + 1):
        table[a, 0] = share * table[a - 1, 0]
        for x in range(1, a + 1):
            table[a, x] = share * table[a - 1, x] + (1 - share) * table[a - 1, x - 1]
    return table


@njit(cache=True)
def band(kernel: FloatArray, cut: float) -> tuple[IntArray, IntArray]:
    """First and one past the last entry of every row of a kernel that exceeds `cut` in size."""
    size = kernel.shape[0]
    low, high = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    for r in range(size):
        low[r], high[r] = 0, size
        while low[r] < r and abs(kernel[r, low[r]]) <= cut:
            low[r] += 1
        while high[r] > r + 1 and abs(kernel[r, high[r] - 1]) <= cut:
            high[r] -= 1
    return low, high


@njit(cache=True, nogil=True)
def permute(source: FloatArray, index: IndexArray, columns: int, out: FloatArray) -> None:
    """out[i] = source[index[i]], `columns` values each. Overwrites `out`."""
    if columns == 5:  # the paper's number of priorities: a fixed count unrolls
        for i in range(len(index)):
            s, d = index[i] * 5, i * 5
            out[d] = source[s]
            out[d + 1] = source[s + 1]
            out[d + 2] = source[s + 2]
            out[d + 3] = source[s + 3]
            out[d + 4] = source[s + 4]
        return
    for i in range(len(index)):
        s, d = index[i] * columns, i * columns
        for c in range(columns):
            out[d + c] = source[s + c]


@njit(cache=True, nogil=True)
def along_first(
    values: FloatArray,
    k: int,
    begins: IntArray,
    lengths: IntArray,
    columns: int,
    kernel: FloatArray,
    low: IntArray,
    high: IntArray,
) -> None:
    """Combine the rows (x, y) of equal y by kernel[x, x'], in place. Mutates `values`."""
    tile = np.empty((k + 1, TILE))
    sums = np.empty((2, TILE))
    starts = np.empty(k + 1, dtype=np.int64)
    for y in range(k + 1):
        for x in range(k + 1 - y):
            starts[x] = begins[x, y]
        _combine(values, starts, k - y, lengths, columns, kernel, low, high, tile, sums)


@njit(cache=True, nogil=True)
def along_second(
    values: FloatArray,
    k: int,
    begins: IntArray,
    lengths: IntArray,
    columns: int,
    kernel: FloatArray,
    low: IntArray,
    high: IntArray,
) -> None:
    """Combine the rows (x, y) of equal x by kernel[y, y'], in place. Mutates `values`."""
    tile = np.empty((k + 1, TILE))
    sums = np.empty((2, TILE))
    for x in range(k + 1):
        _combine(values, begins[x], k - x, lengths, columns, kernel, low, high, tile, sums)


@njit(cache=True, nogil=True, fastmath=SIMD)
def _combine(
    values: FloatArray,
    starts: IntArray,
    left: int,
    lengths: IntArray,
    columns: int,
    kernel: FloatArray,
    low: IntArray,
    high: IntArray,
    tile: FloatArray,
    sums: FloatArray,
) -> None:
    """row_r ← Σ_q kernel[r, q] row_q over rows r, q = 0…left, row r being lengths[left − r] histograms long.

    Tile by tile; shorter rows are filled up with zeros. Two rows at a time share what they read. Mutates `values`,
    and `tile` and `sums` as scratch.
    """
    upper_sum, lower_sum = sums[0], sums[1]
    for begin in range(0, lengths[left] * columns, TILE):
        rows = 0
        while rows <= left and lengths[left - rows] * columns > begin:
            here = starts[rows] * columns + begin
            width = min(TILE, lengths[left - rows] * columns - begin)
            for x in range(width):
                tile[rows, x] = values[here + x]
            for x in range(width, TILE):
                tile[rows, x] = 0.0
            rows += 1
        width = min(TILE, lengths[left] * columns - begin)
        for r in range(0, rows, 2):
            other = min(r + 1, rows - 1)
            q, last = min(low[r], low[other]), min(max(high[r], high[other]), rows)
            for x in range(width):
                upper_sum[x] = 0.0
                lower_sum[x] = 0.0
            while q + 4 <= last:
                a0, a1, a2, a3 = kernel[r, q], kernel[r, q + 1], kernel[r, q + 2], kernel[r, q + 3]
                b0, b1, b2, b3 = kernel[other, q], kernel[other, q + 1], kernel[other, q + 2], kernel[other, q + 3]
                for x in range(width):
                    t0, t1, t2, t3 = tile[q, x], tile[q + 1, x], tile[q + 2, x], tile[q + 3, x]
                    upper_sum[x] += a0 * t0 + a1 * t1 + a2 * t2 + a3 * t3
                    lower_sum[x] += b0 * t0 + b1 * t1 + b2 * t2 + b3 * t3
                q += 4
            while q < last:
                a0, b0 = kernel[r, q], kernel[other, q]
                for x in range(width):
                    upper_sum[x] += a0 * tile[q, x]
                    lower_sum[x] += b0 * tile[q, x]
                q += 1
            here = starts[r] * columns + begin
            for x in range(min(width, lengths[left - r] * columns - begin)):
                values[here + x] = upper_sum[x]
            if other != r:
                here = starts[other] * columns + begin
                for x in range(min(width, lengths[left - other] * columns - begin)):
                    values[here + x] = lower_sum[x]
