"""What a sweep does: which k are solved from what, and on which seeds each is evaluated.

The solver is exact, so every k is solved once and the seeds are evaluation. Up to k = COLD the alternation starts from
several π_l; above, where a solve is long, from the π_l of a smaller k. Taking the k two places before makes two chains
of solves, which keep two cores busy, and the result does not depend on how many cores there are. A k that was solved
before, when other k were asked for, stays as it is: `warm_from` in its bundle says where it came from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import meanfleet
from meanfleet.base.errors import UserError
from meanfleet.config import SolverConfig
from meanfleet.solver import Game
from meanfleet.solver.surrogate import KRobotSystem

COLD = 20  # up to this k several starts
CHAINS = 2  # chains of warm-started solves above it
WARM_ALTERNATIONS = 3  # at most, when warm-started


@dataclass(frozen=True, eq=False)
class SweepPlan:
    """A sweep, validated.

    Attributes:
        game: the game.
        ks: robots polled, ascending.
        n: robots of the fleet in which the policies are evaluated.
        seeds: number of evaluation seeds, at least 2, for the bands are over seeds.
        rollouts: per (k, seed).
        horizon: ticks of a rollout.
        seed: the first evaluation seed, and the seed of random starts.
        full: several starts and all alternations at every k.
        settings: of the solver.

    Raises:
        UserError: no k, too few seeds, k beyond the fleet, or beyond the exact backup.
    """

    game: Game
    ks: tuple[int, ...]
    n: int
    seeds: int = 15
    rollouts: int = 50
    horizon: int = 100
    seed: int = 0
    full: bool = False
    settings: SolverConfig = field(default_factory=SolverConfig)

    def __post_init__(self) -> None:
        if not self.ks or self.ks[0] < 1 or list(self.ks) != sorted(set(self.ks)):
            raise UserError(f"k = {self.ks}: expected numbers of at least one robot, each once, ascending")
        if self.ks[-1] > self.n:
            raise UserError(f"k = {self.ks[-1]}, but the fleet has {self.n} robots: lower -k")
        for name, value, least in (
            ("seeds", self.seeds, 2),
            ("rollouts", self.rollouts, 2),
            ("horizon", self.horizon, 1),
        ):
            if value < least:
                raise UserError(f"{name} = {value}: expected at least {least}")
        KRobotSystem(self.game, self.ks[-1])  # refuses a k out of reach now, not after hours

    @property
    def evaluation_seeds(self) -> range:
        """The seeds of the rollouts, the same at every k, so that differences between k are paired."""
        return range(self.seed, self.seed + self.seeds)

    @property
    def remembering(self) -> tuple[int, ...]:
        """The k at which a dispatcher that remembers is evaluated, and 0 for one that sees the whole fleet."""
        return (0, *self.ks) if self.settings.filtering and self.settings.kappa else ()

    @property
    def units(self) -> int:
        """How many pieces of work there are."""
        return 2 * len(self.ks) + 1 + len(self.remembering)

    def predecessor(self, k: int) -> int | None:
        """The k whose π_l the solve at `k` starts from, None if it starts from several policies."""
        if self.full or k <= COLD:
            return None
        place = self.ks.index(k)
        anchor = max(sum(m <= COLD for m in self.ks) - 1, 0)
        return self.ks[max(place - CHAINS, anchor)] if place > anchor else None

    def waves(self) -> list[list[int]]:
        """The k in groups: each group needs only earlier ones. Longest solves first within a group."""
        depth: dict[int, int] = {}
        for k in self.ks:
            before = self.predecessor(k)
            depth[k] = 0 if before is None else depth[before] + 1
        return [[k for k in reversed(self.ks) if depth[k] == level] for level in range(max(depth.values()) + 1)]

    def identity(self) -> dict[str, Any]:
        """All that a finished unit depends on besides its own k and seed; JSON-ready."""
        return {
            "game": self.game.digest,
            "n": self.n,
            "rollouts": self.rollouts,
            "horizon": self.horizon,
            "seed": self.seed,
            "full": self.full,
            "solver": self.settings.model_dump(mode="json"),
            "meanfleet": meanfleet.__version__,
        }
