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
PAUSE = 1.0  # [s, ROS time] from a goal's first failure until it is sent again; doubled with each in a row
DOUBLINGS = 20  # at most, or the pause would exceed any float
LONGEST = 60.0  # [s, ROS time] pause where there is no timeout
Goal = float
"""Where a robot is to go: the index of a zone, or a place on a line."""


class Goals:
    """Goals of the robots of one process.

    Args:
        slots: float64 [robot, zone, (x, y, yaw)], in [m, m, rad], frame `map`.
        timeout: [s, ROS time] until a goal that was not reached is due again; None: only if it failed.
        tolerance: [m] from the slot within which it is reached.
    """

    def __init__(self, slots: NDArray[np.float64], timeout: float | None, tolerance: float) -> None:
        self.slots, self.timeout, self.tolerance = slots, timeout, tolerance
        self._zone: NDArray[np.int64] = np.full(len(slots), NONE, dtype=np.int64)
        self._since: NDArray[np.float64] = np.zeros(len(slots))  # [s] sent, or failed
        self._wait: NDArray[np.float64] = np.zeros(len(slots))  # [s] from then on until it is due again
        self._failures: NDArray[np.int64] = np.zeros(len(slots), dtype=np.int64)  # in a row, of the same goal

    def send(self, robot: int, goal: Goal, now: float) -> tuple[float, float, float]:
        """Note a goal that is sent at `now` [s]; returns its pose."""
        zone = int(goal)
        if zone != self._zone[robot]:
            self._failures[robot] = 0
        self._zone[robot], self._since[robot], self._wait[robot] = zone, now, self.timeout or np.inf
        x, y, yaw = self.slots[robot, zone].tolist()
        return x, y, yaw

    def fail(self, robot: int, now: float) -> None:
        """The navigation rejected the goal, or gave it up: it is due again after a pause, at most the timeout."""
        if self._zone[robot] == NONE:
            return
        pause = PAUSE * 2.0 ** min(self._failures[robot], DOUBLINGS)
        self._failures[robot] += 1
        self._since[robot], self._wait[robot] = now, min(pause, self.timeout or LONGEST)

    def reach(self, robot: int) -> None:
        """The navigation says that the goal is reached."""
        self._zone[robot] = NONE

    def look(self, xy: NDArray[np.float64]) -> None:
        """Take goals that robots at xy [robot, 2] have reached off the list; an unknown position (nan) reaches none."""
        robots = np.flatnonzero(self._zone != NONE)
        gap = np.linalg.norm(xy[robots] - self.slots[robots, self._zone[robots], :2], axis=1)
        self._zone[robots[gap <= self.tolerance]] = NONE

    def overdue(self, now: float) -> list[tuple[int, Goal]]:
        """(robot, goal) of goals sent longer ago than the timeout and not reached, or failed a pause ago.

        A clock that jumped back to before a goal was sent makes it due as well.
        """
        waited = now - self._since
        late = (waited >= self._wait) | ((waited < 0) & np.isfinite(self._wait))
        due = np.flatnonzero((self._zone != NONE) & late)
        return list(zip(due.tolist(), self._zone[due].tolist(), strict=True))

    def drop(self, robots: Iterable[int] | None = None) -> list[int]:
        """Give goals up, of these robots or of all; returns those that were driving."""
        some = np.arange(len(self._zone)) if robots is None else np.array(list(robots), dtype=np.int64)
        driving: list[int] = some[self._zone[some] != NONE].tolist()
        self._zone[some] = NONE
        return driving
