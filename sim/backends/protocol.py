"""What every world offers to the simulation loop and to the ROS node."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Backend(Protocol):
    """A world of n robots. Zones are indices; poses are in frame `map`, [m, m, rad]."""

    @property
    def time(self) -> float:
        """Simulated time since the start [s]."""

    @property
    def poses(self) -> NDArray[np.float64]:
        """Poses [robot, (x, y, yaw)]."""

    @property
    def velocities(self) -> NDArray[np.float64]:
        """Velocities [robot, (vx, vy, yaw rate)] in frame `map`, [m/s, m/s, rad/s]."""

    @property
    def zones(self) -> NDArray[np.int64]:
        """True zone of every robot [robot], by the zone map with its hysteresis."""

    def hear(self, priority: int) -> None:
        """Tell the world the priority of the tick that begins; only the model world depends on it."""

    def send(self, robots: NDArray[np.int64], goals: NDArray[np.int64], moves: NDArray[np.int64] | None = None) -> None:
        """Send robots [m] to their own slots in zones goals [m]; a goal stands until the next one.

        `moves` [m] are the robots' moves where the caller knows them; worlds of bodies have no use for them.
        """

    def send_to(self, robots: NDArray[np.int64], xy: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Send robots [m] to positions [m, 2]; which of these [m] are goals: others are ignored.

        Where robots go to zones, a position on a pad stands for the robot's own slot of that zone.
        """

    def advance(self, seconds: float) -> None:
        """Simulate for `seconds`, rounded to whole physics steps."""

    def statistics(self) -> dict[str, Any]:
        """Counts since the start, JSON-ready: goals, contacts, floor; see the backend."""

    def close(self) -> None:
        """Release what the world holds."""
