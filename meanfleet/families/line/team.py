"""Robots on a line, each on its own track: they tell their bin, and move by their exact place and the priority's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from meanfleet.robot_node.goals import Goal, Goals
from meanfleet.robot_node.team import Orders, Team
from meanfleet.solver.bundle.policy import PolicyBundle

from .bundle import ContinuousBundle
from .tracks import Tracks


class LineTeam(Team):
    """As `Team`; goals are places.

    Args:
        names: robots, in order.
        tracks: the floor.
        bundle: policies.
        seed: of the run; policies on a line draw nothing.
        heartbeat: [s, ROS time] after which an unchanged bin is reported again.
    """

    def __init__(
        self, names: Sequence[str], tracks: Tracks, bundle: ContinuousBundle, seed: int, heartbeat: float
    ) -> None:
        super().__init__(names, tracks.zone_map, bundle, seed, heartbeat)
        self.tracks, self.bundle = tracks, bundle

    def act(self, priority: float) -> Orders:
        """Let every robot that knows its place, and takes part, move under a priority that is a place.

        Each tick's goal is a new one: where the robot is, and its move.
        """
        known = self._ready()
        places = self.tracks.places(self.xy[known])
        moves = self.bundle.moves(places, priority)
        line = self.bundle.line
        goals = np.clip(places + np.asarray(line.moves)[moves], -line.limit, line.limit)
        changed: list[tuple[int, Goal]] = list(zip(known, goals.tolist(), strict=True))
        return Orders(known, self.zones[known].tolist(), moves.tolist(), changed, places.tolist())

    def follow(self, bundle: PolicyBundle) -> None:
        """Move by another bundle from now on."""
        assert isinstance(bundle, ContinuousBundle)
        super().follow(bundle)
        self.bundle = bundle

    def hold(self) -> list[tuple[int, Goal]]:
        """Every robot stays where it is."""
        known = self._ready()
        return list(zip(known, self.tracks.places(self.xy[known]).tolist(), strict=True))


class TrackGoals(Goals):
    """As `Goals`; every robot has one goal at most, a place on its track.

    Args:
        tracks: the floor.
        robots: indices of the robots of this process in the fleet.
        timeout, tolerance: as in `Goals`.
    """

    def __init__(self, tracks: Tracks, robots: Sequence[int], timeout: float | None, tolerance: float) -> None:
        super().__init__(np.full((len(robots), 1, 3), np.nan), timeout, tolerance)
        self._tracks, self._robots = tracks, list(robots)
        self._places: NDArray[np.float64] = np.full(len(robots), np.nan)

    def send(self, robot: int, goal: Goal, now: float) -> tuple[float, float, float]:
        """See `Goals.send`; the goal is a place."""
        if goal != self._places[robot]:
            self._failures[robot] = 0
        self._places[robot] = goal
        self.slots[robot, 0] = self._tracks.poses([self._robots[robot]], [goal])[0]
        return super().send(robot, 0, now)

    def overdue(self, now: float) -> list[tuple[int, Goal]]:
        """See `Goals.overdue`."""
        return [(robot, float(self._places[robot])) for robot, _ in super().overdue(now)]
