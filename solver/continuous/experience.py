"""What learners see: samples with the true mode for the dispatcher, episodes of representative robots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray

from .networks import Layers, NetworkDispatcher, drawing, fast, shares
from .rollouts import CHUNK
from .warehouse import ContinuousWarehouse


def labelled_samples(
    warehouse: ContinuousWarehouse, k: int, many: int, rng: np.random.Generator
) -> tuple[FloatArray, IntArray]:
    """Shares per bin of k robots of a new fleet [row, bin], and the bin that most of the whole fleet is in [row]."""
    seen, modes = np.empty((many, warehouse.bins)), np.empty(many, dtype=np.int64)
    for first in range(0, many, CHUNK):
        rows = slice(first, min(first + CHUNK, many))
        counts = warehouse.histogram(warehouse.start(rows.stop - first, rng)[1])
        modes[rows] = counts.argmax(axis=1)
        seen[rows] = shares(warehouse.poll(counts, k, rng))
    return seen, modes


@dataclass(frozen=True, eq=False)
class Episodes:
    """Episodes of robots, one after another; all [row].

    Attributes:
        seen: (s_g, s_i) [row, 2].
        moves: a_i.
        returns: discounted rewards r_l of that robot from here to the end of the episode.
    """

    seen: FloatArray
    moves: IntArray
    returns: FloatArray


def episodes(
    warehouse: ContinuousWarehouse,
    dispatcher: Layers,
    robots: Layers,
    k: int,
    many: int,
    horizon: int,
    learners: int,
    rng: np.random.Generator,
) -> Episodes:
    """Simulate `many` whole fleets in which all robots draw their moves; `learners` robots of each are watched."""
    decide = NetworkDispatcher(fast(dispatcher), k).begin(many, rng)
    move = drawing(fast(robots))
    s, places = warehouse.start(many, rng)
    watched = rng.permuted(np.tile(np.arange(warehouse.robots), (many, 1)), axis=1)[:, :learners]
    seen = np.empty((horizon, many, learners, 2))
    moves = np.empty((horizon, many, learners), dtype=np.int64)
    rewards = np.empty((horizon, many, learners))
    for t in range(horizon):
        a = decide(s, warehouse.poll(warehouse.histogram(places), k, rng))
        every = move(places, s, rng)
        own, chosen = np.take_along_axis(places, watched, axis=1), np.take_along_axis(every, watched, axis=1)
        seen[t, :, :, 0], seen[t, :, :, 1], moves[t] = s[:, None], own, chosen
        rewards[t] = warehouse.robot_reward(own, s, chosen)
        s, places = warehouse.steer(s, a, rng), warehouse.drive(places, every, rng)
    returns = rewards
    for t in range(horizon - 2, -1, -1):
        returns[t] += warehouse.discount * returns[t + 1]
    return Episodes(seen.reshape(-1, 2), moves.ravel(), returns.ravel())
