"""The ring warehouse in the plane: zones as sectors of a ring, rows of slots, one-way lanes beside every row.

Frame `map`: origin in the ring's centre, x to the middle of zone 0, angles counter-clockwise, REP 103 units.

    lane 0 (counter-clockwise) | row 0 | lane 1 (clockwise) | row 1 | lane 2 (counter-clockwise) | ...

Every row has a lane of either direction beside it. Robot i owns the slot (row i mod R, column i div R) in every
zone, so no two robots ever want the same slot, and a robot's own column is free to be crossed at any zone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from meanfleet.config import Config, LayoutConfig
from meanfleet.space.zone_map import ZoneMap

_ARC = math.radians(3.0)  # longest arc a pad's side is drawn with


@dataclass(frozen=True)
class RingLayout:
    """Geometry of the ring for `zones` zones and `robots` robots; `margin` and `limit` [m] are the zone map's."""

    zones: int
    robots: int
    spec: LayoutConfig = field(default_factory=LayoutConfig)
    margin: float = 0.0
    limit: float | None = None

    @classmethod
    def from_config(cls, config: Config) -> RingLayout:
        """The layout of a configuration's warehouse."""
        robot = config.robot
        return cls(len(config.zones), len(config.robots), config.world.layout, robot.zone_margin, robot.zone_limit)

    @property
    def rows(self) -> int:
        """Rows of slots in each pad: about as many as columns, `rows` at most."""
        return min(self.spec.rows, math.isqrt(self.robots - 1) + 1)

    @property
    def columns(self) -> int:
        """Columns of slots in each pad."""
        return -(-self.robots // self.rows)

    @property
    def zone_angle(self) -> float:
        """Angle from a zone's middle to the next zone's [rad]."""
        return 2 * math.pi / self.zones

    @property
    def inner_radius(self) -> float:
        """Radius of row 0 [m]."""
        pitch = self.columns * self.spec.slot_pitch + self.spec.aisle
        return max(self.zones * pitch / (2 * math.pi), 3 * self.spec.lane_offset)

    @property
    def slot_angle(self) -> float:
        """Angle between neighbouring columns [rad]."""
        return self.spec.slot_pitch / self.inner_radius

    @cached_property
    def row_radii(self) -> NDArray[np.float64]:
        """Radius of every row [row], in [m]."""
        return np.asarray(self.inner_radius + 2 * self.spec.lane_offset * np.arange(self.rows), dtype=np.float64)

    @cached_property
    def lane_radii(self) -> NDArray[np.float64]:
        """Radius of every lane [rows + 1], in [m]; even lanes run counter-clockwise."""
        return np.asarray(
            self.inner_radius + self.spec.lane_offset * (2 * np.arange(self.rows + 1) - 1), dtype=np.float64
        )

    @property
    def outer_radius(self) -> float:
        """Radius of the floor's drivable part [m]."""
        return float(self.lane_radii[-1]) + self.spec.lane_offset

    @cached_property
    def row(self) -> NDArray[np.int64]:
        """Row of every robot's slots [robot]."""
        return np.arange(self.robots) % self.rows

    @cached_property
    def column_angle(self) -> NDArray[np.float64]:
        """Angle of every robot's column from the middle of its zone [robot], in [rad]."""
        columns = np.arange(self.robots) // self.rows
        return np.asarray((columns - (self.columns - 1) / 2) * self.slot_angle, dtype=np.float64)

    @cached_property
    def slots(self) -> NDArray[np.float64]:
        """Slot poses [robot, zone, (x, y, yaw)] in [m, m, rad], yaw along the ring, counter-clockwise."""
        angle = self.column_angle[:, None] + self.zone_angle * np.arange(self.zones)
        radius = self.row_radii[self.row][:, None]
        yaw = (angle + math.pi / 2 + math.pi) % (2 * math.pi) - math.pi
        return np.stack([radius * np.cos(angle), radius * np.sin(angle), yaw], axis=-1)

    @cached_property
    def pads(self) -> tuple[NDArray[np.float64], ...]:
        """One polygon per zone, [corner, 2] in [m], covering its slots and the lanes beside them."""
        half = self.columns * self.slot_angle / 2 if self.zones > 1 else math.pi - 1e-3
        inner = max(float(self.lane_radii[0]) - self.spec.lane_offset, 0.1)
        pads = []
        for zone in range(self.zones):
            sweep = zone * self.zone_angle + np.linspace(-half, half, 2 + math.ceil(2 * half / _ARC))
            arc = np.stack([np.cos(sweep), np.sin(sweep)], axis=-1)
            pads.append(np.concatenate([inner * arc, self.outer_radius * arc[::-1]]))
        return tuple(pads)

    @cached_property
    def zone_map(self) -> ZoneMap:
        """The pads with hysteresis over the aisles."""
        return ZoneMap(self.pads, self.margin, self.limit)

    @cached_property
    def centres(self) -> NDArray[np.float64]:
        """Middle of every zone [zone, 2] in [m]."""
        radius = (self.inner_radius + self.outer_radius) / 2
        angles = [self.zone_angle * zone for zone in range(self.zones)]
        return np.array([(radius * math.cos(angle), radius * math.sin(angle)) for angle in angles])
