"""Compiled steps of a fleet known by its counts (math.md §6).

All randomness comes from numpy `Generator`s that the caller passes in. Binomials are numpy's own (BTPE: exact, at a
cost that does not grow with the number of robots).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray


@njit(cache=True, nogil=True)
def poll(counts: IntArray, k: int, rng: np.random.Generator, sample: IntArray, left: IntArray) -> None:
    """Draw k robots of `counts` [zone] without replacement. Mutates `sample` [zone], `left` [zone] and `rng`.

    One uniform number per robot drawn, or per robot left out when that is fewer: always min(k, n − k), so that
    streams of two rules stay in step. A zone's chance is right to n/2⁵³.
    """
    zones = counts.shape[0]
    total = 0
    for z in range(zones):
        left[z] = counts[z]
        sample[z] = 0
        total += counts[z]
    draws = min(k, total - k)
    for _ in range(draws):
        pick = min(int(rng.random() * total), total - 1)
        z = 0
        while pick >= left[z]:
            pick -= left[z]
            z += 1
        left[z] -= 1
        sample[z] += 1
        total -= 1
    if draws < k:  # those drawn were the ones left out
        for z in range(zones):
            sample[z] = left[z]


@njit(cache=True, nogil=True)
def scatter(count: int, law: FloatArray, rng: np.random.Generator, out: IntArray) -> None:
    """Add a multinomial draw of `count` robots over `law` to `out`. Mutates `out` and `rng`.

    Conditional binomials; an impossible place stays empty whatever the rounding.
    """
    last = law.shape[0] - 1
    while last > 0 and law[last] <= 0.0:
        last -= 1
    mass = 1.0
    for j in range(last):
        if count == 0:
            return
        chance = law[j]
        if chance > 0.0:
            drawn = count if chance >= mass else rng.binomial(count, chance / mass)
            out[j] += drawn
            count -= drawn
            mass -= chance
    out[last] += count


@njit(cache=True, nogil=True)
def step(
    counts: IntArray,
    s: int,
    policy: FloatArray,
    P_l: FloatArray,
    r_l: FloatArray,
    rng: np.random.Generator,
    moved: IntArray,
    after: IntArray,
) -> float:
    """One tick of all robots under priority s; returns the sum of their rewards.

    Mutates `after` [zone] (the counts one tick later), `moved` [move] (scratch) and `rng`.
    """
    zones, moves = r_l.shape[0], r_l.shape[2]
    after[:] = 0
    reward = 0.0
    for z in range(zones):
        if counts[z] == 0:
            continue
        moved[:] = 0
        scatter(counts[z], policy[z, s], rng, moved)
        for a in range(moves):
            if moved[a] > 0:
                reward += moved[a] * r_l[z, s, a]
                scatter(moved[a], P_l[z, s, a], rng, after)
    return reward


@njit(cache=True, nogil=True)
def steer(sums: FloatArray, rng: np.random.Generator) -> int:
    """The next priority by the cumulative sums [s_g'] of its law: one uniform number. Mutates `rng`."""
    last = sums.shape[0] - 1
    level = rng.random() * sums[last]
    new = 0
    while new < last and level >= sums[new]:
        new += 1
    return new


@njit(cache=True, nogil=True)
def roll(
    counts: IntArray,
    priority: IntArray,
    k: int,
    table: IntArray,
    ranks: IntArray,
    policy: FloatArray,
    P_l: FloatArray,
    r_l: FloatArray,
    steering: FloatArray,
    r_g: FloatArray,
    weights: FloatArray,
    poller: np.random.Generator,
    mover: np.random.Generator,
    steerer: np.random.Generator,
    returns: FloatArray,
    visits: IntArray,
    stride: int,
) -> None:
    """Roll every fleet of `counts` [rollout, zone], `priority` [rollout] out under a dispatch table [s_g, h].

    `ranks` is `counting_table(k, zones)`; `steering` [s_g, a_g, s_g'] holds cumulative sums of P_g.
    Rollouts are as long as `weights` [tick].
    Mutates `counts` and `priority` (the states after the last tick), `returns` [rollout] (Σ weight·r), the generators
    and `visits` [rollout, slot, 1 + zone] (s_g and counts before every `stride`-th tick, while there is room).
    """
    zones = counts.shape[1]
    sample, left = np.zeros(zones, np.int64), np.zeros(zones, np.int64)
    moved, after = np.zeros(r_l.shape[2], np.int64), np.zeros(zones, np.int64)
    for i in range(counts.shape[0]):
        fleet, s = counts[i], priority[i]
        n = fleet.sum()
        total = 0.0
        for t in range(len(weights)):
            if t % stride == 0 and t // stride < visits.shape[1]:
                visits[i, t // stride, 0] = s
                visits[i, t // stride, 1:] = fleet
            poll(fleet, k, poller, sample, left)
            rest, h = k, 0
            for z in range(zones - 1):
                rest -= sample[z]
                h += ranks[rest, zones - z]
            a = table[s, h]
            total += weights[t] * (r_g[s, a] + step(fleet, s, policy, P_l, r_l, mover, moved, after) / n)
            fleet[:] = after
            s = steer(steering[s, a], steerer)
        priority[i] = s
        returns[i] = total
