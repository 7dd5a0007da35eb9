"""What another k would have earned from where the fleet was: paired rollouts of a game from recorded states.

Every rollout starts at the priority and the counts of a recorded tick. All k, both observers and the whole-fleet
dispatcher share their starts and, tick by tick, the uniform numbers that poll robots and steer the priority. Rollouts
are spread over worlds (`worlds`), each with a draw of what the bag leaves open: blocks of its ticks, and a fitted law.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.solver.fleet.counts import CHUNK, Fleet, discounted_horizon
from meanfleet.solver.fleet.filtered import Observer, drift
from meanfleet.solver.threads import run_all

from .scene import Scene
from .worlds import WORLDS, Loss, blocks_of, loss_over_worlds, shares


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


Roll = Callable[[RecordedFleet, int, tuple[int, int]], FloatArray]  # fleet, rollouts, seed to returns


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
        drawn: games to roll out, a world each; empty: `game` in all.

    Raises:
        UserError: the game is of other shape than the bundle's, or no tick knows as many robots as `most`.
    """

    scene: Scene
    bundle: PolicyBundle
    game: Game
    rollouts: int
    seed: int
    most: int
    drawn: Sequence[Game] = ()

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

        def roll(fleet: RecordedFleet, rollouts: int, seed: tuple[int, int]) -> FloatArray:
            return fleet.informed_returns(model, policy, rollouts, self.horizon, seed)

        return self._in_worlds(self.most, roll)

    def returns(self, k: int, observer: str) -> FloatArray:
        """Returns [rollout] of the dispatcher that polls k."""
        policy, model = self.bundle.local_policy, self.bundle.filtering

        def roll(fleet: RecordedFleet, rollouts: int, seed: tuple[int, int]) -> FloatArray:
            if observer == "memoryless":
                table = next(table.dispatch for table in self.bundle.tables if table.k == k)
                return fleet.returns(table, policy, rollouts, self.horizon, seed)
            assert model is not None
            believed = Observer.of(model, model.setting_for(k), drift(self.bundle.game, policy))
            return fleet.filtered_returns(believed, policy, rollouts, self.horizon, seed)

        return self._in_worlds(k, roll)

    def loss(self, whole: FloatArray, own: FloatArray) -> Loss:
        """How much less `own` earns."""
        game = self.game
        largest = float(np.ptp(game.r_g) + np.ptp(game.r_l)) / (1 - game.discount)
        return loss_over_worlds(whole - own, self._sizes, largest, self.horizon)

    @property
    def worlds(self) -> int:
        """Worlds that the rollouts are spread over."""
        return len(self._sizes)

    @property
    def _sizes(self) -> list[int]:
        return shares(self.rollouts, WORLDS)

    @cached_property
    def _worlds(self) -> list[tuple[Game, IntArray, IntArray]]:
        """Game, priorities and counts of every world."""
        priority, counts = self.scene.priority[self._enough], self.scene.counts[self._enough]
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(1,)))
        worlds = []
        for w in range(len(self._sizes)):
            ticks = blocks_of(len(priority), min(self.scene.memory, len(priority)), rng)
            game = self.drawn[w % len(self.drawn)] if self.drawn else self.game
            worlds.append((game, priority[ticks], counts[ticks]))
        return worlds

    def _fleet(self, w: int, k: int) -> RecordedFleet:
        game, priority, counts = self._worlds[w]
        return RecordedFleet(game, int(counts.sum(axis=1).max()), k, priority, counts, endless=True)

    def _in_worlds(self, k: int, roll: Roll) -> FloatArray:
        """Returns of all worlds' rollouts, world after world."""
        sizes = self._sizes
        self._worlds  # noqa: B018 - laid out once, before threads look
        ends = np.cumsum(sizes)
        returns = np.empty(int(ends[-1]))

        def run(w: int) -> None:
            returns[ends[w] - sizes[w] : ends[w]] = roll(self._fleet(w, k), sizes[w], (self.seed, w))

        if max(sizes) <= CHUNK:
            run_all(partial(run, w) for w in range(len(sizes)))
        else:  # a world fills the threads alone, and must not wait in one of them
            for w in range(len(sizes)):
                run(w)
        return returns
