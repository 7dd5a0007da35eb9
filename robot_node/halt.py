"""Stopping robots: each is told once to stay where it is, as soon as its pose is known. No ROS."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Halt:
    """Who has still to be told.

    Args:
        count: robots.
    """

    def __init__(self, count: int) -> None:
        self.on = False
        self._untold = np.zeros(count, dtype=bool)

    def turn(self, on: bool) -> bool:
        """Follow the stop; True if this changed it."""
        changed, self.on = on != self.on, on
        if changed:
            self.renew()
        return changed

    def renew(self) -> None:
        """Everybody has to be told, anew: on other topics, say."""
        self._untold[:] = self.on

    def due(self, known: NDArray[np.bool_]) -> list[int]:
        """Robots to tell now, given whose pose is `known` [robot]; they count as told from now on."""
        due = self._untold & known
        self._untold &= ~due
        return np.flatnonzero(due).tolist()
