"""What another k would have earned from where the fleet was: paired rollouts of a game from recorded states.

Every rollout starts at the priority and the counts of a recorded tick. All k, both observers and the whole-fleet
dispatcher share their starts and, tick by tick, the uniform numbers that poll robots and steer the priority.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfleet.bundle import PolicyBundle
from meanfleet.errors import UserError
from meanfleet.solver import Game
from meanfleet.solver.fleet.counts import Estimate, Fleet, discounted_horizon
from meanfleet.solver.fleet.filtered import Observer, drift

from .scene import Scene

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RecordedFleet(Fleet):
    """A fleet that starts in one of given states, each as likely.

    Attributes:
        priorities: s_g, int64 [state].
        fleets: int64 [state, zone], each of at least k robots.
    """

    priorities: IntArray
    fleets: IntArray

    def starts(self, rollouts: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """s_g [rollout] and counts [rollout, zone]."""
        drawn = rng.integers(len(self.priorities), size=rollouts)
        return self.priorities[drawn].copy(), self.fleets[drawn].copy()


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """Rollouts of a game from the ticks of a scene in which enough robots are known.

    Args:
        scene: recorded fleet.
        bundle: both policies.
        game: what the rollouts follow: the bundle's, or one fitted to the bag.
        rollouts: per k and observer.
        seed: of all rollouts.
        most: largest k.

    Raises:
        UserError: the game is of other shape than the bundle's, or no tick knows as many robots as `most`.
    """

    scene: Scene
    bundle: PolicyBundle
    game: Game
    rollouts: int
    seed: int
    most: int

    def __post_init__(self) -> None:
        own = self.bundle.game
        if (self.game.P_l.shape, self.game.P_g.shape) != (own.P_l.shape, own.P_g.shape) or self.game.graph != own.graph:
            raise UserError("the game to roll out has other zones, ways, priorities or moves than the policy's")
        if not self._enough.any():
            raise UserError(f"in no tick are the zones of k = {self.most} robots known: lower the largest k")

    @property
    def _enough(self) -> NDArray[np.bool_]:
        return np.asarray(self.scene.counts.sum(axis=1) >= self.most)

    @property
    def horizon(self) -> int:
        """Ticks per rollout."""
        return discounted_horizon(self.game.discount)

    @property
    def states(self) -> int:
        """Ticks that rollouts start from."""
        return int(self._enough.sum())

    def whole(self) -> FloatArray:
        """Returns [rollout] of the dispatcher that sees everybody."""
        model, policy = self.scene.model, self.bundle.local_policy
        return self._fleet(self.most).informed_returns(model, policy, self.rollouts, self.horizon, self.seed)

    def returns(self, k: int, observer: str) -> FloatArray:
        """Returns [rollout] of the dispatcher that polls k."""
        fleet, policy = self._fleet(k), self.bundle.local_policy
        if observer == "memoryless":
            table = next(table.dispatch for table in self.bundle.tables if table.k == k)
            return fleet.returns(table, policy, self.rollouts, self.horizon, self.seed)
        model = self.bundle.filtering
        assert model is not None
        believed = Observer.of(model, model.setting_for(k), drift(self.bundle.game, policy))
        return fleet.filtered_returns(believed, policy, self.rollouts, self.horizon, self.seed)

    def loss(self, whole: FloatArray, own: FloatArray) -> Estimate:
        """How much less `own` earns."""
        return Estimate.of(whole - own, self.horizon)

    def _fleet(self, k: int) -> RecordedFleet:
        priority, counts = self.scene.priority[self._enough], self.scene.counts[self._enough]
        return RecordedFleet(self.game, int(counts.sum(axis=1).max()), k, priority, counts, endless=True)
