"""Compiled parts of the drift of a dispatcher and k robots that learn (see `fleet`)."""

from __future__ import annotations

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray


@njit(cache=True, nogil=True)
def next_histograms(tilde: FloatArray, first: IntArray, fewer: IntArray, more: IntArray, law: FloatArray) -> None:
    """Law of the next histogram of m robots from that of m − 1: one robot of the first occupied zone moves by itself.

    Args:
        tilde: P̃ [z, z'] under one s_g.
        first: first occupied zone of every histogram of m robots [h].
        fewer: index of the histogram without that robot among those of m − 1 robots [h].
        more: index with one robot more in zone z [h of m − 1, z].
        law: two squares [2, h, h'], law[0, h, h'] that of m − 1 robots; law[1] is overwritten with that of m.
    """
    zones = tilde.shape[0]
    law[1, : first.shape[0]] = 0.0
    for h in range(first.shape[0]):
        for g in range(more.shape[0]):
            chance = law[0, fewer[h], g]
            if chance > 0.0:
                for z in range(zones):
                    law[1, h, more[g, z]] += tilde[first[h], z] * chance


@njit(cache=True, nogil=True)
def steering(policy: FloatArray, P_g: FloatArray, out: FloatArray) -> None:
    """out[s, h, s'] = Σ_a π_g(a|s, h) P_g[s, a, s']. Overwrites `out`; `policy` is [s, h, a]."""
    out[:] = 0.0
    for s in range(policy.shape[0]):
        for h in range(policy.shape[1]):
            for a in range(policy.shape[2]):
                for t in range(P_g.shape[2]):
                    out[s, h, t] += policy[s, h, a] * P_g[s, a, t]


@njit(cache=True, nogil=True)
def chain(moves: FloatArray, steered: FloatArray, out: FloatArray) -> None:
    """out[(s, h), (s', h')] = steered[s, h, s'] · moves[s, h, h']. Overwrites `out`."""
    priorities, size = steered.shape[0], steered.shape[1]
    for s in range(priorities):
        for h in range(size):
            for t in range(priorities):
                for g in range(size):
                    out[s * size + h, t * size + g] = steered[s, h, t] * moves[s, h, g]


@njit(cache=True, nogil=True)
def dispatcher_targets(
    law: FloatArray,
    moves: FloatArray,
    values: FloatArray,
    fleet_reward: FloatArray,
    P_g: FloatArray,
    r_g: FloatArray,
    discount: float,
    target: FloatArray,
) -> None:
    """target[s, h, a] = ρ(s, h) (r + γ Σ P_g(s'|s, a) E[v(s', h')]). Overwrites `target`; `values` is v [s', h']."""
    priorities, size = law.shape
    ahead = np.zeros(priorities)
    for s in range(priorities):
        for h in range(size):
            ahead[:] = 0.0
            for t in range(priorities):
                for g in range(size):
                    ahead[t] += moves[s, h, g] * values[t, g]
            for a in range(P_g.shape[1]):
                total = 0.0
                for t in range(priorities):
                    total += P_g[s, a, t] * ahead[t]
                target[s, h, a] = law[s, h] * (r_g[s, a] + fleet_reward[s, h] + discount * total)


@njit(cache=True, nogil=True)
def robot_targets(
    law: FloatArray,
    histograms: IntArray,
    policy: FloatArray,
    steered: FloatArray,
    values: FloatArray,
    tilde_reward: FloatArray,
    fleet_reward: FloatArray,
    P_l: FloatArray,
    r_g: FloatArray,
    r_l: FloatArray,
    discount: float,
    common: bool,
    occupancy: FloatArray,
    target: FloatArray,
) -> None:
    """Occupancy [z, s] and target [z, s, a] of one of the k robots. Overwrites both; `values` is v [z', s'].

    Under `common` a robot earns what the game pays: r_g plus the mean of all robots; otherwise its own r_l.
    """
    priorities, size = law.shape
    zones, moves = r_l.shape[0], r_l.shape[2]
    k = histograms[0].sum()
    occupancy[:] = 0.0
    target[:] = 0.0
    ahead = np.zeros(zones)
    for s in range(priorities):
        for h in range(size):
            for w in range(zones):
                ahead[w] = 0.0
                for t in range(priorities):
                    ahead[w] += steered[s, h, t] * values[w, t]
            paid = 0.0
            for a in range(r_g.shape[1]):
                paid += policy[s, h, a] * r_g[s, a]
            for z in range(zones):
                if histograms[h, z] == 0:
                    continue
                weight = law[s, h] * histograms[h, z] / k
                occupancy[z, s] += weight
                others = fleet_reward[s, h] - tilde_reward[z, s] / k  # what the other k − 1 robots add to the mean
                for a in range(moves):
                    reward = paid + others + r_l[z, s, a] / k if common else r_l[z, s, a]
                    total = 0.0
                    for w in range(zones):
                        total += P_l[z, s, a, w] * ahead[w]
                    target[z, s, a] += weight * (reward + discount * total)
