"""Rounds of federated optimization, in the order of the game (math.md §1).

In round t the model w and the broadcast s_g are known to all. A client's state is the level of its loss at w. The k
queried clients tell their level and upload their update: gradient steps from w as their move says. The server takes
the model on as s_g says, and from (s_g, histogram of the k levels) chooses the next broadcast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.config.federated import FederatedConfig

from .data import Clients, Split
from .regression import accuracy, descend, losses

CLIENTS_DRAWN, RULE_DRAWS = 1, 2  # streams of a seed; the split has 0


class Rule(Protocol):
    """Who decides: the server's broadcasts and the clients' moves."""

    def start(self) -> int:
        """The first broadcast."""
        ...

    def moves(self, levels: IntArray, broadcast: int) -> IntArray:
        """The move of every client [client] given its level and the broadcast."""
        ...

    def dispatch(self, broadcast: int, histogram: IntArray) -> int:
        """The next broadcast, from the levels of the k queried."""
        ...


@dataclass(frozen=True)
class Fixed:
    """FedAvg: always the same broadcast and the same move."""

    broadcast: int
    move: int

    def start(self) -> int:
        """The one broadcast."""
        return self.broadcast

    def moves(self, levels: IntArray, broadcast: int) -> IntArray:
        """The one move, for all."""
        return np.full(len(levels), self.move, dtype=np.int64)

    def dispatch(self, broadcast: int, histogram: IntArray) -> int:
        """The one broadcast."""
        return self.broadcast


class Watcher(Protocol):
    """Who is told of all clients every round, queried or not."""

    def saw(self, loss: FloatArray, levels: IntArray, broadcast: int, moves: IntArray) -> None:
        """Losses, levels and moves of all clients in one round."""
        ...


@dataclass(frozen=True, eq=False)
class Run:
    """One run.

    Attributes:
        accuracy: float64 [round], on the server's test set, of the model after the round.
        broadcasts: int64 [round].
        steps: float64 [round], mean gradient steps of the queried clients.
        histograms: int64 [round, level], of the queried clients.
        queried: int64 [round, k], who they were.
    """

    accuracy: FloatArray
    broadcasts: IntArray
    steps: FloatArray
    histograms: IntArray
    queried: IntArray


class Server:
    """The model, and what the server remembers of every client's last upload."""

    def __init__(self, options: FederatedConfig, clients: Clients) -> None:
        self.options, self.clients = options, clients
        shape = (clients.x.shape[2], clients.y.shape[2])
        self.model: FloatArray = np.zeros(shape)
        self._last = np.zeros((len(clients.size), *shape))
        self._heard = np.zeros(len(clients.size), dtype=bool)

    def take(self, who: IntArray, updates: FloatArray, broadcast: int) -> None:
        """Go on from the uploads of `who`: a mean weighted by the clients' numbers of samples."""
        self._last[who], self._heard[who] = updates, True
        kind = self.options.broadcasts[broadcast]
        counted = np.flatnonzero(self._heard) if kind.memory else who
        share = self.clients.size[counted] / self.clients.size[counted].sum()
        self.model = self.model + kind.step * np.tensordot(share, self._last[counted], axes=1)


def levels_of(loss: FloatArray, thresholds: tuple[float, ...]) -> IntArray:
    """Level of every loss: how many thresholds it has reached."""
    return np.asarray(np.searchsorted(thresholds, loss, side="right"), dtype=np.int64)


def run(options: FederatedConfig, data: Split, rule: Rule, k: int, seed: int, watcher: Watcher | None = None) -> Run:
    """All rounds. Which clients are queried depends on the seed alone, so rules can be compared draw by draw."""
    rng = np.random.default_rng([seed, CLIENTS_DRAWN])
    clients, server = data.clients, Server(options, data.clients)
    everybody = np.arange(len(clients.size))
    steps_of = np.array([work.steps for work in options.works])
    proximal_of = np.array([work.proximal for work in options.works])
    broadcast = rule.start()
    hits, sent, steps, seen, asked = [], [], [], [], []
    for _ in range(options.rounds):
        who = np.sort(rng.choice(everybody, size=k, replace=False))
        known = who if watcher is None else everybody
        loss = losses(clients, known, server.model, options.l2)
        levels = levels_of(loss, options.levels)
        moves = rule.moves(levels, broadcast)
        if watcher is not None:
            watcher.saw(loss, levels, broadcast, moves)
            levels, moves = levels[who], moves[who]
        updates = descend(
            clients, who, server.model, steps_of[moves], proximal_of[moves], options.learning_rate, options.l2
        )
        server.take(who, updates, broadcast)
        histogram = np.bincount(levels, minlength=len(options.levels) + 1)
        hits.append(accuracy(data.test_x, data.test_y, server.model))
        sent.append(broadcast)
        steps.append(float(steps_of[moves].mean()))
        seen.append(histogram)
        asked.append(who)
        broadcast = rule.dispatch(broadcast, histogram)
    return Run(np.array(hits), np.array(sent), np.array(steps), np.array(seen), np.array(asked))
