"""Stopping robots: who has to be told to stay where it is. No ROS."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STRAY = 0.5  # [m] from where it was told to stay; more than brakes and localisation make of it


class Halt:
    """Tells each robot once, as soon as its pose is known and somebody listens, and again if it does not stay.

    Args:
        count: robots.
    """

    def __init__(self, count: int) -> None:
        self.on = False
        self._told: NDArray[np.int64] = np.zeros(count, dtype=np.int64)  # how many listeners
        self._at: NDArray[np.float64] = np.full((count, 2), np.nan)  # [m, m] to stay

    def turn(self, on: bool) -> bool:
        """Follow the stop; True if this changed it."""
        changed, self.on = on != self.on, on
        if changed:
            self.renew()
        return changed

    def renew(self) -> None:
        """Everybody has to be told, anew: on other topics, say."""
        self._told[:] = 0
        self._at[:] = np.nan

    def due(
        self, xy: NDArray[np.float64], listeners: NDArray[np.int64], blind: NDArray[np.bool_] | None = None
    ) -> list[int]:
        """Robots to tell now; they count as told from now on.

        A navigation that is found, or starts, during a stop is a listener more: it is told as well. One that rejected
        the goal, or lost it, goes on driving: it is told again.

        Args:
            xy: [robot, 2] where they are [m]; nan: unknown.
            listeners: [robot] who take its goals.
            blind: [robot] who can be told without knowing where they are; None: nobody.
        """
        if not self.on:
            return []
        known = np.isfinite(xy).all(axis=1)
        strayed = np.linalg.norm(xy - self._at, axis=1) > STRAY  # false if one of both is unknown
        reachable = known if blind is None else known | blind
        due = reachable & ((listeners > self._told) | (strayed & (listeners > 0)))
        self._told = np.where(due, listeners, np.minimum(self._told, listeners))
        late = (self._told > 0) & ~np.isfinite(self._at).all(axis=1)  # told before it was known where they are
        self._at[due | late] = xy[due | late]
        return np.flatnonzero(due).tolist()
