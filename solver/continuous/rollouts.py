"""Fleets of the continuous warehouse under a dispatcher and robots: discounted returns, and what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from .warehouse import ContinuousWarehouse

CHUNK = 200  # fleets at once: their places stay in the cache
STARTER, POLLER, MOVER, STEERER, ACTOR = range(5)  # random streams apart from each other

Decide = Callable[[FloatArray, IntArray], IntArray]  # s_g [fleet], histogram of the sample [fleet, bin] -> a_g [fleet]
Robots = Callable[[FloatArray, FloatArray, np.random.Generator], NDArray[np.integer]]
"""Places [fleet, robot], s_g [fleet] and a generator -> a_l [fleet, robot]."""


class Dispatcher(Protocol):
    """Whoever decides a_g for many fleets at once."""

    @property
    def k(self) -> int:
        """Robots polled per tick; 0: none."""

    def begin(self, fleets: int, rng: np.random.Generator) -> Decide:
        """Memory of so many fleets, new; what decides with it, once per tick."""


@dataclass(frozen=True, eq=False)
class Record:
    """What happened, tick after tick.

    Attributes:
        returns: discounted return [fleet].
        priority: s_g [fleet, tick].
        dispatch: a_g [fleet, tick].
        histogram: robots per bin [fleet, tick, bin].
        reward: r [fleet, tick].
    """

    returns: FloatArray
    priority: FloatArray
    dispatch: IntArray
    histogram: IntArray
    reward: FloatArray


@dataclass(frozen=True)
class Estimate:
    """Mean discounted return with its standard error."""

    mean: float
    error: float
    fleets: int

    @classmethod
    def of(cls, returns: FloatArray) -> Estimate:
        """Of independent fleets."""
        error = float(returns.std(ddof=1) / np.sqrt(len(returns))) if len(returns) > 1 else float("nan")
        return cls(float(returns.mean()), error, len(returns))


def roll(
    warehouse: ContinuousWarehouse,
    dispatcher: Dispatcher,
    robots: Robots,
    fleets: int,
    horizon: int,
    seed: int,
) -> Record:
    """Roll `fleets` fleets out over `horizon` ticks; same seed, same start and same noise for every rule.

    Raises:
        UserError: the dispatcher polls more robots than there are.
    """
    if dispatcher.k > warehouse.robots:
        raise UserError(f"k = {dispatcher.k}, but the fleet has {warehouse.robots} robots")
    parts = [
        _roll_chunk(warehouse, dispatcher, robots, min(CHUNK, fleets - first), horizon, (seed, first))
        for first in range(0, fleets, CHUNK)
    ]
    names = ("returns", "priority", "dispatch", "histogram", "reward")
    return Record(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _roll_chunk(
    warehouse: ContinuousWarehouse,
    dispatcher: Dispatcher,
    robots: Robots,
    fleets: int,
    horizon: int,
    seed: tuple[int, int],
) -> Record:
    streams = [np.random.default_rng([*seed, stream]) for stream in range(ACTOR + 1)]
    s, places = warehouse.start(fleets, streams[STARTER])
    decide = dispatcher.begin(fleets, streams[ACTOR])
    priority, reward = np.empty((fleets, horizon)), np.empty((fleets, horizon))
    dispatch = np.empty((fleets, horizon), dtype=np.int64)
    histogram = np.empty((fleets, horizon, warehouse.bins), dtype=np.int64)
    for t in range(horizon):
        counts = warehouse.histogram(places)
        sample = warehouse.poll(counts, dispatcher.k, streams[POLLER])
        a = decide(s, sample)
        moves = robots(places, s, streams[ACTOR])
        priority[:, t], dispatch[:, t], histogram[:, t] = s, a, counts
        reward[:, t] = warehouse.dispatch_reward(s, a) + warehouse.robot_reward(places, s, moves).mean(axis=1)
        s = warehouse.steer(s, a, streams[STEERER])
        places = warehouse.drive(places, moves, streams[MOVER])
    returns = reward @ warehouse.discount ** np.arange(horizon)
    return Record(returns, priority, dispatch, histogram, reward)
