"""What the dispatchers of the continuous warehouse earn, each on the same fleets."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from meanfleet.families.line.bundle import ContinuousBundle
from meanfleet.families.line.config import ContinuousConfig
from meanfleet.solver.continuous.discretised import (
    Exploration,
    Filtering,
    Memoryless,
    Solved,
    estimated_game,
    solve_bins,
)
from meanfleet.solver.continuous.networks import fast, greedy
from meanfleet.solver.continuous.rollouts import Dispatcher, Estimate, Record, Robots, roll
from meanfleet.solver.continuous.rules import AnyMove, AnyTarget, Follow, Hold, Leave, Toward
from meanfleet.solver.continuous.warehouse import ContinuousWarehouse

from .bundles import bundle_of

Progress = Callable[[str], None]
HOLD, RANDOM, FOLLOW, LEAVE = "hold", "random", "follow the sample", "leave at a lead of 45 %"
MEMORYLESS, REMEMBERING = "solved bins, memoryless", "solved bins, remembering"
SHOWN = 1  # seed of the fleets whose population is drawn
FLEETS = 2000  # for the share of modes named


@dataclass(frozen=True)
class Row:
    """One dispatcher.

    Attributes:
        rule: its name.
        k: robots polled per tick, 0: none.
        estimate: of the discounted return.
        seconds: [s, wall] of learning, all runs, before they were resumed too; None where nothing is learned.
        accuracy: share of new fleets whose mode it names; None where it is not asked.
        diverged: whether the run that stayed was stopped early.
    """

    rule: str
    k: int
    estimate: Estimate
    seconds: float | None = None
    accuracy: float | None = None
    diverged: bool = False


@dataclass(frozen=True, eq=False)
class Study:
    """What was found.

    Attributes:
        rows: rules of thumb first, then what was solved and learned, by k.
        populations: by title, one fleet under a rule.
        bundles: policies to run, by the name of their file: the solved bins, and what was learned for each k.
    """

    config: ContinuousConfig
    rows: tuple[Row, ...]
    populations: dict[str, Record]
    bundles: Mapping[str, ContinuousBundle] = field(default_factory=dict)


def conduct(
    config: ContinuousConfig, seed: int, learn: bool, checkpoints: Path | None = None, progress: Progress | None = None
) -> Study:
    """Solve the bins, learn if asked (checkpoints go to a folder), and measure everybody on the same fleets.

    Raises:
        UserError: too little was simulated to count transitions, or learning lacks its packages.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _Conducting(config, seed, progress or (lambda note: None)).all(learn, checkpoints)


class _Conducting:
    def __init__(self, config: ContinuousConfig, seed: int, tell: Progress) -> None:
        self.config, self.seed, self.tell = config, seed, tell
        self.warehouse = ContinuousWarehouse(**config.line.model_dump())
        self.robots = Toward(self.warehouse, config.bins.slack)

    def all(self, learn: bool, checkpoints: Path | None) -> Study:
        if learn:
            from meanfleet.solver.continuous import learning  # noqa: F401 - refused now, not after the rest
        warehouse, ks = self.warehouse, self.config.polled
        rows = [
            self._row(HOLD, Hold(warehouse), self.robots),
            self._row(RANDOM, AnyTarget(warehouse), AnyMove(warehouse)),
        ]
        solved = self._solved(self.robots)
        rho = self.config.bins.rho
        for k in ks:
            rows += [
                self._row(FOLLOW, Follow(k), self.robots),
                self._row(LEAVE, Leave(warehouse, k), self.robots),
                self._row(MEMORYLESS, Memoryless(warehouse, solved, k), self.robots),
                self._row(REMEMBERING, Filtering(warehouse, solved, k, rho), self.robots),
            ]
        populations = {
            f"{REMEMBERING}, k = {k}": self._roll(Filtering(warehouse, solved, k, rho), self.robots, 1, SHOWN)
            for k in (ks[0], ks[-1])
        }
        bundles = {"solved": self._bundle(solved, rows)}
        for k in ks if learn else ():
            row, bundles[f"policy-k{k}"] = self._learned(k, checkpoints)
            rows.append(row)
        return Study(self.config, tuple(rows), populations, bundles)

    def _solved(self, robots: Robots) -> Solved:
        """The bins' game, counted under these robots, and its Q_κ."""
        self.tell("solving the bins")
        bins = self.config.bins
        how = Exploration(bins.fleets, bins.horizon, bins.stay)
        return solve_bins(estimated_game(self.warehouse, robots, how, self.seed), bins.kappa)

    def _bundle(self, solved: Solved, rows: list[Row]) -> ContinuousBundle:
        earned = {name: {row.k: row.estimate for row in rows if row.rule == name} for name in (MEMORYLESS, REMEMBERING)}
        return bundle_of(self.config, solved, earned[MEMORYLESS], earned[REMEMBERING], {"seed": self.seed})

    def _roll(self, rule: Dispatcher, robots: Robots, fleets: int, seed: int) -> Record:
        return roll(self.warehouse, rule, robots, fleets, self.config.evaluation.horizon, seed)

    def _row(self, name: str, rule: Dispatcher, robots: Robots) -> Row:
        self.tell(f"{name}, k = {rule.k}")
        returns = self._roll(rule, robots, self.config.evaluation.rollouts, self.seed).returns
        return Row(name, rule.k, Estimate.of(returns))

    def _learned(self, k: int, checkpoints: Path | None) -> tuple[Row, ContinuousBundle]:
        from meanfleet.solver.continuous.learning.alternating import best_of_runs

        options, measured = self.config.learning, self.config.evaluation
        found = best_of_runs(self.warehouse, k, options, self.seed, folder=checkpoints, progress=self.tell)
        estimate = found.estimate(self.warehouse, measured.rollouts, measured.horizon, self.seed)
        accuracy = found.accuracy(self.warehouse, FLEETS, self.seed)
        row = Row(options.algorithm, k, estimate, found.seconds, accuracy, found.diverged is not None)
        versions = {name: importlib.metadata.version(name) for name in ("jax", "optax")}
        how = {"seed": self.seed, "learned_for_k": k, "earned": asdict(row), "learned_with": versions}
        solved = self._solved(greedy(fast(found.robots)))
        networks = {"dispatcher": found.dispatcher, "robots": found.robots}
        return row, bundle_of(self.config, solved, {k: estimate}, {}, how, **networks)


def summary(study: Study) -> dict[str, Any]:
    """JSON-ready; the standard error is None where it is not known."""
    return {"config": study.config.model_dump(mode="json"), "rows": [asdict(row) for row in study.rows]}
