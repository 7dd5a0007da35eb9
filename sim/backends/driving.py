"""What the worlds with driving robots share: the traffic law, zones, counted trips, and a look at every physics step.

A backend adds how commanded velocities become motion (`_move`): exactly (kinematic) or through rigid bodies (bullet).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfleet.config import Config
from meanfleet.floors.ring import RingLayout
from meanfleet.space.zone_map import NOWHERE

from ..routes import PARKED, drive_of, parked_fleet, redirect, ring_of
from ..traffic import steer
from .contacts import Contacts

_YAW_RATE = 3.0  # [rad/s] at most; robots are holonomic, so yaw only follows
_LATE = 3.0  # a trip is late if it takes longer than this many free-flow times
_BINS, _BIN = 400, 0.05  # histogram of travel time over free-flow time; the last bin holds the rest
_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


class Trips:
    """Counts what became of every goal.

    A goal is sent when a robot gets another goal than before and is not parked there; it ends reached or superseded.
    It is late if it was reached in more than 3 free-flow times, or is not reached although those have passed.
    """

    def __init__(self, robots: int) -> None:
        self._open = np.zeros(robots, dtype=np.bool_)
        self._sent_at = np.zeros(robots)
        self.free_flow = np.zeros(robots)
        self._ratios = np.zeros(_BINS, dtype=np.int64)
        self._slowest = 0.0
        self._sent = self._superseded = self._on_time = self._late_unreached = 0

    def send(self, robots: _Ints, free_flow: _Floats, time: float) -> None:
        """Robots [m] get new goals at `time` [s], `free_flow` [m] seconds away; 0: it is already there."""
        old = robots[self._open[robots]]
        self._superseded += len(old)
        self._late_unreached += int(np.sum(self._is_late(time)[old]))
        self._sent += int(np.count_nonzero(free_flow > 0))
        self._open[robots] = free_flow > 0
        self._sent_at[robots] = time
        self.free_flow[robots] = free_flow

    def arrive(self, parked: NDArray[np.bool_], time: float) -> None:
        """At `time` [s], robots with `parked` [robot] set stand in the slot of their goal."""
        done = self._open & parked
        if not done.any():
            return
        ratio = (time - self._sent_at[done]) / self.free_flow[done]
        self._on_time += int(np.count_nonzero(ratio <= _LATE))
        self._slowest = max(self._slowest, float(ratio.max()))
        np.add.at(self._ratios, np.minimum(ratio / _BIN, _BINS - 1).astype(np.int64), 1)
        self._open[done] = False

    def statistics(self, time: float) -> dict[str, Any]:
        """Counts up to `time` [s], JSON-ready."""
        reached = int(self._ratios.sum())
        late_unreached = self._late_unreached + int(np.count_nonzero(self._open & self._is_late(time)))
        judged = reached + late_unreached
        return {
            "goals_sent": self._sent,
            "goals_reached": reached,
            "goals_superseded": self._superseded,
            "goals_open": int(np.count_nonzero(self._open)),
            "goals_late": judged - self._on_time,
            "reached_within_3x": self._on_time,
            "on_time_fraction": self._on_time / judged if judged else 1.0,
            "travel_over_free_flow": {
                "median": self._quantile(0.5),
                "p95": self._quantile(0.95),
                "p99": self._quantile(0.99),
                "max": self._slowest,
            },
        }

    def _is_late(self, time: float) -> NDArray[np.bool_]:
        late: NDArray[np.bool_] = time - self._sent_at > _LATE * self.free_flow
        return late

    def _quantile(self, fraction: float) -> float:
        """Upper end of the bin that holds the quantile, 0 without arrivals."""
        total = np.cumsum(self._ratios)
        return _BIN * float(np.searchsorted(total, fraction * total[-1]) + 1) if total[-1] else 0.0


class DrivingWorld(ABC):
    """Robots under the traffic law; implements `Backend` up to how they move.

    Args:
        config: zones, robots and `world`.
        seed: breaks ties between robots that want to merge at the same time.
        start_zones: zones [robot] in whose own slots the robots stand at the start.

    Attributes:
        layout, ring: geometry, and the traffic law's view of it.
        spec, drive: the world's configuration, and the traffic law's view of it.
        fleet: the traffic state of all robots.
        contacts: who touches whom, seen at every step.

    Raises:
        ValueError: start_zones has another shape than [robot], or names unknown zones.
    """

    def __init__(self, config: Config, seed: int, start_zones: ArrayLike) -> None:
        self.layout = RingLayout.from_config(config)
        self.spec = config.world
        zones = _zone_array("start_zones", start_zones, (self.layout.robots,), self.layout.zones)
        start = self.layout.slots[np.arange(self.layout.robots), zones]
        self.ring, self.drive = ring_of(self.layout), drive_of(config.world)
        self.fleet = parked_fleet(zones, np.random.default_rng(seed).permutation(len(zones)) / len(zones))
        self._xy, self._yaw = start[:, :2].copy(), start[:, 2].copy()
        self._velocity, self._yaw_rate = np.zeros_like(self._xy), np.zeros_like(self._yaw)
        self._zones, self._looked_at = self.layout.zone_map.locate(self._xy), self._xy.copy()
        self._driven = np.zeros_like(self._xy)  # the part of the velocity that is the robot's own
        self._steps, self._owed = 0, 0.0
        # Often enough that a robot cannot drive across a whole pad unseen.
        pad = self.layout.columns * self.layout.slot_angle * float(self.layout.lane_radii[0])
        self._steps_per_look = max(1, int(pad / 2 / (self.spec.speed * self.spec.step)))
        self._trips = Trips(self.layout.robots)
        sizes = config.world.layout
        room = min(sizes.slot_pitch, sizes.lane_offset) - self._diameter
        self.contacts = Contacts(self._xy, self._diameter, room)
        self._left_floor = np.zeros(self.layout.robots, dtype=np.bool_)

    @property
    def time(self) -> float:
        """Simulated time since the start [s]."""
        return self._steps * self.spec.step

    @property
    def poses(self) -> _Floats:
        """Poses [robot, (x, y, yaw)] in [m, m, rad], frame `map`."""
        return np.column_stack([self._xy, self._yaw])

    @property
    def velocities(self) -> _Floats:
        """Velocities [robot, (vx, vy, yaw rate)] over the last step, in [m/s, m/s, rad/s]."""
        return np.column_stack([self._velocity, self._yaw_rate])

    @property
    def zones(self) -> _Ints:
        """True zone of every robot [robot], by the zone map with its hysteresis."""
        self._look()
        return self._zones.copy()

    @property
    def free_flow(self) -> _Floats:
        """Time [robot] in [s] that each robot's last goal takes alone on the ring, from where it was sent."""
        return self._trips.free_flow.copy()

    def hear(self, priority: int) -> None:  # noqa: B027, not for backends to fill in
        """Nothing: driving does not depend on the priority."""

    def send(self, robots: ArrayLike, goals: ArrayLike, moves: ArrayLike | None = None) -> None:
        """Send robots [m] to their own slots in zones goals [m]; sending the goal a robot has changes nothing.

        How they get there is the traffic law's business: `moves` is not used.

        Raises:
            ValueError: shapes differ, or a robot or zone does not exist.
        """
        who = _zone_array("robots", robots, None, self.layout.robots)
        where = _zone_array("goals", goals, who.shape, self.layout.zones)
        new = where != self.fleet.goal[who]
        who, where = who[new], where[new]
        free_flow = redirect(self.fleet, self.ring, self.drive, self._xy, self._driven, who, where)
        # However short a trip is, its end shows only after a step that begins it and one that ends it.
        free_flow = np.where(free_flow > 0, np.maximum(free_flow, 2 * self.spec.step), 0.0)
        self._trips.send(who, free_flow, self.time)

    def send_to(self, robots: ArrayLike, xy: ArrayLike) -> NDArray[np.bool_]:
        """See `Backend.send_to`."""
        zones = self.layout.zone_map.pad_of(xy)
        on_pad = zones != NOWHERE
        self.send(np.asarray(robots)[on_pad], zones[on_pad])
        return np.asarray(on_pad)

    def advance(self, seconds: float) -> None:
        """Simulate for `seconds`, rounded to whole physics steps; what is rounded off is made up for later."""
        self._owed += seconds
        steps = max(0, round(self._owed / self.spec.step))
        self._owed -= steps * self.spec.step
        for _ in range(steps):
            self.move(steer(self.fleet, self.ring, self.drive, self._xy, self._driven))
            if self._steps % self._steps_per_look == 0:
                self._look()

    def statistics(self) -> dict[str, Any]:
        """Cumulative, JSON-ready: what became of goals (`Trips`), and what every physics step looked like.

        `min_separation` is the smallest distance of two centres over two radii; `overlaps` counts pairs and steps below
        0.8 of that; `contacts` counts touches that began, also those within a step; `off_floor` counts robots that ever
        left the ring by 1 m (bullet: or tilted, sank or rose).
        """
        return {
            **self._trips.statistics(self.time),
            **self.contacts.statistics(),
            "off_floor": int(np.count_nonzero(self._left_floor)),
        }

    def close(self) -> None:  # noqa: B027, backends may hold something
        """Nothing to release."""

    def place(self, robot: int, x: float, y: float) -> None:
        """Lift a robot to another position [m], as an accident would; the traffic law has to cope with it."""
        self._xy = self._xy.copy()
        self._xy[robot] = x, y

    def move(self, velocity: _Floats) -> None:
        """One physics step with commanded velocities [robot, 2] in [m/s], frame `map`; whose they are is not asked.

        `advance` commands what the traffic law wants.
        """
        step, before, yaw_before = self.spec.step, self._xy, self._yaw
        self._integrate(velocity, _yaw_rates(velocity, yaw_before, _YAW_RATE, step))
        self._steps += 1
        self._velocity = (self._xy - before) / step
        self._yaw_rate = wrapped(self._yaw - yaw_before) / step
        # A robot that is held back starts from its real speed, but a shove is not taken for driving.
        self._driven = np.where(velocity * self._velocity > 0, _smaller(velocity, self._velocity), 0.0)
        self.contacts.look(before, self._xy)
        self._left_floor |= np.hypot(self._xy[:, 0], self._xy[:, 1]) > self.layout.outer_radius + 1.0
        self._trips.arrive((self.fleet.phase == PARKED) & (self.fleet.zone == self.fleet.goal), self.time)

    @abstractmethod
    def _integrate(self, velocity: _Floats, yaw_rate: _Floats) -> None:
        """Go on by one step with velocity [robot, 2] and yaw_rate [robot]; set _xy, _yaw, and mark _left_floor."""

    @property
    def _diameter(self) -> float:
        return 2 * self.spec.layout.robot_radius

    def _look(self) -> None:
        moved = np.flatnonzero((self._xy != self._looked_at).any(axis=1))
        self._zones[moved] = self.layout.zone_map.locate(self._xy[moved], self._zones[moved])
        self._looked_at = self._xy.copy()


def _zone_array(name: str, values: ArrayLike, shape: tuple[int, ...] | None, end: int) -> _Ints:
    """Values as int64 of the given shape (None: any [m]) in 0..end-1."""
    array = np.asarray(values)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.ndim != 1 or (shape is not None and array.shape != shape):
        raise ValueError(f"{name}: expected shape {shape or '[m]'}, got {array.shape}")
    if array.dtype.kind not in "iu" or (array.size and not (array.min() >= 0 and array.max() < end)):
        raise ValueError(f"{name}: expected integers from 0 to {end - 1}")
    return array.astype(np.int64)


def _smaller(a: _Floats, b: _Floats) -> _Floats:
    """Elementwise, whichever has the smaller magnitude."""
    return np.where(np.abs(a) < np.abs(b), a, b)


def wrapped(angle: _Floats) -> _Floats:
    """Angles [rad] in [-π, π)."""
    return (angle + math.pi) % (2 * math.pi) - math.pi


def _yaw_rates(velocity: _Floats, yaw: _Floats, limit: float, step: float) -> _Floats:
    """Rates [robot] in [rad/s], |rate| <= limit, that turn moving robots into the direction they drive in."""
    rates = np.clip(wrapped(np.arctan2(velocity[:, 1], velocity[:, 0]) - yaw) / step, -limit, limit)
    return np.where(np.sum(velocity**2, axis=1) > 0.1**2, rates, 0.0)
