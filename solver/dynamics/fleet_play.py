"""The noisy process of a dispatcher and k robots that learn, robot by robot."""

from __future__ import annotations

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray

from ..histograms import counting_table
from .fleet import FleetDynamics
from .kernels import policies
from .learners import POLICY_GRADIENT


class FleetProcess:
    """The process of a `FleetDynamics` (a `process.Playable`); runs begin in the stationary law of the start."""

    def __init__(self, fleet: FleetDynamics) -> None:
        self.layout, self.fleet = fleet.layout, fleet
        game = fleet.game
        self._arrays = (
            self.layout.shapes,
            self.layout.numbers,
            counting_table(fleet.k, game.zones),
            np.cumsum(game.P_g, axis=2),
            np.cumsum(game.P_l, axis=3),
            game.r_g,
            game.r_l,
            fleet.common,
        )
        self._begin: tuple[bytes, FloatArray] | None = None

    def play(self, x: FloatArray, until: IntArray, share: float, rng: np.random.Generator, path: FloatArray) -> None:
        """One run from x; see `process.Playable`."""
        begin = self._begin  # read once: runs play on several threads
        if begin is None or begin[0] != x.tobytes():
            begin = (x.tobytes(), np.cumsum(self.fleet.state_law(x)))
            self._begin = begin
        state = min(int(np.searchsorted(begin[1], rng.random(), side="right")), len(begin[1]) - 1)
        s, h = divmod(state, len(self.fleet.histograms))
        zones = np.repeat(np.arange(self.fleet.game.zones), self.fleet.histograms[h])
        play_fleet(x, s, zones, until, share, *self._arrays, rng, path)


@njit(cache=True, nogil=True)
def _draw(sums: FloatArray, rng: np.random.Generator) -> int:
    """An index by its running sums. Mutates `rng`."""
    level, index = rng.random() * sums[-1], 0
    while index < sums.shape[0] - 1 and level >= sums[index]:
        index += 1
    return index


@njit(cache=True, nogil=True)
def _choose(policy: FloatArray, rng: np.random.Generator) -> int:
    """An action by its chances. Mutates `rng`."""
    level, b, total = rng.random(), 0, policy[0]
    while b < policy.shape[0] - 1 and level >= total:
        b += 1
        total += policy[b]
    return b


@njit(cache=True, nogil=True)
def _rank(counts: IntArray, ranks: IntArray) -> int:
    """Index of a histogram [zone] (`histograms.rank`)."""
    left, index = counts.sum(), 0
    for z in range(counts.shape[0] - 1):
        left -= counts[z]
        index += ranks[left, counts.shape[0] - z]
    return index


@njit(cache=True, nogil=True)
def _one(x: FloatArray, shape: IntArray, number: FloatArray, o: int, law: FloatArray, held: FloatArray) -> float:
    """π(·|o) and v(o) of one player. Overwrites `law` and `held` [b].

    The row is handed to `kernels.policies` as a player of its own with a single observation.
    """
    rule, choices = shape[0], shape[2]
    single, row = np.zeros((1, 6), np.int64), np.zeros(choices + 1)
    single[0, 0], single[0, 1], single[0, 2] = rule, 1, choices
    row[:choices] = x[shape[3] + o * choices : shape[3] + (o + 1) * choices]
    if rule == POLICY_GRADIENT:
        row[choices] = x[shape[3] + shape[1] * choices + o]
    value = np.zeros(1)
    policies(row, single, number.reshape(1, -1), law, value)
    held[:] = row[:choices]
    return float(value[0])


@njit(cache=True, nogil=True)
def _learn(
    x: FloatArray, shape: IntArray, number: FloatArray, share: float, o: int, b: int, law: FloatArray, delta: float
) -> None:
    """The update by δ, of which `share` counts. Mutates the player's part of `x`."""
    choices, cell = shape[2], shape[3] + o * shape[2]
    if shape[0] != POLICY_GRADIENT:
        x[cell + b] += share * number[0] * delta
        return
    for c in range(choices):
        x[cell + c] += share * number[0] * delta * ((1.0 if c == b else 0.0) - law[c])
    x[shape[3] + shape[1] * choices + o] += share * number[4] * delta


@njit(cache=True, nogil=True)
def play_fleet(
    x: FloatArray,
    s: int,
    zones: IntArray,
    until: IntArray,
    share: float,
    shapes: IntArray,
    numbers: FloatArray,
    ranks: IntArray,
    steering: FloatArray,
    moving: FloatArray,
    r_g: FloatArray,
    r_l: FloatArray,
    common: bool,
    rng: np.random.Generator,
    path: FloatArray,
) -> None:
    """One run from priority s and `zones` [robot]; `steering` and `moving` hold running sums of P_g and P_l.

    All updates of a tick are made from the x before it. Mutates `x`, `zones`, `rng` and `path` [point, parameter].
    """
    k, size, priorities = zones.shape[0], shapes[0, 1] // steering.shape[0], steering.shape[0]
    counts, after = np.zeros(r_l.shape[0], np.int64), np.zeros(k, np.int64)
    chosen, deltas = np.zeros(k, np.int64), np.zeros(k)
    steer, known = np.zeros(shapes[0, 2]), np.zeros(shapes[0, 2])
    laws, held = np.zeros((k, shapes[1, 2])), np.zeros((k, shapes[1, 2]))
    room, unused = np.zeros(shapes[1, 2]), np.zeros(shapes[1, 2])
    far, far_unused = np.zeros(shapes[0, 2]), np.zeros(shapes[0, 2])
    worths = np.zeros(k)
    done = 0
    for point in range(until.shape[0]):
        for _ in range(until[point] - done):
            counts[:] = 0
            for i in range(k):
                counts[zones[i]] += 1
            o = s * size + _rank(counts, ranks)
            worth = _one(x, shapes[0], numbers[0], o, steer, known)
            a = _choose(steer, rng)
            earned = 0.0
            for i in range(k):
                worths[i] = _one(x, shapes[1], numbers[1], zones[i] * priorities + s, laws[i], held[i])
                chosen[i] = _choose(laws[i], rng)
                earned += r_l[zones[i], s, chosen[i]] / k
                after[i] = _draw(moving[zones[i], s, chosen[i]], rng)
            reward, t = r_g[s, a] + earned, _draw(steering[s, a], rng)
            counts[:] = 0
            for i in range(k):
                counts[after[i]] += 1
            ahead = _one(x, shapes[0], numbers[0], t * size + _rank(counts, ranks), far, far_unused)
            expected = worth if shapes[0, 0] == POLICY_GRADIENT else known[a]
            delta = reward + numbers[0, 1] * ahead - expected
            for i in range(k):
                own = reward if common else r_l[zones[i], s, chosen[i]]
                ahead = _one(x, shapes[1], numbers[1], after[i] * priorities + t, room, unused)
                expected = worths[i] if shapes[1, 0] == POLICY_GRADIENT else held[i, chosen[i]]
                deltas[i] = own + numbers[1, 1] * ahead - expected
            _learn(x, shapes[0], numbers[0], share, o, a, steer, delta)
            for i in range(k):
                cell = zones[i] * priorities + s
                _learn(x, shapes[1], numbers[1], share / k, cell, chosen[i], laws[i], deltas[i])
            zones[:] = after
            s = t
        done = until[point]
        path[point] = x
