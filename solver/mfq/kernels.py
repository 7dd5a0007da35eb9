"""Compiled backups over joint plans of k robots.

A plan ξ says how many of the k robots are in each zone and make each move. Plans are enumerated depth first, robot by
robot with moves in ascending order, so that E[V(t, μ')] of all plans costs one averaging per robot added: de
Casteljau's recursion, W(ξ + e_i, ν) = Σ_z' P[i, z'] W(ξ, ν + e_z'), ν a histogram of the robots still to be chosen.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray

from ..sampled.kernels import pick, scatter

TIE = 1e-12  # relative: of plans this close the first is taken, so that policies are reproducible


@njit(cache=True, nogil=True)
def exact_backup(
    values: FloatArray,
    zone: IntArray,
    law: FloatArray,
    pay: FloatArray,
    effort: FloatArray,
    squeeze: FloatArray,
    dispatch_reward: FloatArray,
    steering: FloatArray,
    discount: float,
    up: IntArray,
    offsets: IntArray,
    ranks: IntArray,
    k: int,
    best: FloatArray,
    dispatch: IntArray,
    plan: IntArray,
) -> None:
    """The best joint plan of every histogram under one s_g. Overwrites `best` [h], `dispatch` [h], `plan` [h, type].

    Args:
        values: V of k robots, [h, s_g'].
        zone, law, pay, effort: of every type (zone, move): its zone, [type, z'] law, reward, effort.
        squeeze: target, width, scale.
        dispatch_reward, steering: r_g [a_g] and P_g [a_g, s_g'] of this s_g.
        up: rank of ν + e_z [row, z]; rows of histograms of m robots begin at offsets[m].
        ranks: `counting_table(k, zones)`.
    """
    types, zones = law.shape
    priorities = values.shape[1]
    # W of the robots still open: rows as in `up`; level j holds histograms of k − j robots.
    work = np.zeros((offsets[k + 1], priorities))
    work[offsets[k] : offsets[k + 1]] = values
    chosen = np.full(best.shape[0], -np.inf)
    counts, moves = np.zeros(zones, np.int64), np.zeros(types, np.int64)
    sequence = np.full(k + 1, -1, np.int64)
    best[:] = -np.inf
    level = 0
    while level >= 0:
        if sequence[level] >= 0:  # take the last choice of this level back
            i = sequence[level]
            counts[zone[i]] -= 1
            moves[i] -= 1
        i = sequence[level] + 1 if sequence[level] >= 0 else (0 if level == 0 else sequence[level - 1])
        if i >= types:
            sequence[level] = -1
            level -= 1
            continue
        sequence[level] = i
        counts[zone[i]] += 1
        moves[i] += 1
        _average(work, law[i], up, offsets[k - level - 1], offsets[k - level])
        if level < k - 1:
            level += 1
            continue
        fleet = _fleet_reward(moves, pay, effort, squeeze, k)
        a, total = _best_dispatch(work[0], dispatch_reward, steering, discount)
        _keep(total + fleet, a, rank_of(counts, ranks, k), moves, best, chosen, dispatch, plan)


@njit(cache=True, nogil=True)
def sampled_backup(
    values: FloatArray,
    zone: IntArray,
    law: FloatArray,
    pay: FloatArray,
    effort: FloatArray,
    squeeze: FloatArray,
    dispatch_reward: FloatArray,
    cumulative: FloatArray,
    discount: float,
    ranks: IntArray,
    k: int,
    samples: int,
    seed: int,
    best: FloatArray,
    dispatch: IntArray,
    plan: IntArray,
) -> None:
    """`exact_backup` by the empirical operator: `samples` draws of (s_g', μ') for every plan and dispatch.

    `cumulative` holds sums of P_g [a_g, s_g'].
    """
    types, zones = law.shape
    chosen = np.full(best.shape[0], -np.inf)
    counts, after = np.zeros(zones, np.int64), np.zeros(zones, np.int64)
    moves = np.zeros(types, np.int64)
    sequence = np.zeros(k, np.int64)  # the robots' types, ascending
    np.random.seed(seed)
    best[:] = -np.inf
    while True:
        counts[:] = 0
        moves[:] = 0
        for j in range(k):
            counts[zone[sequence[j]]] += 1
            moves[sequence[j]] += 1
        fleet = _fleet_reward(moves, pay, effort, squeeze, k)
        h = rank_of(counts, ranks, k)
        for a in range(len(dispatch_reward)):
            total = 0.0
            for _ in range(samples):
                after[:] = 0
                scatter(moves, law, after)
                total += values[rank_of(after, ranks, k), pick(cumulative[a])]
            value = dispatch_reward[a] + fleet + discount * total / samples
            _keep(value, a, h, moves, best, chosen, dispatch, plan)
        j = k - 1
        while j >= 0 and sequence[j] == types - 1:
            j -= 1
        if j < 0:
            return
        sequence[j:] = sequence[j] + 1


@njit(cache=True, nogil=True)
def _average(work: FloatArray, law: FloatArray, up: IntArray, begin: int, end: int) -> None:
    """work[row] = Σ_z law[z] · work[end + up[row, z]] for rows from `begin` to `end`. Mutates `work`."""
    zones, priorities = len(law), work.shape[1]
    for row in range(begin, end):
        for t in range(priorities):
            work[row, t] = 0.0
        for z in range(zones):
            chance = law[z]
            if chance > 0.0:
                source = end + up[row, z]
                for t in range(priorities):
                    work[row, t] += chance * work[source, t]


@njit(cache=True, nogil=True)
def _fleet_reward(moves: IntArray, pay: FloatArray, effort: FloatArray, squeeze: FloatArray, k: int) -> float:
    """Mean pay of the k robots and what their mean effort earns."""
    paid, spent = 0.0, 0.0
    for i in range(len(moves)):
        paid += moves[i] * pay[i]
        spent += moves[i] * effort[i]
    return paid / k + squeezed(spent / k, squeeze)


@njit(cache=True, nogil=True)
def squeezed(x: float, squeeze: FloatArray) -> float:
    """c · x·exp(−(x − m)²/σ²) of a squeeze (m, σ, c)."""
    return float(squeeze[2] * x * np.exp(-(((x - squeeze[0]) / squeeze[1]) ** 2)))


@njit(cache=True, nogil=True)
def _best_dispatch(
    ahead: FloatArray, dispatch_reward: FloatArray, steering: FloatArray, discount: float
) -> tuple[int, float]:
    """The first best a_g and r_g + γ Σ_s' P_g[a_g, s'] ahead[s']."""
    best, found = -np.inf, 0
    for a in range(len(dispatch_reward)):
        total = 0.0
        for t in range(len(ahead)):
            total += steering[a, t] * ahead[t]
        total = dispatch_reward[a] + discount * total
        if total > best + TIE * max(1.0, abs(best)) or a == 0:
            best, found = total, a
    return found, best


@njit(cache=True, nogil=True)
def _keep(
    value: float,
    a: int,
    h: int,
    moves: IntArray,
    best: FloatArray,
    chosen: FloatArray,
    dispatch: IntArray,
    plan: IntArray,
) -> None:
    """Take a plan that is better than those before it. Mutates `best`, `chosen`, `dispatch`, `plan` at h."""
    if value > best[h]:
        best[h] = value
    if chosen[h] == -np.inf or value > chosen[h] + TIE * max(1.0, abs(chosen[h])):
        chosen[h] = value
        dispatch[h] = a
        plan[h] = moves


@njit(cache=True, nogil=True)
def rank_of(counts: IntArray, ranks: IntArray, k: int) -> int:
    """Index of a histogram of k robots."""
    left, index, zones = k, 0, len(counts)
    for z in range(zones - 1):
        left -= counts[z]
        index += ranks[left, zones - z]
    return index
