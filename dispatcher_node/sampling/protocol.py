"""What designs know of the robots, and what every design does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from meanfleet.base.arrays import BoolArray, FloatArray, IntArray

NEVER = -1
MEMORY = 20  # ticks after which a robot's last zone counts as unknown


class Roster:
    """When every robot was asked last, and what it said: int64 [robot], −1 for never or unknown.

    Attributes:
        asked: tick of the last poll.
        zone: zone last told.
        told: tick at which that zone was true.
        priority: s_g of the tick that draws.
    """

    def __init__(self, robots: int) -> None:
        self.priority = 0
        self.asked, self.zone, self.told = (np.full(robots, NEVER, dtype=np.int64) for _ in range(3))

    def __len__(self) -> int:
        return len(self.asked)

    def known(self, tick: int) -> IntArray:
        """Last zone of every robot [robot], −1 if it told none within MEMORY ticks."""
        return np.where((self.told != NEVER) & (self.told >= tick - MEMORY), self.zone, NEVER)

    def hear(self, robot: int, zone: int, tick: int, age: int = 0) -> bool:
        """Note at `tick` a zone that was true `age` ticks ago; False if the robot has told as late a one already."""
        if age > 0 and tick - age <= self.told[robot]:
            return False
        self.zone[robot], self.told[robot] = zone, tick - age
        return True

    def state(self) -> dict[str, Any]:
        """JSON-ready."""
        return {name: getattr(self, name).tolist() for name in ("asked", "zone", "told")}

    def restored(self, state: Mapping[str, Any], zones: int) -> Roster:
        """A new roster that goes on from `state`.

        Raises:
            ValueError, KeyError or TypeError: it is none of this fleet.
        """
        new = Roster(len(self))
        for name in ("asked", "zone", "told"):
            values = np.array(state[name], dtype=np.int64).reshape(len(self))
            if values.min() < NEVER or (name == "zone" and values.max() >= zones):
                raise ValueError("out of range")
            setattr(new, name, values)
        return new


class Design(Protocol):
    """A way to choose robots."""

    name: str
    unbiased: bool  # whether estimates reweighted by `inclusion` are unbiased for the whole fleet
    inclusion_is: str  # how exact `inclusion` is

    def draw(self, count: int, free: BoolArray, roster: Roster, tick: int, rng: np.random.Generator) -> IntArray:
        """Up to `count` different robots out of those that are free [robot]; fewer if the design allows no more."""

    def inclusion(self, count: int, among: BoolArray, roster: Roster, tick: int) -> FloatArray:
        """Probability of each robot [robot] to be in a draw of `count` out of those `among` [robot]; 0 for others."""
