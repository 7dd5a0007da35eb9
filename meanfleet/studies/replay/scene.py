"""What a dispatcher would have faced: the recorded fleet tick by tick, and what polling all of it decides.

The yardstick is the dispatcher that sees every robot whose zone is known: it asks Q_κ, interpolated, at the fleet's
true distribution. Q_κ is also what a decision is rated by: regret = max_a Q_κ(s_g, fleet, a) − Q_κ(s_g, fleet, a_k).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.bootstrap import block_length
from meanfleet.base.errors import UserError
from meanfleet.config import SolverConfig
from meanfleet.sim.bags.log import UNKNOWN, FleetLog
from meanfleet.solver.bundle.filtering import FilterModel
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.solver.filter_selection import filter_model
from meanfleet.solver.fleet.derived import reference
from meanfleet.solver.interpolation import interpolate

LEAST_TICKS = 10  # fewer tell nothing about how ticks hang together


@dataclass(frozen=True, eq=False)
class Scene:
    """A recorded fleet with the whole-fleet decision of every tick.

    Attributes:
        robots: names.
        zones: int64 [tick, robot], UNKNOWN where the robot could not have answered.
        counts: int64 [tick, zone], robots whose zone is known.
        priority: int64 [tick], s_g(t) that both dispatchers face.
        assumed: ticks whose priority is not in the bag.
        model: Q_κ.
        values: float64 [tick, a_g], Q_κ(s_g, fleet, ·).
        dispatch: int64 [tick], of the whole-fleet dispatcher.
        compared: bool [tick], ticks with at least one known robot.
    """

    robots: tuple[str, ...]
    zones: IntArray
    counts: IntArray
    priority: IntArray
    assumed: int
    model: FilterModel
    values: FloatArray
    dispatch: IntArray
    compared: NDArray[np.bool_]

    @property
    def worth(self) -> float:
        """Mean over ticks of max_a Q_κ: discounted return that the whole-fleet dispatcher expects."""
        return float(self.values[self.compared].max(axis=1).mean())

    @property
    def largest_regret(self) -> float:
        """The most that one decision can lose by Q_κ, wherever the fleet is."""
        return float((self.model.q.max(axis=-1) - self.model.q.min(axis=-1)).max())

    @cached_property
    def memory(self) -> int:
        """For how many ticks the fleet hangs together: the longest block length of a zone's share or a priority."""
        known = self.counts[self.compared]
        shares = (known / known.sum(axis=1, keepdims=True)).T
        steered = [self.priority[self.compared] == s for s in np.unique(self.priority)]
        return max(block_length(np.asarray(series, dtype=np.float64))[0] for series in (*shares, *steered))

    def regret(self, dispatch: IntArray) -> FloatArray:
        """max_a Q_κ − Q_κ of dispatches [seed, tick], float64 [seed, tick], never negative."""
        own = self.values[np.arange(len(self.values)), dispatch]
        return np.asarray(self.values.max(axis=1) - own)


def scene_of(log: FleetLog, bundle: PolicyBundle) -> Scene:
    """The scene of a log under a bundle's game.

    A tick without a recorded priority takes the last one recorded before it, or the first one after. Without any, the
    priority is the one that the whole-fleet dispatcher would most probably have reached from the most probable start:
    the fleet has not reacted to that one.

    Raises:
        UserError: other zones than the game's, or fewer than LEAST_TICKS ticks with a known robot.
    """
    game = bundle.game
    if len(log.zone_names) != game.zones:
        raise UserError(
            f"{log.source} was read with {len(log.zone_names)} zones, but the policy is for {game.zones}: "
            "give the configuration that the policy was solved for"
        )
    _check_range(log, "zones", log.zones, game.zones)
    _check_range(log, "priorities", log.priority, game.priorities)
    counts = np.stack([(log.zones == zone).sum(axis=1) for zone in range(game.zones)], axis=1).astype(np.int64)
    compared = counts.sum(axis=1) > 0
    if compared.sum() < LEAST_TICKS:
        raise UserError(
            f"{log.source} has {int(compared.sum())} ticks in which a robot's zone is known, a replay needs "
            f"{LEAST_TICKS}: check topics and tick, or record for longer"
        )
    model = yardstick_model(bundle)
    by_priority = _values(model, counts, game.priorities)
    best = _first_best(by_priority)
    priority, assumed = _priorities(log.priority, best, game.P_g, game.start_priority)
    ticks = np.arange(len(counts))
    return Scene(
        log.robots,
        np.ascontiguousarray(log.zones, dtype=np.int64),
        counts,
        priority,
        assumed,
        model,
        by_priority[priority, ticks],
        best[priority, ticks],
        compared,
    )


def yardstick_model(bundle: PolicyBundle) -> FilterModel:
    """The bundle's Q_κ, or one solved now for its π_l if it holds none."""
    if bundle.filtering is not None:
        return bundle.filtering
    source = reference(bundle.game, bundle.local_policy, SolverConfig().kappa)
    if source is None:
        raise UserError("the policy holds no Q to rate decisions by, and none is within reach: solve with filtering")
    return filter_model(bundle.game, source)


def _values(model: FilterModel, counts: IntArray, priorities: int) -> FloatArray:
    """Q_κ(s_g, fleet, ·) for every s_g, float64 [s_g, tick, a_g]; ticks without robots look at equal shares."""
    known = np.where(counts.sum(axis=1, keepdims=True) > 0, counts, 1)
    mean = known * (model.kappa / known.sum(axis=1, keepdims=True))
    return np.stack([interpolate(model.q[s], mean, model.kappa) for s in range(priorities)])


def _first_best(values: FloatArray) -> IntArray:
    """`filtering.first_best` along the last axis."""
    slack = 1e-12 * np.maximum(1.0, np.abs(values).max(axis=-1, keepdims=True))
    return np.asarray(np.argmax(values >= values.max(axis=-1, keepdims=True) - slack, axis=-1), dtype=np.int64)


def _priorities(recorded: IntArray, best: IntArray, steering: FloatArray, start: FloatArray) -> tuple[IntArray, int]:
    """Priority of every tick, and how many of them are assumed; `best` is [s_g, tick]."""
    known = np.flatnonzero(recorded != UNKNOWN)
    if len(known):
        last = np.searchsorted(known, np.arange(len(recorded)), side="right") - 1
        return recorded[known[np.maximum(last, 0)]].astype(np.int64), len(recorded) - len(known)
    path = np.empty(len(recorded), dtype=np.int64)
    s = int(np.argmax(start))
    for t in range(len(path)):
        path[t] = s
        s = int(np.argmax(steering[s, best[s, t]]))
    return path, len(path)


def _check_range(log: FleetLog, what: str, values: IntArray, size: int) -> None:
    if values.size and (values.min() < UNKNOWN or values.max() >= size):
        raise UserError(f"{log.source} holds {what} outside 0…{size - 1}: give the policy's own configuration")
