"""The continuous warehouse: the published learning curve again, the bins through the exact solver, and their time.

    python bench/continuous.py [--quick] [--k 1,75] [--runs 15] [--first 0] [--algorithm trpo] [--json FILE]

Every run trains by `config/continuous.yaml` and is measured over 30 fleets, 50 ticks, both policies greedy, as
published (127.8 at k = 1, 152.0 at k = 75: the best of three runs). Rules and solved bins are measured over 600 fleets.
Learning needs the extra `continuous`; `--runs 0` leaves it out. Times are wall time, one process.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from measuring import machine

from meanfleet.cli.common import numbers
from meanfleet.families.line.config import ContinuousConfig
from meanfleet.solver.continuous.rollouts import Estimate
from meanfleet.solver.continuous.warehouse import ContinuousWarehouse
from meanfleet.studies.continuous.study import conduct

ROOT = Path(__file__).resolve().parent.parent
FLEETS, TICKS = 30, 50
PUBLISHED = {1: 127.8, 75: 152.0}


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one run per k, rules over 100 fleets")
    parser.add_argument("--k", default="1,5,75")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--first", type=int, default=0, help="seed of the first run: a benchmark in several pieces")
    parser.add_argument("--algorithm", choices=("trpo", "ppo", "a2c"), default="trpo")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    config = ContinuousConfig.from_yaml(ROOT / "config" / "continuous.yaml")
    change: dict[str, Any] = {"polled": numbers(given.k)}
    if given.quick:
        change["evaluation"] = config.evaluation.model_copy(update={"rollouts": 100})
    config = config.model_copy(update=change)
    found: dict[str, Any] = {"machine": machine(), "rules": rules(config)}
    runs = 1 if given.quick else given.runs
    if runs:
        found["learned"] = [learned(config, given.algorithm, k, given.first, runs) for k in config.polled]
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=2))


def rules(config: ContinuousConfig) -> dict[str, Any]:
    """Rules of thumb and solved bins."""
    began = time.perf_counter()
    rows = conduct(config, seed=0, learn=False).rows
    for row in rows:
        print(f"{row.rule:>30} k = {row.k:>3}: {row.estimate.mean:6.1f} ± {row.estimate.error:.1f}", flush=True)
    seconds = time.perf_counter() - began
    print(f"all of it, with counting and solving the bins: {seconds:.1f} s", flush=True)
    return {"seconds": seconds, "rows": [[r.rule, r.k, r.estimate.mean, r.estimate.error] for r in rows]}


def learned(config: ContinuousConfig, algorithm: str, k: int, first: int, runs: int) -> dict[str, Any]:
    """Runs from different seeds, each measured on fleets of its own."""
    from meanfleet.solver.continuous.learning.alternating import learn

    warehouse = ContinuousWarehouse(**config.line.model_dump())
    options = config.learning.model_copy(update={"algorithm": algorithm})
    means, seconds, modes = [], [], []
    for seed in range(first, first + runs):
        began = time.perf_counter()
        run = learn(warehouse, k, options, seed)
        seconds.append(time.perf_counter() - began)
        means.append(run.estimate(warehouse, FLEETS, TICKS, seed).mean)
        modes.append(run.accuracy(warehouse, 2000, seed))
        if run.diverged is not None:
            print(f"run {seed} diverged in alternation {run.diverged}", flush=True)
    every = Estimate.of(np.array(means))
    note = f", published {PUBLISHED[k]} (best of three)" if k in PUBLISHED and algorithm == "trpo" else ""
    print(
        f"{algorithm}, k = {k}: {every.mean:.1f} ± {every.error:.1f} over {runs} runs ({min(means):.1f} … "
        f"{max(means):.1f}){note}; names {np.mean(modes):.0%} of the modes; {np.median(seconds):.0f} s a run",
        flush=True,
    )
    return {"algorithm": algorithm, "k": k, "first": first, "means": means, "seconds": seconds, "modes": modes}


if __name__ == "__main__":
    main()
