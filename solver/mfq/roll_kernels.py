"""Compiled ticks of a fleet in which every robot samples k − 1 others and follows the plan for what it saw.

A plan of a sample says how many of its robots in a zone make each move. Which of them does what is settled by lot, each
robot for itself, or by name: the robots of the zone in the sample line up by number and take the moves in order.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray

from ..fleet.kernels import poll, scatter, steer
from .kernels import rank_of, squeezed


@njit(cache=True, nogil=True)
def roll_by_lot(
    counts: IntArray,
    priority: IntArray,
    k: int,
    dispatch: IntArray,
    shares: FloatArray,
    others: IntArray,
    seen: IntArray,
    ranks: IntArray,
    logs: FloatArray,
    P_l: FloatArray,
    r_l: FloatArray,
    effort: FloatArray,
    squeezes: FloatArray,
    steering: FloatArray,
    r_g: FloatArray,
    discount: float,
    horizon: int,
    poller: np.random.Generator,
    mover: np.random.Generator,
    steerer: np.random.Generator,
    returns: FloatArray,
) -> None:
    """Fleets of `counts` [rollout, zone]: robots' samples are averaged over exactly, so that n costs nothing.

    Given the counts, robots draw their samples apart from each other, so those of one zone move independently with the
    mean of shares[s_g, h, z] over samples. Mutates `counts`, `priority`, `returns` [rollout] and the generators.

    Args:
        dispatch: a_g [s_g, h].
        shares: plan of the sample per robot of the zone, [s_g, h, z, a].
        others, seen: histograms of k − 1 robots [f, z], and the rank of each with one robot of zone z more [f, z].
        logs: log m!, m to n.
    """
    zones, moves = r_l.shape[0], r_l.shape[2]
    sample, left = np.zeros(zones, np.int64), np.zeros(zones, np.int64)
    law, moved, after = np.zeros((zones, moves)), np.zeros(moves, np.int64), np.zeros(zones, np.int64)
    for i in range(counts.shape[0]):
        fleet, s = counts[i], priority[i]
        n = fleet.sum()
        weight, total = 1.0, 0.0
        for _ in range(horizon):
            poll(fleet, k, poller, sample, left)
            a_g = dispatch[s, rank_of(sample, ranks, k)]
            _mean_moves(fleet, n, shares[s], others, seen, logs, law)
            paid, spent = 0.0, 0.0
            after[:] = 0
            for z in range(zones):
                if fleet[z] == 0:
                    continue
                moved[:] = 0
                scatter(fleet[z], law[z], mover, moved)
                for a in range(moves):
                    if moved[a] > 0:
                        paid += moved[a] * r_l[z, s, a]
                        spent += moved[a] * effort[z, a]
                        scatter(moved[a], P_l[z, s, a], mover, after)
            total += weight * (r_g[s, a_g] + paid / n + squeezed(spent / n, squeezes[s]))
            weight *= discount
            fleet[:] = after
            s = steer(steering[s, a_g], steerer)
        priority[i] = s
        returns[i] = total


@njit(cache=True, nogil=True)
def _mean_moves(
    fleet: IntArray,
    n: int,
    shares: FloatArray,
    others: IntArray,
    seen: IntArray,
    logs: FloatArray,
    law: FloatArray,
) -> None:
    """Moves of a robot of every zone [z, a], its sample averaged over. Overwrites `law`.

    The chance of others F for a robot of zone z is Π_y C(c_y, F_y) / C(n−1, k−1) · (c_z − F_z)/c_z.
    """
    zones, moves = law.shape
    law[:] = 0.0
    rest = 0
    for z in range(zones):
        rest += others[0, z]
    whole = logs[n - 1] - logs[rest] - logs[n - 1 - rest]
    for f in range(others.shape[0]):
        log_chance, possible = -whole, True
        for z in range(zones):
            if others[f, z] > fleet[z]:
                possible = False
                break
            log_chance += logs[fleet[z]] - logs[others[f, z]] - logs[fleet[z] - others[f, z]]
        if not possible:
            continue
        chance = np.exp(log_chance)
        for z in range(zones):
            if fleet[z] > others[f, z]:
                part = chance * (fleet[z] - others[f, z]) / fleet[z]
                for a in range(moves):
                    law[z, a] += part * shares[seen[f, z], z, a]
    for z in range(zones):  # rounding of the logarithms away
        if fleet[z] > 0:
            law[z] /= law[z].sum()


@njit(cache=True, nogil=True)
def roll_by_name(
    counts: IntArray,
    priority: IntArray,
    k: int,
    dispatch: IntArray,
    plan: IntArray,
    ranks: IntArray,
    P_l: FloatArray,
    r_l: FloatArray,
    effort: FloatArray,
    squeezes: FloatArray,
    steering: FloatArray,
    r_g: FloatArray,
    discount: float,
    horizon: int,
    poller: np.random.Generator,
    mover: np.random.Generator,
    steerer: np.random.Generator,
    returns: FloatArray,
) -> None:
    """Fleets robot by robot, n·k samples a tick: robot j polls k − 1 others and takes its place among its zone's.

    `plan` is [s_g, h, z, a]. Mutates `returns` [rollout], `priority` and the generators.
    """
    zones, n = r_l.shape[0], counts[0].sum()
    where, after, order = np.zeros(n, np.int64), np.zeros(n, np.int64), np.arange(n)
    sample = np.zeros(zones, np.int64)
    for i in range(counts.shape[0]):
        _line_up(counts[i], where, mover)
        s, weight, total = priority[i], 1.0, 0.0
        for _ in range(horizon):
            _draw(order, -1, k, poller)
            _count(where, order, k, sample)
            a_g = dispatch[s, rank_of(sample, ranks, k)]
            paid, spent = 0.0, 0.0
            for j in range(n):
                z = where[j]
                _draw(order, j, k - 1, poller)
                _count(where, order, k - 1, sample)
                sample[z] += 1
                place = 0
                for other in order[: k - 1]:
                    if where[other] == z and other < j:
                        place += 1
                a = _move(plan[s, rank_of(sample, ranks, k), z], place)
                paid += r_l[z, s, a]
                spent += effort[z, a]
                after[j] = _step(P_l[z, s, a], mover)
            total += weight * (r_g[s, a_g] + paid / n + squeezed(spent / n, squeezes[s]))
            weight *= discount
            where[:] = after
            s = steer(steering[s, a_g], steerer)
        priority[i] = s
        returns[i] = total


@njit(cache=True, nogil=True)
def _line_up(counts: IntArray, where: IntArray, rng: np.random.Generator) -> None:
    """Give the robots of `counts` [zone] numbers at random. Overwrites `where` [robot]; mutates `rng`."""
    j = 0
    for z in range(len(counts)):
        for _ in range(counts[z]):
            where[j] = z
            j += 1
    for j in range(len(where) - 1, 0, -1):
        other = min(int(rng.random() * (j + 1)), j)
        where[j], where[other] = where[other], where[j]


@njit(cache=True, nogil=True)
def _draw(order: IntArray, without: int, size: int, rng: np.random.Generator) -> None:
    """Make the first `size` of `order` a sample without robot `without`; size < n. Mutates `order`, `rng`."""
    n = len(order)
    for j in range(size):
        other = min(j + int(rng.random() * (n - j)), n - 1)
        while order[other] == without:
            other = min(j + int(rng.random() * (n - j)), n - 1)
        order[j], order[other] = order[other], order[j]


@njit(cache=True, nogil=True)
def _count(where: IntArray, order: IntArray, size: int, sample: IntArray) -> None:
    """Overwrite `sample` [zone] with the histogram of the first `size` robots of `order`."""
    sample[:] = 0
    for other in order[:size]:
        sample[where[other]] += 1


@njit(cache=True, nogil=True)
def _move(row: IntArray, place: int) -> int:
    """The move of the robot at `place` when moves are given out in order, row[a] robots each."""
    a = 0
    while place >= row[a]:
        place -= row[a]
        a += 1
    return a


@njit(cache=True, nogil=True)
def _step(law: FloatArray, rng: np.random.Generator) -> int:
    """The next zone by its law: one uniform number. Mutates `rng`."""
    last = law.shape[0] - 1
    while last > 0 and law[last] <= 0.0:
        last -= 1
    left, new = rng.random(), 0
    while new < last and left >= law[new]:
        left -= law[new]
        new += 1
    return new
