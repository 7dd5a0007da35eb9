"""The closed loop: simulate by a nominal policy → record → fit → solve → simulate again, seed by seed.

    python bench/loop.py [--quick] [--seeds 10] [--ticks 120] [--nominal shortest] [--explore 0] [--json FILE]

Nominal is what a team deploys before it has data. `shortest`: robots take the shorter way to the priority zone, and
the dispatcher is the best one for such robots by the paper's P_l (its parameters, Appendix G.1); `solved`: both
policies are solved for that game. 100 robots of the demo run by it in PyBullet, into a bag; with `--explore` a share of
their moves is drawn evenly in a recorded run of its own. The bag is read back and fitted; P_g stays as configured, for
the dispatcher draws the priority by it. The fitted game is solved, and the new policy runs the same seed. Reward per
tick is the game's, of zones and moves as they happened; the runs compared are without exploration.
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

from meanfleet.base.statistics import half_width
from meanfleet.config import Config, LocalTransition
from meanfleet.running.recording import RunBag
from meanfleet.running.simulation import simulate
from meanfleet.sim.bags.reading import read_fleet
from meanfleet.sim.fitting.estimating import Fitted, fit
from meanfleet.sim.fitting.writing import fitted_game
from meanfleet.solver import Game, solve
from meanfleet.solver.bundle.policy import PolicyBundle, Table
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.policies import shortest_way
from meanfleet.solver.surrogate import KRobotSystem

CONFIG = Path(__file__).resolve().parent.parent / "config" / "demo.yaml"
K = 10
NOMINAL = ("shortest", "solved")


def nominal(config: Config) -> Config:
    """The configuration with the paper's P_l."""
    return config.model_copy(update={"game": config.game.model_copy(update={"P_l": LocalTransition()})})


def solved(game: Game, config: Config, seed: int) -> PolicyBundle:
    """Both policies; one start, for a loop needs no choice of equilibria."""
    changed = {"filtering": False, "rollouts": 1000, "starts": ("shortest",)}
    return solve(game, [K], seed, n=len(config.robots), settings=config.solver.model_copy(update=changed))


def deployed(config: Config, kind: str) -> PolicyBundle:
    """The nominal policies."""
    game = Game.from_config(nominal(config))
    if kind == "solved":
        return solved(game, config, 0)
    robots = shortest_way(game)
    table = learn_exact(KRobotSystem(game, K).under(robots)).table
    return PolicyBundle(game, robots, (Table(K, table, {}),), {}, None)


def one_seed(config: Config, bundle: PolicyBundle, ticks: int, explore: float, seed: int) -> dict[str, Any]:
    """Rewards per tick of a seed's runs, and what the fit saw."""
    run = partial(simulate, config, k=K, ticks=ticks, seed=seed)
    with tempfile.TemporaryDirectory(prefix="meanfleet-bench-") as folder:
        bag = Path(folder) / "bag"
        recorded = run(bundle, record=RunBag(bag, config, poses=False), explore=explore)
        fitted = fit(read_fleet(bag, config), steering=False)
    first = run(bundle) if explore else recorded
    new = solved(fitted_game(fitted, nominal(config)), config, seed)
    return {
        "nominal": float(first.reward.mean()),
        "recorded": float(recorded.reward.mean()),
        "fitted": float(run(new).reward.mean()),
        "coverage": fitted.summary()["coverage"],
        "by_priority": fitted.counts.ndim == 4,
        "off": distance(fitted, config),
        "rule": new.certificate[K]["rule"]["name"],
    }


def distance(fitted: Fitted, config: Config) -> float:
    """Mean total variation of fitted rows of P_l, as often as they were seen, from those counted under random moves."""
    counted = Game.from_config(config).P_l
    law, seen = fitted.law, fitted.counts.sum(axis=-1)
    if law.ndim == 3:
        counted = counted[:, 0]  # the same for all priorities
    return float((np.abs(law - counted).sum(axis=-1) / 2 * seen).sum() / seen.sum())


def lead(new: np.ndarray[Any, Any], old: np.ndarray[Any, Any]) -> dict[str, float]:
    """Paired gain with its standard error and 95 % interval."""
    gain = new - old
    error = float(gain.std(ddof=1) / np.sqrt(len(gain)))
    half = half_width(error, len(gain))
    return {"mean": float(gain.mean()), "error": error, "low": gain.mean() - half, "high": gain.mean() + half}


def tell(runs: list[dict[str, Any]], explore: float) -> dict[str, Any]:
    """Print first and second runs; JSON-ready."""
    first, recorded, again = (np.array([run[name] for run in runs]) for name in ("nominal", "recorded", "fitted"))
    result: dict[str, Any] = {"nominal": mean(first), "fitted": mean(again), "gain": lead(again, first)}
    gain = result["gain"]
    print("mean reward per tick ± standard error")
    print(f"  1st run, nominal policy   {show(result['nominal'])}")
    if explore:
        result["recorded"] = mean(recorded)
        print(f"    the same, exploring     {show(result['recorded'])}")
    print(f"  2nd run, fitted policy    {show(result['fitted'])}")
    print(f"  gain, paired by seed      {show(gain)}   95 %: {gain['low']:+.3f} … {gain['high']:+.3f}")
    seen, off = [run["coverage"]["seen"] / run["coverage"]["rows"] for run in runs], [run["off"] for run in runs]
    print(
        f"  fits: {min(seen):.0%} to {max(seen):.0%} of P_l's rows seen; rows, as often as seen, off by "
        f"{min(off):.3f} to {max(off):.3f} from those of random moves (total variation)"
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
    parser.add_argument("--quick", action="store_true", help="4 seeds, 40 ticks")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--ticks", type=int, default=120)
    parser.add_argument("--nominal", choices=NOMINAL, default=NOMINAL[0])
    parser.add_argument("--explore", type=float, default=0.0, help="share of moves drawn evenly in the recorded run")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    config = Config.from_yaml(CONFIG)
    seeds, ticks = (4, 40) if given.quick else (given.seeds, given.ticks)
    bundle = deployed(config, given.nominal)
    print(f"{len(config.robots)} robots in PyBullet, {K} polled per tick, {ticks} ticks, {seeds} seeds", flush=True)
    work = joblib.Parallel(n_jobs=given.workers, return_as="generator")
    runs = []
    for run in work(joblib.delayed(one_seed)(config, bundle, ticks, given.explore, seed) for seed in range(seeds)):
        runs.append(run)
        print(f"  seed {len(runs) - 1}: {run['nominal']:.3f} → {run['fitted']:.3f}", flush=True)
    settings = {"nominal": given.nominal, "ticks": ticks, "explore": given.explore}
    result = {"machine": machine(), **settings, "runs": runs, "result": tell(runs, given.explore)}
    if given.json is not None:
        given.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
