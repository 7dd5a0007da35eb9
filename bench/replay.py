"""How long the replay of a bag takes, from the bag to the last decision.

    python bench/replay.py [--quick] [--json FILE]

The bag of bench/bags.py: 100 robots, Odometry at 10 Hz for 60 s. It is read, and every tick of 1 s is polled again with
8 values of k × 100 seeds × 2 observers, measured and compared with polling everybody. Wall and CPU seconds, all
threads; best and spread of several rounds after one that compiles. Counterfactual rollouts are timed apart.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bags import CONFIG, ODOMETRY, RATE, SECONDS, write
from measuring import Spread, machine, timed

from meanfleet.config import Config
from meanfleet.sim.bags.log import FleetLog
from meanfleet.sim.bags.reading import Source, read_fleet
from meanfleet.solver import Game
from meanfleet.solver.bundle.filtering import FilterModel, FilterSetting
from meanfleet.solver.bundle.policy import PolicyBundle, Table
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.policies import shortest_way
from meanfleet.solver.surrogate import KRobotSystem
from meanfleet.studies.replay.sweep import Options, Replay, replay

KS = (1, 2, 3, 5, 8, 10, 15, 20)
TARGET = 5.0  # [s]
TOLERANCE = 1e-3  # of the tables


def policy(config: Config) -> PolicyBundle:
    """Robots that take the shortest way, the best dispatcher for each of KS, and a filter of κ = 20."""
    game = Game.from_config(config)
    robots = shortest_way(game)
    learned = {k: learn_exact(KRobotSystem(game, k).under(robots), TOLERANCE) for k in KS}
    tables = tuple(Table(k, found.table, {}) for k, found in learned.items())
    settings = {1: FilterSetting(0.95, "interpolated", {})}
    model = FilterModel(KS[-1], learned[KS[-1]].q.astype(np.float32), game.start_concentration, settings)
    return PolicyBundle(game, robots, tables, {}, model)


def rounds(work: Callable[[], Any], count: int) -> tuple[Any, dict[str, Any]]:
    """Its last result, and wall and CPU seconds over `count` rounds."""
    work()
    found = [timed(work) for _ in range(count)]
    times = {name: Spread.of([measured[name] for _, measured in found]) for name in ("wall", "cpu")}
    return found[-1][0], times


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    count = 2 if given.quick else 5
    config = Config.from_yaml(CONFIG)
    bundle = policy(config)
    with tempfile.TemporaryDirectory(prefix="meanfleet-bench-") as folder:
        bag = Path(folder) / "bag"
        write(bag, ODOMETRY, range(RATE * SECONDS), "mcap")

        def read() -> FleetLog:
            return read_fleet(bag, config, Source(topic="/{robot}/pose", tick=1.0))

        def whole() -> Replay:
            return replay(read(), bundle, Options(KS, seeds=100, rollouts=0))

        def with_rollouts() -> Replay:
            return replay(read(), bundle, Options(KS, seeds=100, rollouts=1000))

        log, reading = rounds(read, count)
        result, sweeping = rounds(whole, count)
        _, rolling = rounds(with_rollouts, 1)
    decisions = sum(run.dispatch.size for run in result.runs)
    print(f"{log.messages:,} poses, {len(log.stamps)} ticks; {len(result.runs)} × 100 replays, {decisions:,} decisions")
    print(f"{'seconds':<34} {'best':>7} {'median':>7} {'worst':>7}   CPU, best")
    rows = {"reading": reading, "reading and sweep": sweeping, "the same with 1000 rollouts": rolling}
    for name, times in rows.items():
        wall, cpu = times["wall"], times["cpu"]
        print(f"{name:<34} {wall.low:7.2f} {wall.median:7.2f} {wall.high:7.2f}   {cpu.low:7.2f}")
    print(f"target for reading and sweep: {TARGET:g} s")
    if given.json is not None:
        times = {name: {kind: vars(spread) for kind, spread in value.items()} for name, value in rows.items()}
        given.json.write_text(json.dumps({"machine": machine(), "decisions": decisions, "seconds": times}, indent=2))


if __name__ == "__main__":
    main()
