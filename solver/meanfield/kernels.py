"""Compiled parts of the backup; all are pure functions of arrays that fill what they are given."""

from __future__ import annotations

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray


@njit(cache=True, nogil=True)
def best_per_state(scores: FloatArray, begins: IntArray, best: FloatArray, which: IntArray) -> None:
    """best[b, s] = max of scores[b, begins[s]:begins[s + 1]], and where. Overwrites `best` and `which`."""
    for b in range(scores.shape[0]):
        for s in range(len(begins) - 1):
            top, at = scores[b, begins[s]], begins[s]
            for g in range(begins[s] + 1, begins[s + 1]):
                if scores[b, g] > top:
                    top, at = scores[b, g], g
            best[b, s], which[b, s] = top, at


@njit(cache=True, nogil=True)
def best_dispatch(
    best: FloatArray,
    factor: float,
    dispatch_reward: FloatArray,
    row_of: IntArray,
    row_next: IntArray,
    row_weight: FloatArray,
    out: IntArray,
) -> None:
    """out[b] = argmax_a r_g[a] + factor · Σ_s' P_g[a, s'] best[b, s'], the first of equals. Overwrites `out`.

    `dispatch_reward` and `row_of` are those of one global state.
    """
    for b in range(best.shape[0]):
        top = -np.inf
        for a in range(len(row_of)):
            row, ahead = row_of[a], 0.0
            for e in range(row_next.shape[1]):
                ahead += row_weight[row, e] * best[b, row_next[row, e]]
            total = dispatch_reward[a] + factor * ahead
            if total > top:
                top, out[b] = total, a


@njit(cache=True, nogil=True)
def successors(dispatch: IntArray, which: IntArray, row_of: IntArray, row_next: IntArray, out: IntArray) -> None:
    """out[b, e] = the vector that is followed at the e-th end of the dispatch's law. Overwrites `out`."""
    for b in range(len(dispatch)):
        row = row_of[dispatch[b]]
        for e in range(row_next.shape[1]):
            out[b, e] = which[b, row_next[row, e]]


@njit(cache=True, nogil=True)
def mixed(rows: IntArray, row_weight: FloatArray, follow: IntArray, vectors: FloatArray, out: FloatArray) -> None:
    """out[b] = Σ_e row_weight[rows[b], e] · vectors[follow[b, e]]. Overwrites `out`."""
    for b in range(len(rows)):
        out[b] = 0.0
        for e in range(row_weight.shape[1]):
            weight = row_weight[rows[b], e]
            if weight > 0:
                for z in range(vectors.shape[1]):
                    out[b, z] += weight * vectors[follow[b, e], z]


@njit(cache=True, nogil=True)
def cover(scores: FloatArray, slack: float, chosen: IntArray, witness: IntArray) -> int:
    """Few columns such that in every row one of them is within `slack` of the best; how many.

    Rows take the best column unless an earlier row's is as good. Overwrites the first entries of `chosen`, with columns
    in the order found, and of `witness`, with the rows that asked for them.
    """
    found = 0
    for row in range(scores.shape[0]):
        at = 0
        for column in range(1, scores.shape[1]):
            if scores[row, column] > scores[row, at]:
                at = column
        served = False
        for i in range(found):
            if scores[row, chosen[i]] >= scores[row, at] - slack:
                served = True
                break
        if not served:
            chosen[found], witness[found] = at, row
            found += 1
    return found
