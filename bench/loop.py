"""The closed loop: simulate by a nominal policy → record → fit → solve → simulate again, seed by seed.

    python bench/loop.py [--quick] [--seeds 10] [--ticks 120] [--explore 0.1] [--json FILE]

The nominal policy is what a team has before it has data: solved for the demo's warehouse with the paper's P_l (its
parameters, Appendix G.1) in the place of counted transitions. It runs 100 robots in PyBullet, once as it is and once
with a share of the robots' moves drawn evenly, and both runs go into bags. Each bag is read back and fitted; P_g stays
as configured, for the dispatcher draws the priority by it. The fitted game is solved as the nominal one was, and the
new policy runs the same seed. Reward per tick is that of the game, zones and moves as they happened; runs that are
compared are all without exploration.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from measuring import machine
from scipy.stats import t as student

from meanfleet.bundle import PolicyBundle
from meanfleet.config import Config, LocalTransition
from meanfleet.running.recording import RunBag
from meanfleet.running.simulation import simulate
from meanfleet.sim.bags.reading import read_fleet
from meanfleet.sim.fitting.estimating import fit
from meanfleet.sim.fitting.writing import fitted_game
from meanfleet.solver import Game, solve

CONFIG = Path(__file__).resolve().parent.parent / "config" / "demo.yaml"
K = 10
WAYS = ("as it is", "exploring")


def nominal(config: Config) -> Config:
    """The configuration with the paper's P_l."""
    return config.model_copy(update={"game": config.game.model_copy(update={"P_l": LocalTransition()})})


def solved(game: Game, config: Config, seed: int) -> PolicyBundle:
    """Nominal and fitted games alike."""
    settings = config.solver.model_copy(update={"filtering": False, "rollouts": 1000})
    return solve(game, [K], seed, n=len(config.robots), settings=settings)


def one_seed(config: Config, bundle: PolicyBundle, ticks: int, explore: float, seed: int) -> dict[str, Any]:
    """Rewards per tick of all runs of a seed, and what the fits saw."""
    run = partial(simulate, config, k=K, ticks=ticks, seed=seed)
    found: dict[str, Any] = {"nominal": float(run(bundle).reward.mean()), "fitted": {}, "fit": {}}
    with tempfile.TemporaryDirectory(prefix="meanfleet-bench-") as folder:
        for way, share in zip(WAYS, (0.0, explore), strict=True):
            bag = Path(folder) / way.replace(" ", "_")
            recorded = run(bundle, record=RunBag(bag, config, poses=False), explore=share)
            log = read_fleet(bag, config)
            fitted = fit(log, steering=False)
            game = fitted_game(fitted, nominal(config))
            new = solved(game, config, seed)
            found["fitted"][way] = float(run(new).reward.mean())
            rule = new.certificate[K]["rule"]["name"]
            found["fit"][way] = fitted.summary()["coverage"] | {
                "recorded_reward": float(recorded.reward.mean()),
                "by_priority": fitted.counts.ndim == 4,
                "off": distance(fitted.law, config),
                "rule": rule,
            }
    return found


def distance(law: np.ndarray[Any, Any], config: Config) -> float:
    """Largest total variation between a row of a fitted P_l and the same row counted under random moves."""
    counted = Game.from_config(config).P_l
    mine = law if law.ndim == 4 else np.repeat(law[:, None], counted.shape[1], axis=1)
    return float(np.abs(mine - counted).sum(axis=-1).max() / 2)


def lead(new: np.ndarray[Any, Any], old: np.ndarray[Any, Any]) -> dict[str, float]:
    """Paired gain with its standard error and 95 % interval."""
    gain = new - old
    error = float(gain.std(ddof=1) / np.sqrt(len(gain)))
    half = float(student.ppf(0.975, len(gain) - 1)) * error
    return {"mean": float(gain.mean()), "error": error, "low": gain.mean() - half, "high": gain.mean() + half}


def tell(runs: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Print first and second runs; JSON-ready."""
    first = np.array([run["nominal"] for run in runs])
    result: dict[str, Any] = {"nominal": mean(first)}
    print(f"{'reward per tick':<28} {'mean ± s.e.':>15}   against nominal, paired (95 %)")
    print(f"{'1st run, nominal':<28} {show(result['nominal'])}")
    for way in WAYS:
        again = np.array([run["fitted"][way] for run in runs])
        recorded = np.array([run["fit"][way]["recorded_reward"] for run in runs])
        gain = lead(again, first)
        result[way] = {"fitted": mean(again), "recorded": mean(recorded), "lead": gain}
        print(f"{f'   recorded, {way}':<28} {show(result[way]['recorded'])}")
        print(
            f"{'2nd run, fitted to that':<28} {show(result[way]['fitted'])}   "
            f"{gain['mean']:+.3f} ± {gain['error']:.3f}  [{gain['low']:+.3f}, {gain['high']:+.3f}]"
        )
    for way in WAYS:
        fits = [run["fit"][way] for run in runs]
        seen, off = [fit["seen"] / fit["rows"] for fit in fits], [fit["off"] for fit in fits]
        print(
            f"fits of the run {way}: {min(seen):.0%} to {max(seen):.0%} of P_l's rows seen, the worst row off by "
            f"{min(off):.2f} to {max(off):.2f} (total variation)"
        )
    return result


def mean(values: np.ndarray[Any, Any]) -> dict[str, float]:
    """Mean and standard error."""
    return {"mean": float(values.mean()), "error": float(values.std(ddof=1) / np.sqrt(len(values)))}


def show(value: Mapping[str, float]) -> str:
    """Mean ± error."""
    return f"{value['mean']:8.3f} ± {value['error']:.3f}"


def main() -> None:
    """Run the loops, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="4 seeds, 40 ticks, one start of the solver")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--ticks", type=int, default=120)
    parser.add_argument("--explore", type=float, default=0.1, help="share of moves drawn evenly while exploring")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    config = Config.from_yaml(CONFIG)
    seeds, ticks = (4, 40) if given.quick else (given.seeds, given.ticks)
    if given.quick:
        config = config.model_copy(update={"solver": config.solver.model_copy(update={"starts": ("shortest",)})})
    bundle = solved(Game.from_config(nominal(config)), config, 0)
    print(f"{len(config.robots)} robots in PyBullet, {K} polled per tick, {ticks} ticks, {seeds} seeds", flush=True)
    work = joblib.Parallel(n_jobs=given.workers, return_as="generator")
    jobs = (joblib.delayed(one_seed)(config, bundle, ticks, given.explore, seed) for seed in range(seeds))
    runs = []
    for run in work(jobs):
        runs.append(run)
        print(f"  seed {len(runs) - 1}: {run['nominal']:.3f}, {run['fitted']}", flush=True)
    result = {"machine": machine(), "ticks": ticks, "explore": given.explore, "runs": runs, "result": tell(runs)}
    if given.json is not None:
        given.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
