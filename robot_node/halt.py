"""Stopping robots: each is told once to stay where it is, when its pose is known and somebody listens. No ROS."""

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
        self._told: NDArray[np.int64] = np.zeros(count, dtype=np.int64)  # how many listeners

    def turn(self, on: bool) -> bool:
        """Follow the stop; True if this changed it."""
        changed, self.on = on != self.on, on
        if changed:
            self.renew()
        return changed

    def renew(self) -> None:
        """Everybody has to be told, anew: on other topics, say."""
        self._told[:] = 0

    def due(self, known: NDArray[np.bool_], listeners: NDArray[np.int64]) -> list[int]:
        """Robots to tell now; they count as told from now on.

        A navigation that is found, or starts, during a stop is a listener more: it is told as well.

        Args:
            known: [robot] whether its pose is known.
            listeners: [robot] subscriptions to its goals.
        """
        if not self.on:
            return []
        due = known & (listeners > self._told)
        self._told = np.where(due, listeners, np.minimum(self._told, listeners))
        return np.flatnonzero(due).tolist()
