"""What runs n robots best with k of them polled: every candidate, and the choice among them.

The k-robot system can be badly wrong about a fleet of which it sees only k, so its own table is one candidate among
others: tables derived from a larger system, and the plain rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray, Progress
from meanfleet.config import SolverConfig

from .fleet.candidates import Candidate, distinct, plain_tables
from .fleet.choice import race, report
from .fleet.counts import Estimate, Fleet, Seed
from .fleet.derived import Reference, reference, visited_fleets
from .game import Game

ROUNDS = 4  # of derived tables
SCREEN = 500  # rollouts that decide whose law the next derived table answers
LAW, SCREENING, RACE, FRESH, FILTER, DECISION, FILTER_FRESH, ROBOTS, ROBOTS_FRESH, LASTING = range(
    10
)  # random streams apart from each other


@dataclass(frozen=True, eq=False)
class Choice:
    """The winner, its value with n robots under fresh random numbers, and how it compares (JSON-ready)."""

    winner: Candidate
    estimate: Estimate
    rule: dict[str, Any]


@dataclass
class Selection:
    """Chooses tables for fleets of n robots of one game."""

    game: Game
    n: int
    settings: SolverConfig
    seed: int
    progress: Progress | None = None
    _references: list[tuple[FloatArray, int, Reference | None]] = field(default_factory=list)

    def fleet(self, k: int) -> Fleet:
        """The fleet, of k robots at least."""
        return Fleet(self.game, max(self.n, k), k, endless=True)

    def candidates(
        self, k: int, local_policy: FloatArray, robots: str, own: tuple[str, IntArray] | None = None
    ) -> list[Candidate]:
        """All tables for k polled robots that follow one π_l.

        Args:
            k: robots polled.
            local_policy: π_l [z, s_g, a].
            robots: its name.
            own: name and table of what is best in the k-robot system under π_l, if known.
        """
        tables = dict([own] if own else []) | plain_tables(self.game, k)
        pool = distinct(Candidate(name, robots, table, local_policy) for name, table in tables.items())
        source = self.reference(local_policy, k)
        return pool if source is None else self._derive(k, robots, pool, source)

    def choose(self, k: int, candidates: Sequence[Candidate]) -> Choice:
        """The best of the candidates in the n-robot system."""
        raced = race(self.fleet(k), candidates, self.settings.rollouts, self.stream(RACE, k))
        winner = raced.winner
        return Choice(winner, *report(raced, winner, self.settings.rollouts, self.stream(FRESH, k)))

    def _derive(self, k: int, robots: str, pool: list[Candidate], source: Reference) -> list[Candidate]:
        """The pool and tables derived from κ robots, each answering the law of the best table before it."""
        fleet = self.fleet(k)
        naive = Candidate(f"nearest, κ = {source.kappa}", robots, source.table(k), source.local_policy)
        pool = distinct([*pool, naive])
        # The first law is that of a table that reacts to samples: a plain rule's can be too narrow to learn from.
        best, answered, rivals = naive, [naive], pool
        for turn in range(ROUNDS):
            if turn:
                best = race(fleet, rivals, SCREEN, self.stream(SCREENING, k)).winner
                if any(best.same_as(other) for other in answered):
                    break
                answered.append(best)
            fleets = visited_fleets(fleet, best.table, best.local_policy, self.stream(LAW, k, turn))
            table = source.derived(k, fleets)
            name = f"derived {turn + 1}, κ = {source.kappa}"
            newest = Candidate(name, robots, table, source.local_policy)
            pool = distinct([*pool, newest])
            rivals = [best, newest] if turn else pool
            if self.progress is not None:
                self.progress("derived", float(k))
        return pool

    def reference(self, local_policy: FloatArray, k: int, share: float = 1.0) -> Reference | None:
        """Q_κ under a π_l for about the settings' κ, or a share of it, never more than the fleet of k robots polled."""
        kappa = int(share * min(self.settings.kappa, max(self.n, k)))
        for policy, wanted, known in self._references:
            if wanted == kappa and np.array_equal(policy, local_policy):
                return known
        found = reference(self.game, local_policy, kappa)
        self._references.append((local_policy, kappa, found))
        return found

    def stream(self, purpose: int, *which: int) -> Seed:
        """Random numbers of one purpose, apart from all others."""
        return (self.seed, purpose, *which)
