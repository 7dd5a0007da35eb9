"""The mean-field chained MDP (Algorithm 28): a tagged robot moves, then one bin of robots after the other.

|S_l| + 1 micro-steps per tick, whatever k. A micro-step of a bin moves all robots still waiting in one zone; with a
pure move that is one multinomial draw. Every robot's reward counts, not the tagged one's alone: under a shared π_l the
two have the same mean, but a learner that sees the full state would otherwise sacrifice the fleet to the tagged robot.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.stats import multinomial

from meanfleet.base.arrays import FloatArray, IntArray

from ..histograms import enumerate_histograms
from ..surrogate import KRobotSystem
from .environment import ChainedMDP


class MeanFieldState(NamedTuple):
    """State of the chain.

    Attributes:
        waiting: robots per zone that have yet to move in this tick; all k at pointer 0.
        priority: s_g.
        pending: s_g'.
        pointer: 0: the tagged robot moves next; z + 1: bin z does.
        built: robots per zone that have moved, the tagged one included.
        tagged: zone of the tagged robot.
    """

    waiting: tuple[int, ...]
    priority: int
    pending: int
    pointer: int
    built: tuple[int, ...]
    tagged: int


class MeanFieldChain(ChainedMDP[MeanFieldState]):
    """The histogram moves bin by bin."""

    def __init__(self, system: KRobotSystem, table: IntArray) -> None:
        super().__init__(system, table)
        self.micro_steps = self.game.zones + 1
        self._none = (0,) * self.game.zones

    def histogram(self, state: MeanFieldState) -> tuple[int, ...]:
        """Robots per zone at the beginning of a tick."""
        return state.waiting

    def cell(self, state: MeanFieldState) -> tuple[int, int]:
        """(z, s_g) of the tagged robot or of the bin that moves next."""
        return (state.pointer - 1 if state.pointer else state.tagged), state.priority

    def moved(self, state: MeanFieldState) -> int:
        """One tagged robot, or the robots waiting in the bin."""
        return state.waiting[state.pointer - 1] if state.pointer else 1

    def _openings(self) -> Iterator[tuple[MeanFieldState, float]]:
        start = self.system.start
        for h, counts in enumerate(self.system.histograms.tolist()):
            for s in range(self.game.priorities):
                # By exchangeability the tagged robot is in zone z with probability μ_z/k.
                for z in np.flatnonzero(counts).tolist():
                    yield self._first(s, tuple(counts), z), float(start[s, h]) * counts[z] / self.k

    def _opening(self, priority: int, shares: FloatArray, rng: np.random.Generator) -> MeanFieldState:
        counts = rng.multinomial(self.k, shares)
        return self._first(priority, tuple(counts.tolist()), int(rng.choice(len(shares), p=counts / self.k)))

    def _first(self, priority: int, counts: tuple[int, ...], tagged: int) -> MeanFieldState:
        return MeanFieldState(counts, priority, -1, 0, self._none, tagged)

    def _with_pending(self, state: MeanFieldState, pending: int) -> MeanFieldState:
        return state._replace(pending=pending)

    def _moves(self, state: MeanFieldState, row: FloatArray) -> Iterator[tuple[MeanFieldState, float]]:
        z, s = self.cell(state)
        law = row @ self.game.P_l[z, s]
        gone = enumerate_histograms(self.moved(state), self.game.zones)
        for counts, chance in zip(gone.tolist(), _multinomial(gone, law), strict=True):
            yield self._moved_to(state, counts), chance

    def _move(self, state: MeanFieldState, move: int, rng: np.random.Generator) -> MeanFieldState:
        z, s = self.cell(state)
        return self._moved_to(state, rng.multinomial(self.moved(state), self.game.P_l[z, s, move]).tolist())

    def _moved_to(self, state: MeanFieldState, counts: list[int]) -> MeanFieldState:
        z, _ = self.cell(state)
        waiting = tuple(n - (self.moved(state) if i == z else 0) for i, n in enumerate(state.waiting))
        built = tuple(n + new for n, new in zip(state.built, counts, strict=True))
        tagged = state.tagged if state.pointer else counts.index(1)
        return state._replace(waiting=waiting, built=built, tagged=tagged, pointer=state.pointer + 1)

    def _committed(self, state: MeanFieldState) -> MeanFieldState:
        return self._first(state.pending, state.built, state.tagged)


def _multinomial(counts: IntArray, law: FloatArray) -> list[float]:
    """Probability of each row of counts [row, z'] when as many robots draw their zones from law [z']."""
    total = int(counts[0].sum())
    return [float(p) for p in np.atleast_1d(multinomial.pmf(counts, total, law / law.sum()))]
