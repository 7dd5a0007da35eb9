"""The game that real clients play, counted from runs under random tables.

A client's next loss depends on the model, and so on all clients, while the game's robots move independently given
(level, broadcast, move). The counts average that out: P_l is what happens to a client of a level, on average, when all
clients of its level make that move. So what the solver proves holds for the game, and what the policies are worth to
the clients has to be measured on the clients.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.config.federated import FederatedConfig
from meanfleet.solver import Game

UNSEEN = 1e-3  # concentration of levels at which no client starts
STARTED = 100.0  # concentration of the levels at which clients start, in all


@dataclass
class RandomTables:
    """Every client's move by a random table of (level, broadcast), broadcasts at random; both change now and then.

    A block of rounds under one table and one broadcast shows levels as that pair makes them, early and late.
    """

    options: FederatedConfig
    rng: np.random.Generator
    table: IntArray = field(init=False)

    def __post_init__(self) -> None:
        self._redraw()

    def start(self) -> int:
        """Any broadcast."""
        return int(self.rng.integers(len(self.options.broadcasts)))

    def moves(self, levels: IntArray, broadcast: int) -> IntArray:
        """By the present table."""
        return np.asarray(self.table[levels, broadcast])

    def dispatch(self, broadcast: int, histogram: IntArray) -> int:
        """The same broadcast, or at the end of a block any."""
        if self.rng.random() * self.options.hold >= 1:
            return broadcast
        self._redraw()
        return self.start()

    def _redraw(self) -> None:
        shape = (len(self.options.levels) + 1, len(self.options.broadcasts))
        self.table = self.rng.integers(len(self.options.works), size=shape)


class Counts:
    """A watcher that counts transitions between levels, and the mean loss of every level."""

    def __init__(self, options: FederatedConfig) -> None:
        levels, broadcasts, works = len(options.levels) + 1, len(options.broadcasts), len(options.works)
        self.options = options
        self.transitions = np.zeros((levels, broadcasts, works, levels), dtype=np.int64)
        self.starts = np.zeros(levels, dtype=np.int64)
        self._loss, self._seen = np.zeros(levels), np.zeros(levels)
        self._before: tuple[IntArray, int, IntArray] | None = None

    def begin(self) -> None:
        """Another run begins."""
        self._before = None

    def saw(self, loss: FloatArray, levels: IntArray, broadcast: int, moves: IntArray) -> None:
        """Count the step from the round before to this one."""
        if self._before is None:
            self.starts += np.bincount(levels, minlength=len(self.starts))
        else:
            was, sent, did = self._before
            np.add.at(self.transitions[:, sent], (was, did, levels), 1)
        self._loss += np.bincount(levels, weights=loss, minlength=len(self._loss))
        self._seen += np.bincount(levels, minlength=len(self._seen))
        self._before = levels, broadcast, moves

    def level_losses(self) -> FloatArray:
        """Mean loss at every level [level]; of a level never seen, the threshold below it."""
        edges = np.array([0.0, *self.options.levels])
        return np.where(self._seen > 0, self._loss / np.maximum(self._seen, 1), edges)

    def game(self) -> Game:
        """The game: the broadcast is what the server chose, levels move as counted, a round pays minus the loss."""
        levels, broadcasts, _, _ = self.transitions.shape
        weights = self.transitions + self.options.prior * np.eye(levels)[:, None, None, :]
        cost = self.options.step_cost * np.array([work.steps for work in self.options.works], dtype=np.float64)
        reward = -self.level_losses()[:, None] - cost
        return Game(
            P_g=np.tile(np.eye(broadcasts), (broadcasts, 1, 1)),
            P_l=weights / weights.sum(axis=3, keepdims=True),
            r_g=np.zeros((broadcasts, broadcasts)),
            r_l=np.repeat(reward[:, None, :], broadcasts, axis=1),
            discount=self.options.discount,
            start_priority=np.full(broadcasts, 1 / broadcasts),
            start_concentration=UNSEEN + STARTED * self.starts / max(int(self.starts.sum()), 1),
        )
