"""Dispatchers compared on the same seeds: same start, same draws of the priority."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from meanfleet.base.statistics import band
from meanfleet.config import Config
from meanfleet.dispatcher_node.dispatcher import RULES, Rule
from meanfleet.solver.bundle.policy import PolicyBundle

from .simulation import Trajectory, simulate

FILTERING, MEMORYLESS = "filtering", "memoryless"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Mean reward per tick of every rule on every seed: float64 [seed] by rule; the first of them leads or not."""

    seeds: tuple[int, ...]
    rewards: dict[str, NDArray[np.float64]]

    def summary(self) -> dict[str, Any]:
        """Means with standard errors, and the first dispatcher's paired lead with its 95 % interval."""
        first = next(iter(self.rewards))
        result: dict[str, Any] = {"seeds": list(self.seeds), "rules": {}, "lead": {}}
        for rule, values in self.rewards.items():
            result["rules"][rule] = {"mean": float(values.mean()), "error": _error(values), "runs": values.tolist()}
        for rule in self.rewards:
            if rule == first:
                continue
            lead = self.rewards[first] - self.rewards[rule]
            found = band(lead)
            result["lead"][rule] = {"mean": found.mean, "low": found.low, "high": found.high}
        return result


def compare(
    config: Config,
    bundle: PolicyBundle,
    *,
    k: int | None,
    ticks: int,
    seeds: Sequence[int],
    observer: str = "",
    sampling: str = "",
    rho: float | None = None,
    backend: str | None = None,
    workers: int = 2,
    on_run: Callable[[int], None] | None = None,
) -> tuple[Comparison, dict[tuple[str, int], Trajectory]]:
    """Run every rule on every seed; also returns the trajectories by (rule, seed)."""
    jobs = [(rule, seed) for seed in seeds for rule in RULES]

    def run(rule: Rule, seed: int) -> Trajectory:
        steering: dict[str, Any] = {"k": k, "observer": observer, "sampling": sampling, "rho": rho}
        return simulate(config, bundle, ticks=ticks, seed=seed, rule=rule, backend=backend, **steering)

    found: dict[tuple[str, int], Trajectory] = {}
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator")
    for job, trajectory in zip(jobs, parallel(joblib.delayed(run)(*job) for job in jobs), strict=True):
        found[job] = trajectory
        if on_run is not None:
            on_run(len(found))
    rewards: dict[str, NDArray[np.float64]] = {
        rule: np.array([found[rule, seed].reward.mean() for seed in seeds]) for rule in RULES
    }
    return Comparison(tuple(seeds), rewards), found


def compare_memory(
    config: Config,
    bundle: PolicyBundle,
    *,
    k: int,
    few: int,
    ticks: int,
    seeds: Sequence[int],
    backend: str | None = None,
    workers: int = 2,
    on_run: Callable[[int], None] | None = None,
) -> Comparison:
    """A dispatcher that remembers and polls `few` robots against one without memory that polls k, on every seed."""
    dispatchers = {FILTERING: (few, "dirichlet"), MEMORYLESS: (k, "memoryless")}

    def run(seed: int, k: int, observer: str) -> float:
        gone = simulate(config, bundle, k=k, observer=observer, ticks=ticks, seed=seed, backend=backend)
        return float(gone.reward.mean())

    jobs = [(seed, *dispatcher) for dispatcher in dispatchers.values() for seed in seeds]
    earned: list[float] = []
    for reward in joblib.Parallel(n_jobs=workers, return_as="generator")(joblib.delayed(run)(*job) for job in jobs):
        earned.append(reward)
        if on_run is not None:
            on_run(len(earned))
    rewards = np.array(earned).reshape(len(dispatchers), len(seeds))
    return Comparison(tuple(seeds), dict(zip(dispatchers, rewards, strict=True)))


def _error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
