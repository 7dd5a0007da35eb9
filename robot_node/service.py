"""Which robots of a process take part: not those an operator has excluded, nor those with a low battery. No ROS."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

STEP = 0.1  # of charge by which `back` exceeds `low` unless it is given


class Service:
    """In or out of service, by robot.

    Args:
        names: robots, in order.
        low: share of charge below which a robot goes out; None: batteries do not count.
        back: share with which it is in again; None: `low` and a tenth, at most 1.

    Attributes:
        odd: how many values of a robot's battery were neither a share nor unknown, by name; they are ignored.
    """

    def __init__(self, names: Sequence[str], low: float | None, back: float | None = None) -> None:
        self.names, self.low = tuple(names), low or 0.0
        self.back = min(self.low + STEP, 1.0) if back is None else back
        self.odd: dict[str, int] = {}
        self._excluded = np.zeros(len(self.names), dtype=bool)
        self._told = self._excluded
        self._share = np.full(len(self.names), np.nan)
        self._empty = np.zeros(len(self.names), dtype=bool)

    @property
    def out(self) -> NDArray[np.bool_]:
        """Who takes no part [robot]."""
        return self._excluded | self._empty

    def exclude(self, names: Collection[str]) -> None:
        """Those, and nobody else, are excluded."""
        self._excluded = np.array([name in names for name in self.names], dtype=bool)

    def newly_excluded(self) -> list[int]:
        """Robots excluded since this was last asked, whether they were in service or not."""
        new = np.flatnonzero(self._excluded & ~self._told).tolist()
        self._told = self._excluded
        return new

    def charge(self, robot: int, share: float) -> None:
        """A battery's charge, 0 to 1. NaN, which stands for unknown, and what is no share change nothing."""
        if np.isnan(share):
            return
        if not 0 <= share <= 1:
            self.odd[self.names[robot]] = self.odd.get(self.names[robot], 0) + 1
            return
        self._share[robot] = share
        self._empty[robot] = share < self.low or (self._empty[robot] and share < self.back)

    @property
    def reasons(self) -> dict[str, str]:
        """Why robots are out, by name."""
        said = {}
        for i in np.flatnonzero(self.out).tolist():
            said[self.names[i]] = "excluded" if self._excluded[i] else f"battery at {100 * self._share[i]:.0f} %"
        return said
