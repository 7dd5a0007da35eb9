"""How many robots are enough: the smallest k that comes within a share of the whole-fleet dispatcher.

The yardstick sees the whole fleet: Q_κ at the true distribution. A k is enough when, at 95 % confidence and under
common random numbers, its mean return is at least the yardstick's less `regret` times its size. Returns rise with k,
so the k are doubled until one is enough, then halved in between; every k on the way is reported.

Particles cost thousands of times what a Dirichlet belief does, so they get fewer rollouts, with the wider intervals
that follow. A k found with few particles is enough with many as well: more of them come closer to Bayes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from meanfleet.base.arrays import FloatArray, Progress
from meanfleet.base.errors import UserError
from meanfleet.config import SolverConfig

from .filter_selection import FilterSelection, filter_model
from .fleet.candidates import Candidate, Remembering, Rule
from .fleet.choice import affordable, race
from .fleet.counts import CHUNK, Estimate, discounted_horizon
from .fleet.derived import Reference
from .fleet.filtered import Observer, drift
from .game import Game
from .selection import FILTER, FRESH, Selection

OBSERVERS = ("memoryless", "dirichlet", "particle")
PARTICLES = 200
PARTICLE_TICKS = 20_000_000  # particles times ticks times rollouts, per k at most: about half a minute on one processor


@dataclass(frozen=True)
class Tried:
    """One k: its mean return and error, how far it lies below the whole fleet's, and whether that is enough.

    Attributes:
        margin: lower end of the 95 % interval of (return − what is enough); at least 0 when enough.
        rollouts: behind it.
    """

    k: int
    rule: str
    mean: float
    error: float
    regret: float
    margin: float
    enough: bool
    rollouts: int


@dataclass(frozen=True)
class Answer:
    """The smallest k for one observer (None: none up to the limit), and all that were tried, ascending."""

    observer: str
    k: int | None
    tried: tuple[Tried, ...]

    def as_dict(self, n: int, tick: float) -> dict[str, Any]:
        """JSON-ready, with the messages per minute that polling k of n robots every `tick` [s] needs and saves."""
        messages = None if self.k is None else {"needed": 60 * self.k / tick, "saved": 60 * (n - self.k) / tick}
        return asdict(self) | {"messages_per_minute": messages}


class Search:
    """Searches for the smallest k; robots follow one π_l for all.

    Args:
        game: the game.
        n: robots of the fleet.
        local_policy: π_l [z, s_g, a].
        regret: share of the whole fleet's return that may be lost.
        limit: largest k tried.
        rollouts: per k; fewer for particles where they would take longer than PARTICLE_TICKS.
        particles: of the particle observer.

    Raises:
        UserError: regret, limit or particles out of range, or Q_κ out of reach.
    """

    def __init__(
        self,
        game: Game,
        n: int,
        local_policy: FloatArray,
        regret: float = 0.02,
        limit: int = 50,
        rollouts: int = 8000,
        settings: SolverConfig | None = None,
        seed: int = 0,
        progress: Progress | None = None,
        particles: int = PARTICLES,
    ) -> None:
        if particles < 2:
            raise UserError(f"{particles} particles: expected at least 2, such as {PARTICLES}")
        if not 0 < regret < 1:
            raise UserError(f"regret {regret:g}: expected a share above 0 and below 1, such as 0.02")
        if not 1 <= limit <= n:
            raise UserError(f"largest k {limit}: expected 1 to all n = {n} robots")
        self.game, self.n, self.regret, self.limit, self.progress = game, n, regret, limit, progress
        self.selection = Selection(game, n, settings or SolverConfig(), seed)
        self.local_policy, self.particles = local_policy, particles
        self.horizon = discounted_horizon(game.discount)
        self.rollouts = affordable(rollouts, self.horizon)
        self.reference = self._reference()
        self.model = filter_model(game, self.reference)
        fleet, stream = self.selection.fleet(1), self.selection.stream(FRESH, 0)
        self.whole = fleet.informed_returns(self.model, local_policy, self.rollouts, self.horizon, stream)

    def _reference(self) -> Reference:
        if self.progress is not None:
            self.progress("whole", float(self.n))
        found = self.selection.reference(self.local_policy, 1)
        if found is None:
            raise UserError("choosing k needs Q of a larger system: set solver.kappa above 0, or the game is too large")
        return found

    @property
    def whole_fleet(self) -> Estimate:
        """Return of the dispatcher that sees everybody."""
        return Estimate.of(self.whole, self.horizon)

    def smallest(self, observer: str) -> Answer:
        """The smallest k up to the limit that is enough with this observer."""
        tried: dict[int, Tried] = {}

        def enough(k: int) -> bool:
            if self.progress is not None:
                self.progress(observer, float(k))
            tried[k] = self.judge(self._rule(observer, k), k)
            return tried[k].enough

        low, high = 0, 1  # `low` is not enough
        while not enough(high):
            if high == self.limit:
                return Answer(observer, None, tuple(tried[k] for k in sorted(tried)))
            low, high = high, min(2 * high, self.limit)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
        return Answer(observer, high, tuple(tried[k] for k in sorted(tried)))

    def judge(self, rule: Rule, k: int) -> Tried:
        """What a rule that polls k robots earns beside the whole-fleet dispatcher."""
        stream, rollouts = self.selection.stream(FRESH, 0), self._affordable(rule)
        own = rule.returns(self.selection.fleet(k), rollouts, self.horizon, stream)
        whole = self.whole[:rollouts]
        # A share of each return is a share of their mean; the sign keeps it an allowance where returns are negative.
        allowed = self.regret * np.sign(whole.mean()) * whole
        spare = Estimate.of(own - whole + allowed, self.horizon)
        value, best = Estimate.of(own, self.horizon), float(whole.mean())
        lost = (best - value.mean) / abs(best) if best else 0.0
        margin = spare.interval[0]
        return Tried(k, rule.name, value.mean, value.error, lost, margin, margin >= 0, rollouts)

    def _affordable(self, rule: Rule) -> int:
        particles = rule.observer.particles if isinstance(rule, Remembering) else 0
        if not particles:
            return self.rollouts
        return min(self.rollouts, max(1, PARTICLE_TICKS // (particles * self.horizon * CHUNK)) * CHUNK)

    def _rule(self, observer: str, k: int) -> Rule:
        if observer == "particle":
            return self._by_particles()
        return self._remembering(k) if observer == "dirichlet" else self._memoryless(k)

    def _by_particles(self) -> Remembering:
        """Bayes under the model alone (ρ = 1), as the dispatcher's particle observer has it unless told otherwise."""
        believed = drift(self.game, self.local_policy)
        observer = Observer(self.model, believed, 1.0, "interpolated", particles=self.particles)
        return Remembering(f"{self.particles} particles, κ = {self.model.kappa}", "", observer, self.local_policy)

    def _remembering(self, k: int) -> Remembering:
        filters = FilterSelection(self.selection)
        rhos = self.selection.settings.rho
        rules = [filters.rule(self.model, rho, "interpolated", "", self.local_policy) for rho in rhos]
        return race(self.selection.fleet(k), rules, 4 * CHUNK, self.selection.stream(FILTER, k, 1)).winner

    def _memoryless(self, k: int) -> Candidate:
        return self.selection.choose(k, self.selection.candidates(k, self.local_policy, "")).winner
