"""From a sample to the fleet: what every answer counts, and whole counts where a table needs them.

Horvitz and Thompson: the sum of 1[zone of i = z]/π_i over the polled robots has the mean c_z, the robots in zone z.
A belief wants robots, not shares: times k_eff/n, with k_eff = n²/Σ_i 1/π_i the size of the uniform sample that is as
good (Kish), robot i counts

    w_i = (1/π_i) / mean_j(1/π_j),        E Σ_i w_i 1[zone of i = z] = k_eff · c_z/n

over a draw, for any k, 1 included. Equal probabilities give w = 1. Robots that the design never polls are left out of
the mean.
"""

from __future__ import annotations

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray


def reweighted(inclusion: FloatArray) -> FloatArray:
    """w_i of every robot [robot]; 1 for robots that have no chance in the design and answer as replacements."""
    reached = inclusion > 0
    weights = np.ones(len(inclusion))
    chances = inclusion[reached]
    if len(chances) and (chances != chances[0]).any():
        inverse = 1 / chances
        weights[reached] = inverse / inverse.mean()
    return weights


def weighted_shares(zones: IntArray, matters: FloatArray, weights: FloatArray, count: int) -> FloatArray:
    """What matters, by zone: an estimate of M(z) = Σ_i W_i 1[zone of i = z] / Σ_i W_i over the fleet [zone].

    Answer i counts W_i/π_i, over the sum of all answers: in a draw in proportion to W, certain robots included, that
    sum is the same for every sample, so the estimate is Horvitz and Thompson's and has no bias. In other draws, or
    where robots do not answer, it is a ratio of two sums, as `uniform` needs it.

    Args:
        zones: of the robots that answered [answer].
        matters: their W_i [answer].
        weights: what `reweighted` made of their chances [answer], in proportion to 1/π_i.
        count: zones.
    """
    values = matters * weights
    total = float(values.sum())
    return np.bincount(zones, weights=values / (total or 1.0), minlength=count).astype(np.float64)


def rounded(weights: FloatArray, k: int, rng: np.random.Generator) -> IntArray:
    """Counts [zone] of k robots in the proportions of weights [zone], rounded at random without a bias.

    Systematic: with one uniform u, count_z = ⌊C_z + u⌋ − ⌊C_{z−1} + u⌋ for the running sums C; each count is its share
    rounded up or down.
    """
    sums = np.cumsum(weights) * (k / weights.sum())
    sums[-1] = k
    marks = np.floor(sums + rng.random()).astype(np.int64)
    return np.asarray(np.diff(marks, prepend=0))
