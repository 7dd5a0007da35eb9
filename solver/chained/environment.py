"""Serialised macro steps: what the two chained MDPs of math.md §4 (Algorithms 21 and 28) have in common.

A macro step, one tick of the k-robot system, becomes a fixed number of micro-steps with the few actions of one robot.
Before the first of them the dispatch a_g = table[s_g, μ] is evaluated and the pending priority s_g' ~ P_g(·|s_g, a_g)
drawn; the robots then move under the old s_g; after the last micro-step s_g' is committed. The pointer says which
micro-step comes next.

Discounting: γ once per macro step, on the transition that commits, and 1 on all others. A reward earned in any
micro-step of tick t thus counts γ^t, and the discounted sum along a chain is that of the k-robot system.

Rewards: r_g(s_g, a_g) in the first micro-step; every robot moved in a micro-step adds r_l(z, s_g, a)/k.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from ..histograms import rank
from ..surrogate import KRobotSystem
from ..types import draw_shares


class ChainedState(Protocol):
    """What every state of a chain shows."""

    @property
    def priority(self) -> int:
        """s_g, under which robots move in this tick."""

    @property
    def pending(self) -> int:
        """s_g', committed at the end of the tick."""

    @property
    def pointer(self) -> int:
        """Micro-steps of this tick already made."""


State = TypeVar("State", bound=ChainedState)


@dataclass(frozen=True)
class Step(Generic[State]):
    """What one micro-step brought: the reward counts now, what follows is multiplied by `discount`."""

    state: State
    reward: float
    discount: float


class ChainedMDP(ABC, Generic[State]):
    """A chain over a k-robot system and a dispatch table [s_g, h]; `reset` and `step` play it, the rest is its law."""

    micro_steps: int
    """Micro-steps per tick."""

    def __init__(self, system: KRobotSystem, table: IntArray) -> None:
        self.system, self.game, self.k = system, system.game, system.k
        shape = (self.game.priorities, len(system.histograms))
        if table.shape != shape or table.min() < 0 or table.max() >= self.game.dispatches:
            raise UserError(f"dispatch table has shape {table.shape}: expected {shape} with dispatches of the game")
        self.table = table
        self.state: State | None = None

    def dispatch(self, state: State) -> int:
        """a_g of the tick that begins in this state, from the histogram of all k robots."""
        return int(self.table[state.priority, int(rank(self.histogram(state)))])

    def discount(self, state: State) -> float:
        """γ if the micro-step from this state ends the tick, else 1."""
        return self.game.discount if state.pointer + 1 == self.micro_steps else 1.0

    def reward(self, state: State, row: FloatArray) -> float:
        """Mean reward of a micro-step in which the moves have the law row [a]."""
        z, s = self.cell(state)
        robots = float(row @ self.game.r_l[z, s]) * self.moved(state) / self.k
        return robots + (float(self.game.r_g[s, self.dispatch(state)]) if state.pointer == 0 else 0.0)

    def starts(self) -> dict[State, float]:
        """Law of the first state."""
        law: dict[State, float] = defaultdict(float)
        for state, chance in self._openings():
            for first, share in self._opened(state):
                law[first] += chance * share
        return {state: chance for state, chance in law.items() if chance > 0}

    def outcomes(self, state: State, row: FloatArray) -> dict[State, float]:
        """Law of the next state when every robot moved in this micro-step draws its own move from row [a].

        A pure move is a row with a single 1. Robots of one bin that share a single *drawn* move would be correlated,
        which robots that follow a mixed π_l are not.
        """
        law: dict[State, float] = defaultdict(float)
        for after, chance in self._moves(state, row):
            if after.pointer < self.micro_steps:
                law[after] += chance
                continue
            for first, share in self._opened(self._committed(after)):
                law[first] += chance * share
        return {after: chance for after, chance in law.items() if chance > 0}

    def reset(self, rng: np.random.Generator) -> State:
        """Draw the first state."""
        s = int(rng.choice(self.game.priorities, p=self.game.start_priority))
        shares = draw_shares(self.game, rng)
        self.state = self._open(self._opening(s, shares, rng), rng)
        return self.state

    def step(self, move: int, rng: np.random.Generator) -> Step[State]:
        """Make one micro-step with one move.

        Raises:
            UserError: nothing was reset, or there is no such move.
        """
        moves = 0 if self.state is None else int(self.game.allowed[self.cell(self.state)[0]].sum())
        if self.state is None or not 0 <= move < moves:
            raise UserError(f"move {move}: expected one of 0…{moves - 1} after a reset")
        before = self.state
        after = self._move(before, move, rng)
        if after.pointer == self.micro_steps:
            after = self._open(self._committed(after), rng)
        self.state = after
        return Step(after, self.reward(before, np.eye(self.game.moves)[move]), self.discount(before))

    def _opened(self, state: State) -> Iterator[tuple[State, float]]:
        """The state with its pending priority, over all of them."""
        law = self.game.P_g[state.priority, self.dispatch(state)]
        yield from ((self._with_pending(state, t), float(law[t])) for t in np.flatnonzero(law).tolist())

    def _open(self, state: State, rng: np.random.Generator) -> State:
        law = self.game.P_g[state.priority, self.dispatch(state)]
        return self._with_pending(state, int(rng.choice(len(law), p=law)))

    @abstractmethod
    def histogram(self, state: State) -> tuple[int, ...]:
        """Robots per zone at the beginning of a tick (pointer 0)."""

    @abstractmethod
    def cell(self, state: State) -> tuple[int, int]:
        """(z, s_g) of the robots that move next: all that π_l sees."""

    @abstractmethod
    def moved(self, state: State) -> int:
        """How many robots move next; 0 for an empty bin."""

    @abstractmethod
    def _openings(self) -> Iterator[tuple[State, float]]:
        """Law of the start, before a pending priority is drawn."""

    @abstractmethod
    def _opening(self, priority: int, shares: FloatArray, rng: np.random.Generator) -> State:
        """A start in which the robots draw their zones from shares [z]."""

    @abstractmethod
    def _with_pending(self, state: State, pending: int) -> State:
        """The same state with this pending priority."""

    @abstractmethod
    def _moves(self, state: State, row: FloatArray) -> Iterator[tuple[State, float]]:
        """Law of the state after the next robots moved; pointer advanced, nothing committed."""

    @abstractmethod
    def _move(self, state: State, move: int, rng: np.random.Generator) -> State:
        """A draw from `_moves` for a pure move."""

    @abstractmethod
    def _committed(self, state: State) -> State:
        """The next tick's first state, without a pending priority, from this tick's last."""
