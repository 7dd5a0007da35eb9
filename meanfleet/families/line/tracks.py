"""The floor of robots on a line: a track for every robot, side by side along x, and the bins across all of them.

Robots of the model pass each other, so no two share a track: a place on the line is a distance along one's own.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfleet.config import Config
from meanfleet.config.line import TracksConfig
from meanfleet.space.zone_map import ZoneMap


@dataclass(frozen=True, eq=False)
class Tracks:
    """Frame `map`: place 0 of the line is x = 0, track 0 is y = 0.

    Attributes:
        spec: the line, and its measures on the floor.
        slot: index of every robot's track, int [robot], all different.
        margin: [m] how deep in another bin a robot must be to have changed.
        limit: [m] from all bins, beyond which a robot is in none; None: as `ZoneMap` derives it.
    """

    spec: TracksConfig
    slot: NDArray[np.int64]
    margin: float = 0.0
    limit: float | None = None

    @cached_property
    def edges(self) -> NDArray[np.float64]:
        """Of the bins on the line [bin + 1]."""
        limit = self.spec.line.limit
        return np.linspace(-limit, limit, len(self.spec.line.targets) + 1)

    @cached_property
    def pads(self) -> tuple[NDArray[np.float64], ...]:
        """One rectangle per bin, [corner, 2] in [m]; the outer ones reach past the ends of the line."""
        x = self.spec.unit * self.edges
        x[[0, -1]] += -self.spec.pitch, self.spec.pitch
        low, high = -self.spec.pitch / 2, (float(self.slot.max()) + 0.5) * self.spec.pitch
        return tuple(np.array([(a, low), (b, low), (b, high), (a, high)]) for a, b in itertools.pairwise(x))

    @cached_property
    def zone_map(self) -> ZoneMap:
        """The bins."""
        return ZoneMap(self.pads, self.margin, self.limit)

    @cached_property
    def slots(self) -> NDArray[np.float64]:
        """Middle of every bin on every robot's track [robot, bin, (x, y, yaw)] in [m, m, rad]."""
        middles = (self.edges[1:] + self.edges[:-1]) / 2
        return np.stack([self.poses(np.arange(len(self.slot)), np.full(len(self.slot), m)) for m in middles], axis=1)

    @cached_property
    def centres(self) -> NDArray[np.float64]:
        """Middle of every bin [bin, 2] in [m]."""
        return np.asarray(self.slots[:, :, :2].mean(axis=0))

    def places(self, xy: ArrayLike) -> NDArray[np.float64]:
        """Places on the line [m] of positions [m, 2] in [m]."""
        return np.asarray(np.asarray(xy, dtype=np.float64)[..., 0] / self.spec.unit)

    def poses(self, robots: Sequence[int] | NDArray[np.int64], places: ArrayLike) -> NDArray[np.float64]:
        """Poses [m, (x, y, yaw)] in [m, m, rad] of robots [m] at places [m] of the line."""
        x = self.spec.unit * np.asarray(places, dtype=np.float64)
        return np.column_stack([x, self.spec.pitch * self.slot[np.asarray(robots)], np.zeros_like(x)])


def tracks_of(config: Config) -> Tracks:
    """The tracks of a configuration with robots on a line."""
    robot = config.robot
    return Tracks(config.own, np.array(config.slots, dtype=np.int64), robot.zone_margin, robot.zone_limit)
