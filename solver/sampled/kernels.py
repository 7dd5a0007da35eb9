"""Kernels of the sampled backup: the mean of V at m draws of the next state, for every (s_g, state, a_g).

Every state seeds its own stream, so results do not depend on the number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from meanfleet.base.arrays import FloatArray, IntArray


@njit(cache=True, parallel=True)
def histogram_futures(
    values: FloatArray,
    histograms: IntArray,
    tilde: FloatArray,
    cumulative: FloatArray,
    ranks: IntArray,
    samples: int,
    seed: int,
    future: FloatArray,
) -> None:
    """Fill future[s_g, h, a_g] with the mean of V at `samples` draws of (s_g', μ'). Mutates `future` only."""
    priorities, size, dispatches = future.shape
    zones = histograms.shape[1]
    for h in prange(size):
        np.random.seed((seed + h * 2654435761) % 4294967291)
        after = np.zeros(zones, dtype=np.int64)
        for s in range(priorities):
            for a in range(dispatches):
                total = 0.0
                for _ in range(samples):
                    after[:] = 0
                    scatter(histograms[h], tilde[s], after)
                    t = pick(cumulative[s, a])
                    left, index = after.sum(), 0
                    for z in range(zones - 1):
                        left -= after[z]
                        index += ranks[left, zones - z]
                    total += values[t, index]
                future[s, h, a] = total / samples


@njit(cache=True, parallel=True)
def tuple_futures(
    values: FloatArray,
    tuples: IntArray,
    tilde: FloatArray,
    cumulative: FloatArray,
    samples: int,
    seed: int,
    future: FloatArray,
) -> None:
    """Fill future[s_g, tuple, a_g] with the mean of V at `samples` draws of (s_g', z'). Mutates `future` only.

    `tilde` holds cumulative rows of P̃ [s_g, z, z'].
    """
    priorities, size, dispatches = future.shape
    k, zones = tuples.shape[1], tilde.shape[1]
    for i in prange(size):
        np.random.seed((seed + i * 2654435761) % 4294967291)
        for s in range(priorities):
            for a in range(dispatches):
                total = 0.0
                for _ in range(samples):
                    index = 0
                    for robot in range(k):
                        index = index * zones + pick(tilde[s, tuples[i, robot]])
                    total += values[pick(cumulative[s, a]), index]
                future[s, i, a] = total / samples


@njit(cache=True)
def pick(cumulative: FloatArray) -> int:
    """One index by its cumulative probabilities. Advances numba's random state only."""
    index = 0
    draw = np.random.random()
    while index < len(cumulative) - 1 and draw >= cumulative[index]:
        index += 1
    return index


@njit(cache=True)
def scatter(counts: IntArray, P: FloatArray, after: IntArray) -> None:
    """Add to `after` one multinomial draw per zone: where the robots of `counts` go under P. Mutates `after`."""
    zones = len(counts)
    for z in range(zones):
        left, mass = counts[z], 1.0
        for j in range(P.shape[1] - 1):
            if left == 0:
                break
            share = 1.0 if P[z, j] >= mass else P[z, j] / mass  # rounding can take the ratio above 1
            moved = np.random.binomial(left, share)
            after[j] += moved
            left -= moved
            mass -= P[z, j]
        after[P.shape[1] - 1] += left
