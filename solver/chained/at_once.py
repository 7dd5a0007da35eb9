"""Robots that see the full state and choose all their moves before any of them moves: the tighter relaxation.

A robot in zone z that makes the move a is of type (z, a). The multiset of the k types fixes μ and the joint action, and
with f(h) = γ Σ_s' P_g(s'|s_g, a_g) V(s', h) the expectation of f after the moves comes robot by robot (de Casteljau):

    b_0 = f on histograms of k robots        b_{d+1}(ν) = Σ_z' P_l(z'|z, s_g, a) b_d(ν + e_z')        b_k = E f

All multisets are walked depth first, so that those with the same first types share work; every μ keeps its best.
`mfq.kernels.exact_backup` walks the same way, but at every leaf it keeps the plan, chooses the dispatch and pays a
squeeze: in this one's place it gives the same values three to eleven times slower, and certificates wait for them.
The walk grows with C(k + |S_l||A_l| − 1, k): for few robots.
"""

from __future__ import annotations

from math import comb

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray

from ..game import Game
from ..histograms import count_histograms
from .levels import levels


def at_once_values(game: Game, k: int) -> int:
    """Values b of one walk: Σ_d (multisets of d types) · (histograms of k − d robots)."""
    types = int(game.allowed.sum())
    return sum(comb(d + types - 1, d) * count_histograms(k - d, game.zones) for d in range(1, k + 1))


def at_once(game: Game, k: int, values: FloatArray, s: int, a: int) -> FloatArray:
    """r_g(s, a) + the best expectation over joint actions of k robots, for every μ [h]; values are V [s', h]."""
    tables = levels(k, game.zones)
    after = game.discount * (game.P_g[s, a] @ values)
    zones, moves = np.nonzero(game.allowed)  # a move that a zone does not have is as its move 0: it adds nothing
    P, reward = game.P_l[zones, s, moves], game.r_l[zones, s, moves] / k
    best = _walk(after, tables.up, tables.begin, tables.size, zones, P, reward, k)
    return np.asarray(game.r_g[s, a] + best)


@njit(cache=True)
def _walk(
    after: FloatArray,
    up: IntArray,
    begin: IntArray,
    size: IntArray,
    zone: IntArray,
    P: FloatArray,
    reward: FloatArray,
    k: int,
) -> FloatArray:
    """Best of Σ reward + E after(h) over joint actions, for every histogram of k robots. Mutates nothing.

    zone [type], P [type, z'] and reward [type] are those of one robot under the slice's s_g.
    """
    best = np.full(size[k], -np.inf)
    b = np.zeros((k + 1, size[k]))
    b[0] = after
    earned = np.zeros(k + 1)
    mu = np.zeros(k + 1, dtype=np.int64)  # index of the histogram of the first d types
    kind = np.full(k + 1, -1, dtype=np.int64)  # type of robot d, −1 before its first
    depth = 0
    while depth >= 0:
        kind[depth] += 1
        if kind[depth] == len(zone):
            depth -= 1
            continue
        of = kind[depth]
        left = k - depth - 1
        for nu in range(size[left]):
            total = 0.0
            for j in range(P.shape[1]):
                total += P[of, j] * b[depth, up[begin[left] + nu, j]]
            b[depth + 1, nu] = total
        earned[depth + 1] = earned[depth] + reward[of]
        mu[depth + 1] = up[begin[depth] + mu[depth], zone[of]]
        if depth + 1 == k:
            best[mu[k]] = max(best[mu[k]], earned[k] + b[k, 0])
        else:
            kind[depth + 1] = kind[depth] - 1  # types in ascending order: every multiset once
            depth += 1
    return best
