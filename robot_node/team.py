"""The robots of one process without ROS: where they are, what they are told, where they go. Arrays over robots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfleet.floors.frames import named, refusal
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.space.zone_map import NOWHERE, ZoneMap

from .goals import Goal
from .robot import Robot, robot_seed

FAR = 1e7  # [m] beyond it a position is garbage: not even the earth is that large
NAMED = 20  # robots named in a complaint at most


@dataclass(frozen=True)
class Orders:
    """What a tick made the robots do.

    Attributes:
        robots: indices of those that know their zone.
        zones: their zones.
        moves: their moves.
        changed: (robot, goal) of those whose goal changed.
        places: their places on the line; None: robots go to zones.
    """

    robots: list[int]
    zones: list[int]
    moves: list[int]
    changed: list[tuple[int, Goal]]
    places: list[float] | None = None


@dataclass(frozen=True)
class Complaints:
    """What is wrong with robots' poses.

    Attributes:
        bad: how many of a robot's poses were no finite numbers, by name.
        strange: the frame, not known, in which a robot's latest poses came, by name.
        silent: how old a robot's last pose is [s], by name; None if it never had one. At most `NAMED` of them.
        silent_count: of all such robots.
        outside: robots that are outside all zones, by name.
    """

    bad: dict[str, int]
    silent: dict[str, float | None]
    silent_count: int
    strange: dict[str, str] = field(default_factory=dict)
    outside: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.bad or self.silent or self.strange or self.outside)

    @property
    def text(self) -> str:
        """In one line."""
        parts = []
        if self.bad:
            parts.append(f"poses of {_few(self.bad)} are no finite numbers")
        if self.strange:
            whose: dict[str, list[str]] = {}
            for name, frame in self.strange.items():
                whose.setdefault(frame, []).append(name)
            frames = f"frame{'s' if len(whose) > 1 else ''} {named(whose)}"
            parts.append(f"poses of {_few(self.strange)} are refused: they come in {frames}, {refusal(whose)}")
        if self.outside:
            parts.append(f"outside all zones, so that nobody counts on them: {_few(self.outside)}")
        if self.silent:
            parts.append(f"no fresh pose of {_few(self.silent, self.silent_count)}")
        return "; ".join(parts)


def _few(names: Iterable[str], count: int | None = None) -> str:
    some = list(names)
    count = len(some) if count is None else count
    return ", ".join(some[:3]) + (f" and {count - 3} more" if count > 3 else "")


class Team:
    """Positions, zones and goals of the robots of one process.

    Args:
        names: robots, in order.
        zone_map: pads of all zones, frame `map`.
        bundle: policies.
        seed: the run's seed; every robot draws from its own stream.
        heartbeat: [s, ROS time] after which an unchanged zone is reported again.
        kinds: index of every robot's type; None: all are alike.
    """

    def __init__(
        self,
        names: Sequence[str],
        zone_map: ZoneMap,
        bundle: PolicyBundle,
        seed: int,
        heartbeat: float,
        kinds: Sequence[int] | None = None,
    ) -> None:
        self.names, self.zone_map, self.heartbeat = tuple(names), zone_map, heartbeat
        kinds = kinds or [0] * len(self.names)
        self.robots = [Robot(bundle, robot_seed(seed, name), kind) for name, kind in zip(names, kinds, strict=True)]
        count = len(self.names)
        self.xy: NDArray[np.float64] = np.full((count, 2), np.nan)
        self.yaw: NDArray[np.float64] = np.zeros(count)
        self.posed: NDArray[np.float64] = np.full(count, -np.inf)  # stamps of the last poses
        self.seen: NDArray[np.float64] = self.posed.copy()  # when positions were last known to be true
        self.zones: NDArray[np.int64] = np.full(count, NOWHERE, dtype=np.int64)
        self.goals: NDArray[np.int64] = np.full(count, NOWHERE, dtype=np.int64)
        self._told_zone: NDArray[np.int64] = self.zones.copy()
        self._told_at: NDArray[np.float64] = self.seen.copy()
        self._moved = np.zeros(count, dtype=bool)
        self.out = np.zeros(count, dtype=bool)  # robots that take no part
        self._bad: dict[int, int] = {}  # poses ignored since they were last told of, by robot
        self._strange: dict[int, str] = {}  # frames of poses refused since then

    def see(self, robot: int, x: float, y: float, stamp: float, yaw: float = 0.0) -> None:
        """Store a pose [m, m, rad] in frame `map`, true at `stamp` [s]; one that is garbage is only counted."""
        if not (abs(x) <= FAR and abs(y) <= FAR and isfinite(stamp)):
            self._bad[robot] = self._bad.get(robot, 0) + 1
            return
        self.xy[robot], self.yaw[robot] = (x, y), yaw
        self.posed[robot] = self.seen[robot] = stamp
        self._moved[robot] = True

    def never_seen(self) -> list[tuple[int, str]]:
        """Robots that take part and had no usable pose so far, with the frame of one refused for it since then."""
        found = np.flatnonzero(np.isneginf(self.seen) & ~self.out).tolist()
        return [(robot, self._strange.get(robot, "")) for robot in found]

    def refuse(self, robot: int, frame: str) -> None:
        """Note that a robot's pose came in a frame that is not known."""
        self._strange[robot] = frame

    def keep(self, alive: ArrayLike, now: float, hold: float) -> None:
        """Positions of robots whose localisation is `alive` (bool [robot]) but silent are still true at `now` [s].

        Localisation such as AMCL publishes when the robot has moved, so its silence says that it has not. That is
        believed for `hold` [s] after the last pose: one that hangs looks the same.
        """
        alive = np.asarray(alive, dtype=np.bool_)
        ahead = alive & (self.seen > now + self.heartbeat)  # true by a clock that jumped back: the hold starts anew
        self.posed[ahead] = self.seen[ahead] = now
        self._moved[ahead] = True
        silent = alive & (self.seen < now) & (now - self.posed <= hold)
        self.seen[silent] = now
        self._moved[silent] = True

    def complaints(self, now: float, limit: float) -> Complaints:
        """What is wrong with the robots' poses at `now` [s], if one may be `limit` [s] old; counts start anew."""
        bad, self._bad = self._bad, {}
        strange, self._strange = self._strange, {}
        silent = np.flatnonzero((now - self.seen > limit) & ~self.out)
        outside = np.flatnonzero(np.isfinite(self._told_at) & (self.zones == NOWHERE) & ~self.out)
        ages = {self.names[i]: age for i, age in zip(silent.tolist(), (now - self.seen[silent]).tolist(), strict=True)}
        return Complaints(
            {self.names[i]: count for i, count in bad.items()},
            {name: age if isfinite(age) else None for name, age in list(ages.items())[:NAMED]},
            len(ages),
            {self.names[i]: frame for i, frame in strange.items()},
            tuple(self.names[i] for i in outside.tolist()),
        )

    def reports(self) -> list[tuple[int, int, float]]:
        """(robot, zone, stamp) to publish now: zones that changed, and those whose heartbeat is due; NOWHERE too."""
        moved = np.flatnonzero(self._moved & ~self.out)
        if not len(moved):
            return []
        self._moved[moved] = False
        self.zones[moved] = self.zone_map.locate(self.xy[moved], self.zones[moved])
        due = np.abs(self.seen[moved] - self._told_at[moved]) >= self.heartbeat
        due |= self.zones[moved] != self._told_zone[moved]
        robots = moved[due]
        self._told_zone[robots], self._told_at[robots] = self.zones[robots], self.seen[robots]
        return list(zip(robots.tolist(), self.zones[robots].tolist(), self.seen[robots].tolist(), strict=True))

    def act(self, priority: float) -> Orders:
        """Let every robot that knows its zone, and takes part, draw a move under `priority`, a zone's index."""
        known = self._ready()
        zones, index = self.zones[known].tolist(), int(priority)
        moves = [self.robots[i].move(zone, index) for i, zone in zip(known, zones, strict=True)]
        goals = [self.robots[i].goal(zone, move) for i, zone, move in zip(known, zones, moves, strict=True)]
        return Orders(known, zones, moves, self._send(known, goals))

    def follow(self, bundle: PolicyBundle) -> None:
        """Draw moves from another bundle's π_l from now on, every robot from its own stream as before."""
        for robot in self.robots:
            robot.follow(bundle)

    def hold(self) -> list[tuple[int, Goal]]:
        """Every robot stays in its zone; (robot, goal) of those whose goal changed."""
        known = self._ready()
        return self._send(known, self.zones[known].tolist())

    def forget_goals(self, robots: Iterable[int] | None = None) -> None:
        """Whatever they (None: all) were told to do no longer holds: the next goal of each is a new one."""
        self.goals[slice(None) if robots is None else list(robots)] = NOWHERE

    def withdraw(self, out: NDArray[np.bool_]) -> list[int]:
        """Robots `out` [robot] take no part from now on; those withdrawn by this are returned.

        One that comes back reports its zone at its next pose, and has no goal yet.
        """
        gone, back = np.flatnonzero(out & ~self.out), np.flatnonzero(~out & self.out)
        self.out = out.copy()
        self._told_at[back] = -np.inf
        self.goals[back] = NOWHERE
        return gone.tolist()

    def _ready(self) -> list[int]:
        return np.flatnonzero((self.zones != NOWHERE) & ~self.out).tolist()

    def _send(self, robots: list[int], goals: list[int]) -> list[tuple[int, Goal]]:
        changed: list[tuple[int, Goal]] = [
            (i, goal) for i, goal in zip(robots, goals, strict=True) if goal != self.goals[i]
        ]
        for i, goal in changed:
            self.goals[i] = int(goal)
        return changed
