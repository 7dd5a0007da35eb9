"""Fleets under a dispatcher that remembers: the compiled rollout, and what it needs (math.md §7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray

from ..bundle.filtering import DECIDING, Deciding, FilterModel, FilterSetting, rivals
from ..game import Game
from ..histograms import counting_table, enumerate_histograms
from .beliefs import POSTERIOR, Memory, begin, decide, decide_by_fleets, drift_on, learn
from .kernels import poll, steer, step
from .particles import mean_fleet, new_cloud, predict_particles, restart, update_particles


def drift(game: Game, local_policy: FloatArray) -> FloatArray:
    """P̃ [s_g, z, z'] of robots that follow π_l [z, s_g, a] in a game."""
    return np.asarray(np.einsum("zsa,zsay->szy", local_policy, game.P_l))


@dataclass(frozen=True, eq=False)
class Observer:
    """A dispatcher that remembers.

    Attributes:
        model: κ, Q_κ and the prior.
        drift: P̃ that it believes in, float64 [s_g, z, z'].
        rho: ρ.
        deciding: how Q_κ is asked.
        adaptive: whether ρ follows what samples tell.
        informed: whether it sees the whole fleet every tick: then nothing but the model and `deciding` counts.
        particles: of a belief by particles, which is not adaptive; 0: a Dirichlet law.
    """

    model: FilterModel
    drift: FloatArray
    rho: float = 1.0
    deciding: Deciding = "interpolated"
    adaptive: bool = False
    informed: bool = False
    particles: int = 0

    @classmethod
    def of(cls, model: FilterModel, setting: FilterSetting, believed: FloatArray) -> Observer:
        """As a bundle's setting has it, with the P̃ it believes in."""
        return cls(model, believed, setting.rho, setting.deciding, setting.adaptive)

    def memory(self) -> Memory:
        """For the compiled rollout: fresh copies, one memory layout."""
        zones, kappa = len(self.model.prior), self.model.kappa
        deciding = DECIDING.index(self.deciding)
        believed = np.array(self.drift, dtype=float, order="C")
        if self.particles:  # laws that whole robots are drawn from
            believed /= believed.sum(axis=2, keepdims=True)
        every = (
            enumerate_histograms(kappa, zones) if deciding == POSTERIOR and not self.particles else np.empty((0, zones))
        )
        return Memory(
            kappa,
            np.array(self.model.q, dtype=float, order="C"),
            np.array(counting_table(kappa, zones)),
            np.array(every, dtype=np.int64, order="C"),
            np.array(self.model.prior, dtype=float),
            believed,
            rivals(self.rho, self.adaptive),
            deciding,
            self.informed,
        )


@njit(cache=True, nogil=True)
def roll_filtered(
    counts: IntArray,
    priority: IntArray,
    k: int,
    memory: Memory,
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
    log: IntArray,
) -> None:
    """Roll every fleet of `counts` [rollout, zone], `priority` [rollout] out under a dispatcher that remembers.

    As `kernels.roll`, which uses the same random numbers in the same order.
    Mutates `counts`, `priority`, `returns`, the generators and `log` [rollout, tick, 2 + 2·zones] (s_g, a_g, sample,
    counts of every tick, while there is room).
    """
    zones = counts.shape[1]
    sample, left = np.zeros(zones, np.int64), np.zeros(zones, np.int64)
    moved, after = np.zeros(r_l.shape[2], np.int64), np.zeros(zones, np.int64)
    alpha, values, scratch = np.empty(zones), np.empty(r_g.shape[1]), np.empty((3, zones))
    trials, scores, rho = np.empty((memory.rhos.shape[0], zones)), np.empty(memory.rhos.shape[0]), 1.0
    for i in range(counts.shape[0]):
        fleet, s = counts[i], priority[i]
        n = fleet.sum()
        total = 0.0
        begin(memory, alpha, trials, scores)
        for t in range(len(weights)):
            if memory.informed:
                sample[:] = fleet
                alpha[:] = fleet
            else:
                poll(fleet, k, poller, sample, left)
                rho = learn(memory, alpha, trials, scores, sample)
            a = decide(memory, s, alpha, values, scratch)
            if t < log.shape[1]:
                log[i, t, 0], log[i, t, 1] = s, a
                log[i, t, 2 : 2 + zones], log[i, t, 2 + zones :] = sample, fleet
            if not memory.informed:
                drift_on(memory, s, rho, alpha, trials, scratch[0])
            total += weights[t] * (r_g[s, a] + step(fleet, s, policy, P_l, r_l, mover, moved, after) / n)
            fleet[:] = after
            s = steer(steering[s, a], steerer)
        priority[i] = s
        returns[i] = total


@njit(cache=True, nogil=True)
def roll_particles(
    counts: IntArray,
    priority: IntArray,
    k: int,
    memory: Memory,
    particles: int,
    logs: FloatArray,
    policy: FloatArray,
    P_l: FloatArray,
    r_l: FloatArray,
    steering: FloatArray,
    r_g: FloatArray,
    weights: FloatArray,
    poller: np.random.Generator,
    mover: np.random.Generator,
    steerer: np.random.Generator,
    thinker: np.random.Generator,
    returns: FloatArray,
    log: IntArray,
) -> None:
    """`roll_filtered` with a belief by so many particles, drawn by `thinker`; `logs` is `log_factorials(n)`.

    Mutates the same, and `thinker`.
    """
    zones = counts.shape[1]
    sample, left, nothing = np.zeros(zones, np.int64), np.zeros(zones, np.int64), np.zeros(zones, np.int64)
    moved, after = np.zeros(r_l.shape[2], np.int64), np.zeros(zones, np.int64)
    mean, values, scratch = np.empty(zones), np.empty(r_g.shape[1]), np.empty((3, zones))
    cloud, prior, rho = new_cloud(particles, zones), memory.prior, float(memory.rhos[0])
    for i in range(counts.shape[0]):
        fleet, s = counts[i], priority[i]
        n = fleet.sum()
        total, known, before = 0.0, False, 0
        restart(cloud, n, prior, nothing, thinker)
        for t in range(len(weights)):
            poll(fleet, k, poller, sample, left)
            known = update_particles(cloud, sample, logs, known, memory.drift[before], rho, n, prior, thinker)
            if memory.deciding == POSTERIOR:
                a = decide_by_fleets(memory, s, cloud.fleets, cloud.weights, values, scratch)
            else:
                mean_fleet(cloud, mean)
                a = decide(memory, s, mean, values, scratch)
            if t < log.shape[1]:
                log[i, t, 0], log[i, t, 1] = s, a
                log[i, t, 2 : 2 + zones], log[i, t, 2 + zones :] = sample, fleet
            predict_particles(cloud, memory.drift[s], rho, n, prior, thinker)
            known, before = True, s
            total += weights[t] * (r_g[s, a] + step(fleet, s, policy, P_l, r_l, mover, moved, after) / n)
            fleet[:] = after
            s = steer(steering[s, a], steerer)
        priority[i] = s
        returns[i] = total
