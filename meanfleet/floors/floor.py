"""The floor of a configuration: the ring warehouse that is simulated, a real one of polygons, or what a family has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from meanfleet.config import Config
from meanfleet.config.families import family_of
from meanfleet.config.floor import FloorConfig
from meanfleet.space.zone_map import ZoneMap

from .ring import RingLayout


class Floor(Protocol):
    """What every floor has."""

    @property
    def pads(self) -> tuple[NDArray[np.float64], ...]:
        """One polygon per zone, [corner, 2] in [m]."""

    @property
    def zone_map(self) -> ZoneMap:
        """Which zone a pose is in, with hysteresis."""

    @property
    def slots(self) -> NDArray[np.float64]:
        """Slot poses [robot, zone, (x, y, yaw)] in [m, m, rad]."""

    @property
    def centres(self) -> NDArray[np.float64]:
        """Middle of every zone's slots [zone, 2] in [m]."""


@dataclass(frozen=True, eq=False)
class PolygonFloor:
    """Zones as measured polygons.

    Attributes:
        spec: polygons and slots.
        slot: index of every robot's slot in every zone, int [robot], all different.
        margin: [m] how deep in another zone a robot must be to have changed.
        limit: [m] from all zones, beyond which a robot is in none; None: as `ZoneMap` derives it.
    """

    spec: FloorConfig
    slot: NDArray[np.int64]
    margin: float = 0.0
    limit: float | None = None

    @cached_property
    def pads(self) -> tuple[NDArray[np.float64], ...]:
        """One polygon per zone, [corner, 2] in [m]."""
        return tuple(zone.corners for zone in self.spec.zones)

    @cached_property
    def zone_map(self) -> ZoneMap:
        """The polygons with hysteresis."""
        return ZoneMap(self.pads, self.margin, self.limit)

    @cached_property
    def slots(self) -> NDArray[np.float64]:
        """Slot poses [robot, zone, (x, y, yaw)] in [m, m, rad]."""
        return np.stack([zone.slot_poses[self.slot] for zone in self.spec.zones], axis=1)

    @cached_property
    def centres(self) -> NDArray[np.float64]:
        """Middle of every zone's slots [zone, 2] in [m]."""
        return np.stack([zone.slot_poses[:, :2].mean(axis=0) for zone in self.spec.zones])


def floor_of(config: Config) -> Floor:
    """The floor of a configuration."""
    floor: Floor = family_of(config).floor(config)
    return floor


def floor_of_zones(config: Config) -> Floor:
    """The floor of robots in zones: the ring warehouse, or the hall that is measured."""
    if config.floor is None:
        return RingLayout.from_config(config)
    robot = config.robot
    return PolygonFloor(config.floor, np.array(config.slots, dtype=np.int64), robot.zone_margin, robot.zone_limit)
