"""What a simulated tick of a fleet costs, against the number of robots.

    python bench/counts.py [--quick] [--json FILE]

The paper's warehouse, k = 10 polled robots that take the shortest way, the dispatcher holding the priority. Runs of all
sizes take turns on one thread, so that a busy machine disturbs them alike; medians, and the quartiles as spread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numba

from meanfleet.solver import Game
from meanfleet.solver.fleet import Fleet
from meanfleet.solver.fleet.candidates import plain_tables
from meanfleet.solver.policies import shortest_way

CONFIG = Path(__file__).resolve().parent.parent / "config" / "warehouse.yaml"
SIZES = (10**3, 10**6, 10**9)
K, HORIZON = 10, 50


def measure(rounds: int, rollouts: int) -> dict[int, list[float]]:
    """Seconds per tick of one fleet, for every size and round."""
    game = Game.from_yaml(CONFIG)
    table, policy = plain_tables(game, K)["hold"], shortest_way(game)
    fleets = {n: Fleet(game, n, K) for n in SIZES}
    numba.set_num_threads(1)
    fleets[SIZES[0]].returns(table, policy, 2, 1)  # compile
    seconds: dict[int, list[float]] = {n: [] for n in SIZES}
    for turn in range(rounds):
        for n, fleet in fleets.items():
            began = time.perf_counter()
            fleet.returns(table, policy, rollouts, HORIZON, seed=turn)
            seconds[n].append((time.perf_counter() - began) / (rollouts * HORIZON))
    return seconds


def summary(seconds: dict[int, list[float]]) -> list[dict[str, float]]:
    """One row per size: median, quartiles and the ratio of medians to the smallest fleet."""
    base = statistics.median(seconds[SIZES[0]])
    rows = []
    for n, times in seconds.items():
        low, median, high = statistics.quantiles(times, n=4)
        rows.append({"n": n, "seconds": median, "low": low, "high": high, "ratio": median / base})
    return rows


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    rounds, rollouts = (5, 500) if given.quick else (15, 4000)
    rows = summary(measure(rounds, rollouts))
    print(f"{'n':>13} {'µs per tick':>12} {'quartiles':>15} {'against n = 1000':>17}")
    for row in rows:
        spread = f"{row['low'] * 1e6:.2f} … {row['high'] * 1e6:.2f}"
        print(f"{row['n']:>13,} {row['seconds'] * 1e6:>12.2f} {spread:>15} {row['ratio']:>17.2f}")
    if given.json is not None:
        given.json.write_text(json.dumps({"k": K, "rounds": rounds, "rollouts": rollouts, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
