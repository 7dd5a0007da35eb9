"""The k-chained MDP (Algorithm 21): k replicas move one after the other. See `environment`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray

from ..surrogate import KRobotSystem
from ..types import start_chance
from .environment import ChainedMDP


class ReplicaState(NamedTuple):
    """s_1…s_k, s_g, the pending s_g', and how many replicas have already moved in this tick."""

    zones: tuple[int, ...]
    priority: int
    pending: int
    pointer: int


class ReplicaChain(ChainedMDP[ReplicaState]):
    """One micro-step per replica; |S_g|²·|S_l|^k·k states at most."""

    def __init__(self, system: KRobotSystem, table: IntArray) -> None:
        super().__init__(system, table)
        self.micro_steps = self.k

    def histogram(self, state: ReplicaState) -> tuple[int, ...]:
        """Robots per zone."""
        return tuple(state.zones.count(z) for z in range(self.game.zones))

    def cell(self, state: ReplicaState) -> tuple[int, int]:
        """(z, s_g) of the replica that moves next."""
        return state.zones[state.pointer], state.priority

    def moved(self, state: ReplicaState) -> int:
        """One replica."""
        return 1

    def _openings(self) -> Iterator[tuple[ReplicaState, float]]:
        for zones in itertools.product(range(self.game.zones), repeat=self.k):
            counts = np.bincount(zones, minlength=self.game.zones)
            chance = start_chance(self.game, counts)
            for s in range(self.game.priorities):
                yield ReplicaState(zones, s, -1, 0), chance * float(self.game.start_priority[s])

    def _opening(self, priority: int, shares: FloatArray, rng: np.random.Generator) -> ReplicaState:
        zones = rng.choice(self.game.zones, size=self.k, p=shares)
        return ReplicaState(tuple(zones.tolist()), priority, -1, 0)

    def _with_pending(self, state: ReplicaState, pending: int) -> ReplicaState:
        return state._replace(pending=pending)

    def _moves(self, state: ReplicaState, row: FloatArray) -> Iterator[tuple[ReplicaState, float]]:
        z, s = self.cell(state)
        law = row @ self.game.P_l[z, s]
        yield from ((self._moved_to(state, to), float(law[to])) for to in np.flatnonzero(law).tolist())

    def _move(self, state: ReplicaState, move: int, rng: np.random.Generator) -> ReplicaState:
        z, s = self.cell(state)
        return self._moved_to(state, int(rng.choice(self.game.zones, p=self.game.P_l[z, s, move])))

    def _moved_to(self, state: ReplicaState, to: int) -> ReplicaState:
        i = state.pointer
        return state._replace(zones=(*state.zones[:i], to, *state.zones[i + 1 :]), pointer=i + 1)

    def _committed(self, state: ReplicaState) -> ReplicaState:
        return ReplicaState(state.zones, state.pending, -1, 0)
