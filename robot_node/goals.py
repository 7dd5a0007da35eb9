"""Which goals are on their way: reached, or to be sent again. No ROS.

No two robots share a slot: robot i owns slot i of every zone (or the slot that the configuration gives it), and the
configuration is refused unless every zone has that many. So nothing need be asked of other robots, and it holds
whatever is lost, late or restarted. What it does not promise: that a slot is free of things that are no robots of this
fleet, or of one that stands where it was not sent to; avoiding those is the navigation's part.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

NONE = -1
Goal = float
"""Where a robot is to go: the index of a zone, or a place on a line."""


class Goals:
    """Goals of the robots of one process.

    Args:
        slots: float64 [robot, zone, (x, y, yaw)], in [m, m, rad], frame `map`.
        timeout: [s, ROS time] until a goal that was not reached is due again; None: never.
        tolerance: [m] from the slot within which it is reached.
    """

    def __init__(self, slots: NDArray[np.float64], timeout: float | None, tolerance: float) -> None:
        self.slots, self.timeout, self.tolerance = slots, timeout, tolerance
        self._zone: NDArray[np.int64] = np.full(len(slots), NONE, dtype=np.int64)
        self._sent: NDArray[np.float64] = np.zeros(len(slots))

    def send(self, robot: int, goal: Goal, now: float) -> tuple[float, float, float]:
        """Note a goal that is sent at `now` [s]; returns its pose."""
        zone = int(goal)
        self._zone[robot], self._sent[robot] = zone, now
        x, y, yaw = self.slots[robot, zone].tolist()
        return x, y, yaw

    def look(self, xy: NDArray[np.float64]) -> None:
        """Take goals that robots at xy [robot, 2] have reached off the list; an unknown position (nan) reaches none."""
        robots = np.flatnonzero(self._zone != NONE)
        gap = np.linalg.norm(xy[robots] - self.slots[robots, self._zone[robots], :2], axis=1)
        self._zone[robots[gap <= self.tolerance]] = NONE

    def overdue(self, now: float) -> list[tuple[int, Goal]]:
        """(robot, goal) of goals sent longer ago than the timeout and not reached.

        A clock that jumped back to before a goal was sent makes it due as well.
        """
        if self.timeout is None:
            return []
        waited = now - self._sent
        due = np.flatnonzero((self._zone != NONE) & ((waited >= self.timeout) | (waited < 0)))
        return list(zip(due.tolist(), self._zone[due].tolist(), strict=True))

    def drop(self, robots: Iterable[int] | None = None) -> list[int]:
        """Give goals up, of these robots or of all; returns those that were driving."""
        some = np.arange(len(self._zone)) if robots is None else np.array(list(robots), dtype=np.int64)
        driving: list[int] = some[self._zone[some] != NONE].tolist()
        self._zone[some] = NONE
        return driving
