"""Rules of thumb for the continuous warehouse: what a learned or solved policy has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.arrays import FloatArray, IntArray

from .rollouts import Decide
from .warehouse import ContinuousWarehouse


def nearest_target(warehouse: ContinuousWarehouse, priority: FloatArray) -> IntArray:
    """The dispatch [fleet] whose target is nearest to s_g [fleet]."""
    return np.asarray(np.argmin(np.abs(priority[:, None] - warehouse.tau), axis=1))


@dataclass(frozen=True)
class Hold:
    """Steers to the target nearest to the first s_g, for ever; asks nobody."""

    warehouse: ContinuousWarehouse
    k: int = 0

    def begin(self, fleets: int, rng: np.random.Generator) -> Decide:
        """See `Dispatcher`."""
        held: list[IntArray] = []

        def decide(priority: FloatArray, sample: IntArray) -> IntArray:
            if not held:
                held.append(nearest_target(self.warehouse, priority))
            return held[0]

        return decide


@dataclass(frozen=True)
class AnyTarget:
    """Steers to a target drawn anew every tick; asks nobody."""

    warehouse: ContinuousWarehouse
    k: int = 0

    def begin(self, fleets: int, rng: np.random.Generator) -> Decide:
        """See `Dispatcher`."""
        return lambda priority, sample: rng.integers(self.warehouse.bins, size=fleets)


@dataclass(frozen=True)
class Follow:
    """Steers to the bin that most of the robots polled so far were in; of equal ones the first.

    Attributes:
        k: robots polled per tick.
        keep: share of the earlier samples' weight that survives a tick; 0: this tick's sample alone.
    """

    k: int
    keep: float = 0.0

    def begin(self, fleets: int, rng: np.random.Generator) -> Decide:
        """See `Dispatcher`."""
        seen: list[FloatArray] = [np.zeros((fleets, 1))]

        def decide(priority: FloatArray, sample: IntArray) -> IntArray:
            weight = sample + self.keep * seen[0]
            seen[0] = weight
            return np.asarray(np.argmax(weight, axis=1))

        return decide


@dataclass(frozen=True)
class Leave:
    """Holds the target nearest to the first s_g until another bin leads it among all robots polled so far; and so on.

    Attributes:
        k: robots polled per tick.
        lead: of all robots polled, how many more must have been in the other bin.
    """

    warehouse: ContinuousWarehouse
    k: int
    lead: float = 0.45

    def begin(self, fleets: int, rng: np.random.Generator) -> Decide:
        """See `Dispatcher`."""
        seen = np.zeros((fleets, self.warehouse.bins))
        held: list[IntArray] = []

        def decide(priority: FloatArray, sample: IntArray) -> IntArray:
            seen[:] += sample
            stay = held[0] if held else nearest_target(self.warehouse, priority)
            most, row = np.argmax(seen, axis=1), np.arange(fleets)
            ahead = seen[row, most] - seen[row, stay] > self.lead * seen.sum(axis=1)
            held[:] = [np.where(ahead, most, stay)]
            return held[0]

        return decide


@dataclass(frozen=True)
class Toward:
    """Robots that go towards s_g while they are further from it than `slack`; None: than half a step."""

    warehouse: ContinuousWarehouse
    slack: float | None = None

    def __call__(self, places: FloatArray, priority: FloatArray, rng: np.random.Generator) -> NDArray[np.integer]:
        """See `Robots`."""
        delta = self.warehouse.delta
        up, down = int(delta.argmax()), int(delta.argmin())
        high, low = (delta[up] / 2, delta[down] / 2) if self.slack is None else (self.slack, -self.slack)
        off = priority[:, None] - places
        return np.where(off > high, up, np.where(off < low, down, 0)).astype(np.int8)


@dataclass(frozen=True)
class AnyMove:
    """Robots whose every move is drawn anew."""

    warehouse: ContinuousWarehouse

    def __call__(self, places: FloatArray, priority: FloatArray, rng: np.random.Generator) -> NDArray[np.integer]:
        """See `Robots`."""
        return rng.integers(len(self.warehouse.moves), size=places.shape, dtype=np.int8)
