"""What decisions on k polled robots and a belief earn, against those of a dispatcher that listens to all n.

    python bench/decisions.py [--quick] [--n 1000] [--k 1,5,20,50] [--observers dirichlet,particle] [--seeds 20]
                              [--ticks 300] [--json FILE]

The fleet and the policy of bench/fleet.py, driven kinematically in one process, without ROS; every dispatcher runs the
same seeds: the same start, the same draws of the priority. Gains are paired by seed. Agreement is the share of ticks
with the decision of a dispatcher that knows where every robot is, and the loss what the others cost by its own Q.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from fleet import CONFIG, POLLED, numbers, policy
from measuring import machine
from numpy.typing import NDArray
from rich.progress import track
from running_fleet import decisions

from meanfleet.base.errors import UserError
from meanfleet.base.statistics import half_width
from meanfleet.config import Config
from meanfleet.running.simulation import simulate
from meanfleet.solver.bundle.policy import PolicyBundle

HEADER = f"{'observer':>10} {'k':>5} {'reward per tick':>16} {'against all n, 95 %':>28} {'agree':>6} {'loss':>15}"


def one_run(config: Config, bundle: PolicyBundle, observer: str, k: int, ticks: int, seed: int) -> dict[str, float]:
    """Reward per tick of a seed, and how its decisions compare."""
    gone = simulate(config, bundle, k=k, observer=observer, ticks=ticks, seed=seed, backend="kinematic")
    return {"reward": float(gone.reward.mean()), **decisions(gone, bundle)}


def row(observer: str, k: int, runs: list[dict[str, float]], whole: NDArray[np.float64]) -> dict[str, Any]:
    """Means over the seeds with their standard errors; `whole`: rewards of one that listens to all [seed]."""
    found: dict[str, Any] = {"observer": observer, "k": k}
    for name in ("reward", "loss"):
        values = np.array([run[name] for run in runs])
        found[name], found[f"{name}_error"] = float(values.mean()), _error(values)
    gain = np.array([run["reward"] for run in runs]) - whole
    half = half_width(_error(gain), len(gain))
    found |= {"gain": float(gain.mean()), "low": float(gain.mean()) - half, "high": float(gain.mean()) + half}
    return found | {"agreement": float(np.mean([run["agreement"] for run in runs]))}


def line(found: dict[str, Any]) -> str:
    """A dispatcher as a line of the table."""
    return (
        f"{found['observer']:>10} {found['k']:>5} {found['reward']:>8.3f} ± {found['reward_error']:.3f} "
        f"{found['gain']:>+8.3f} ({found['low']:+.3f} … {found['high']:+.3f}) {found['agreement']:>6.0%} "
        f"{found['loss']:>7.3f} ± {found['loss_error']:.3f}"
    )


def main() -> int:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 seeds of 100 ticks")
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--k", type=numbers, default=POLLED, help="beside n itself")
    parser.add_argument("--observers", default="dirichlet,particle")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--ticks", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    if given.quick:
        given.seeds, given.ticks = 3, 100
    if given.seeds < 2:
        parser.error("--seeds: expected at least 2, or errors cannot be told")
    config = Config.from_yaml(CONFIG)
    bundle = PolicyBundle.load(policy(config))
    config = config.with_robots(given.n)
    polled = [k for k in given.k if k < given.n]
    kinds = [(config.dispatcher.observer, given.n), *((o, k) for o in given.observers.split(",") for k in polled)]
    jobs = [(*kind, given.ticks, seed) for kind in kinds for seed in range(given.seeds)]
    runs = joblib.Parallel(given.workers, return_as="generator")(
        joblib.delayed(one_run)(config, bundle, *j) for j in jobs
    )
    done = list(track(runs, "runs", total=len(jobs), transient=True))
    by_kind = [done[i : i + given.seeds] for i in range(0, len(done), given.seeds)]
    whole = np.array([run["reward"] for run in by_kind[0]])
    rows = [row(*kind, runs, whole) for kind, runs in zip(kinds, by_kind, strict=True)]
    print(HEADER, *map(line, rows), sep="\n")
    if given.json is not None:
        about = {"n": given.n, "ticks": given.ticks, "seeds": given.seeds, "machine": machine()}
        given.json.write_text(json.dumps(about | {"rows": rows}, indent=2))
    return 0


def _error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        print(f"decisions: {error}", file=sys.stderr)
        sys.exit(UserError.exit_code)
