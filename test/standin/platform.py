"""A robot with Nav2 as seen from outside: it takes goals, drives, and says where it is when it has moved. No ROS.

Its flaws are those of real ones: localisation is noisy and sometimes loses an update, goals are rejected at random, and
a robot may be stuck.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

Pose = tuple[float, float, float]
UPDATE_DISTANCE = 0.25  # [m] AMCL's update_min_d: it is silent until the robot has moved this far
UPDATE_TURN = 0.2  # [rad] AMCL's update_min_a
REACHED = 0.1  # [m]
SILENCE = 3.0  # [s] of a localisation that has lost its way


@dataclass(frozen=True)
class Flaws:
    """What is wrong with a robot.

    Attributes:
        noise: [m] standard deviation of its localisation, in x and in y.
        dropout: probability that its localisation falls silent for `SILENCE` instead of telling an update.
        rejection: probability that it rejects a goal.
        stuck: whether it never moves.
    """

    noise: float = 0.0
    dropout: float = 0.0
    rejection: float = 0.0
    stuck: bool = False


@dataclass
class Platform:
    """One robot.

    Attributes:
        pose: where it truly is, [m, m, rad] in frame `map`.
        speed: [m/s].
        flaws: what is wrong with it.
        draws: its own random numbers.
    """

    pose: Pose
    speed: float
    flaws: Flaws
    draws: random.Random
    goal: Pose | None = None
    _told: Pose | None = field(default=None, init=False)
    _silent: float = field(default=0.0, init=False)  # [s] left of a silence

    def command(self, goal: Pose) -> bool:
        """Take a goal in the place of the one before, or reject it; returns whether it is taken."""
        if self.draws.random() < self.flaws.rejection:
            return False
        self.goal = goal
        return True

    def drive(self, seconds: float) -> bool:
        """Go towards the goal; returns whether it was reached just now."""
        self._silent = max(self._silent - seconds, 0.0)
        if self.goal is None or self.flaws.stuck:
            return False
        x, y, _ = self.pose
        way_x, way_y = self.goal[0] - x, self.goal[1] - y
        left = math.hypot(way_x, way_y)
        step = min(self.speed * seconds, left)
        if left - step <= REACHED:
            self.pose, self.goal = self.goal, None
            return True
        self.pose = (x + way_x * step / left, y + way_y * step / left, math.atan2(way_y, way_x))
        return False

    def localise(self) -> Pose | None:
        """What its localisation publishes now, if anything."""
        if self._silent or not self._has_moved():
            return None
        if self._told is not None and self.draws.random() < self.flaws.dropout:
            self._silent = SILENCE
            return None
        return self.update()

    def update(self) -> Pose:
        """Where its localisation takes it to be, told now."""
        self._told = x, y, yaw = self.pose
        return x + self.draws.gauss(0, self.flaws.noise), y + self.draws.gauss(0, self.flaws.noise), yaw

    def _has_moved(self) -> bool:
        if self._told is None:
            return True
        moved = math.hypot(self.pose[0] - self._told[0], self.pose[1] - self._told[1])
        return moved >= UPDATE_DISTANCE or abs(math.remainder(self.pose[2] - self._told[2], math.tau)) >= UPDATE_TURN
