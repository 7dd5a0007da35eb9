"""A sweep from its plan to its results: what is not yet in the folder is computed, wave by wave, and put there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.solver.fleet import Estimate

from .folder import SweepFolder
from .plan import SweepPlan
from .units import (
    HOLD,
    WHOLE,
    Returns,
    Start,
    evaluate_unit,
    hold_unit,
    remembering_name,
    remembering_unit,
    solve_unit,
)

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class SweepResult:
    """All units of a sweep.

    Attributes:
        bundles: the bundle solved for every k.
        estimates: returns by k (`units.HOLD`: the plain rule) and seed.
        remembering: those of the dispatcher that remembers (`units.WHOLE`: sees the whole fleet), if wanted.
    """

    plan: SweepPlan
    bundles: dict[int, PolicyBundle]
    estimates: dict[int, dict[int, Estimate]]
    remembering: dict[int, dict[int, Estimate]]

    def returns(self, k: int) -> NDArray[np.float64]:
        """Mean discounted return of every seed, float64 [seed]."""
        return np.array([self.estimates[k][seed].mean for seed in self.plan.evaluation_seeds])

    def remembered(self, k: int) -> NDArray[np.float64]:
        """The same of the dispatcher that remembers."""
        return np.array([self.remembering[k][seed].mean for seed in self.plan.evaluation_seeds])


def run_sweep(plan: SweepPlan, out: Path, parallel: joblib.Parallel, progress: Progress | None = None) -> SweepResult:
    """Do what is left of the sweep in folder `out`.

    Every wave solves what its predecessors allow and evaluates, beside that, what is solved already.

    Raises:
        UserError: the folder belongs to another sweep, or one is at work there.
    """
    folder = SweepFolder(out, plan)
    with folder.locked():
        work = _Work(plan, folder, progress)
        for wave in plan.waves():
            work.take_in(parallel([*work.solves(wave), *work.evaluations()]))
        work.take_in(parallel([*work.evaluations(), *work.beliefs()]))
    return SweepResult(plan, work.bundles, work.estimates, work.remembering)


class _Work:
    """What is done, and the tasks for what is left."""

    def __init__(self, plan: SweepPlan, folder: SweepFolder, progress: Progress | None) -> None:
        self.plan, self.folder, self.progress = plan, folder, progress
        self.bundles = {k: bundle for k in plan.ks if (bundle := folder.bundle(k)) is not None}
        self.estimates = {HOLD: folder.returns(HOLD, "hold")}
        self.estimates |= {k: folder.returns(k, bundle.digest) for k, bundle in self.bundles.items()}
        name = remembering_name(plan.settings.kappa)
        self.remembering = {k: folder.returns(k, name, remembers=True) for k in plan.remembering}

    def solves(self, wave: Iterable[int]) -> list[Any]:
        """Solves of this wave that are left."""
        plan = self.plan
        return [
            joblib.delayed(solve_unit)(plan.game, k, self._start(k), plan.settings, plan.seed)
            for k in wave
            if k not in self.bundles
        ]

    def evaluations(self) -> list[Any]:
        """Evaluations that are possible now and left, one unit per k."""
        plan, tasks = self.plan, []
        for k, bundle in ((HOLD, None), *self.bundles.items()):
            seeds = [seed for seed in plan.evaluation_seeds if seed not in self.estimates[k]]
            if not seeds:
                continue
            how = (plan.n, plan.rollouts, plan.horizon, seeds)
            if bundle is None:
                tasks.append(joblib.delayed(hold_unit)(plan.game, *how))
            else:
                tasks.append(joblib.delayed(evaluate_unit)(bundle, k, *how))
        return tasks

    def beliefs(self) -> list[Any]:
        """Evaluations of the dispatcher that remembers that are left: they need no solve of the sweep."""
        plan, tasks = self.plan, []
        for k, known in self.remembering.items():
            seeds = [seed for seed in plan.evaluation_seeds if seed not in known]
            how = (plan.n, plan.settings.kappa, plan.rollouts, plan.horizon, seeds)
            if seeds:
                tasks.append(joblib.delayed(remembering_unit)(plan.game, k, *how))
        return tasks

    def take_in(self, results: Iterable[PolicyBundle | Returns]) -> None:
        """Keep every result as it comes."""
        self._report("")
        for result in results:
            if isinstance(result, Returns) and result.remembers:
                self.folder.keep_returns(result)
                self.remembering[result.k] |= result.by_seed
                self._report("the whole fleet seen" if result.k == WHOLE else f"k = {result.k} remembered")
            elif isinstance(result, Returns):
                self.folder.keep_returns(result)
                self.estimates[result.k] |= result.by_seed
                self._report("hold evaluated" if result.k == HOLD else f"k = {result.k} evaluated")
            else:
                k = result.ks[0]
                self.folder.keep_bundle(result)
                self.bundles[k], self.estimates[k] = result, {}
                self._report(f"k = {k} solved in {result.how['spent']['seconds']:.1f} s")

    def _start(self, k: int) -> Start | None:
        before = self.plan.predecessor(k)
        return None if before is None else Start(before, self.bundles[before].local_policy)

    def _report(self, note: str) -> None:
        if self.progress is None:
            return
        seeds = set(self.plan.evaluation_seeds)
        evaluated = sum(seeds <= found.keys() for each in (self.estimates, self.remembering) for found in each.values())
        self.progress(len(self.bundles) + evaluated, self.plan.units, note)
