"""What the chosen tables earn with 1000 robots, against the plain rules.

    python bench/returns.py [--quick] [--json FILE] [-k 1,5,10,20,50]

The paper's warehouse, mean discounted return over 50 ticks, memoryless dispatcher, 20,000 count rollouts per seed under
common random numbers: every rule meets the same starts and the same luck, so differences are known better than means.
Two answers for every k. "bundle": one bundle with tables for all k, so that all share the robots' policy chosen for the
largest k. "alone": that k has the robots to itself, which may then follow another policy (the bundle's, the shortest
way, or the best under a rule that asks nobody). Plain rules have robots that take the shortest way.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from meanfleet.config import SolverConfig
from meanfleet.solver import Game, solve
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.solver.fleet import Estimate, Fleet
from meanfleet.solver.fleet.candidates import Candidate, distinct, plain_tables
from meanfleet.solver.fleet.robots import best_blind
from meanfleet.solver.policies import shortest_way
from meanfleet.solver.selection import Selection

CONFIG = Path(__file__).resolve().parent.parent / "config" / "warehouse.yaml"
N, HORIZON = 1000, 50
WANTED = {1: 97.0, 5: 99.2, 10: 102.0, 20: 105.4, 50: 107.7}


def alone(bundle: PolicyBundle, k: int, settings: SolverConfig, seed: int) -> Candidate:
    """The best table for k with the best of three robots' policies."""
    game = bundle.game
    blind, unasked = best_blind(game)
    robots = {"bundle's": bundle.local_policy, "shortest way": shortest_way(game), f"best under {blind}": unasked}
    selection = Selection(game, N, settings, seed)
    pool = [one for name, policy in robots.items() for one in selection.candidates(k, policy, name)]
    return selection.choose(k, distinct(pool)).winner


def chosen(bundle: PolicyBundle, k: int) -> Candidate:
    """The bundle's own."""
    rule = bundle.certificate[k]["rule"]
    table = next(table.dispatch for table in bundle.tables if table.k == k)
    return Candidate(rule["name"], rule["robots"], np.asarray(table, dtype=np.int64), bundle.local_policy)


class Measure:
    """Returns of rules, float64 [seed, rollout]: the same starts and luck for all rules and all k."""

    def __init__(self, game: Game, seeds: range, rollouts: int) -> None:
        self.game, self.seeds, self.rollouts = game, seeds, rollouts
        self._blind: dict[str, np.ndarray] = {}

    def of(self, one: Candidate, k: int) -> np.ndarray:
        """Any rule for k polled robots."""
        fleet = Fleet(self.game, N, k)
        return np.stack(
            [fleet.returns(one.table, one.local_policy, self.rollouts, HORIZON, seed) for seed in self.seeds]
        )

    def plain(self, k: int) -> list[tuple[Candidate, np.ndarray]]:
        """The plain rules; those that ask nobody do not know k and are measured once."""
        found = []
        for name, table in plain_tables(self.game, k).items():
            one = Candidate(name, "shortest way", table, shortest_way(self.game))
            if name == "follow":
                found.append((one, self.of(one, k)))
                continue
            if name not in self._blind:
                self._blind[name] = self.of(one, k)
            found.append((one, self._blind[name]))
        return found


def row(bundle: PolicyBundle, k: int, settings: SolverConfig, seed: int, measure: Measure) -> dict[str, Any]:
    """All that is known of one k."""
    plain = measure.plain(k)
    rules = [chosen(bundle, k), alone(bundle, k, settings, seed)]
    returns = [*(measure.of(one, k) for one in rules), *(values for _, values in plain)]
    rules += [one for one, _ in plain]
    best = max(range(2, len(rules)), key=lambda i: returns[i].mean())

    def described(i: int) -> dict[str, Any]:
        estimate, means = Estimate.of(returns[i].ravel(), HORIZON), returns[i].mean(axis=1)
        seeds_range = {"lowest_seed": float(means.min()), "highest_seed": float(means.max())}
        return {"name": rules[i].name, "robots": rules[i].robots} | estimate.as_dict() | seeds_range

    def lead(i: int) -> dict[str, float]:
        ahead = Estimate.of((returns[i] - returns[best]).ravel(), HORIZON)
        return {"mean": ahead.mean, "error": ahead.error}

    return {
        "k": k,
        "wanted": WANTED.get(k),
        "bundle": described(0) | {"lead": lead(0)},
        "alone": described(1) | {"lead": lead(1)},
        "plain": described(best),
    }


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table: mean ± standard error, and the lead over the best plain rule."""
    print(f"{'k':>3} {'wanted':>6}   {'bundle':<40}{'alone':<48}{'best plain rule'}")
    for one in rows:
        cells = []
        for column in ("bundle", "alone"):
            value = one[column]
            ahead = f"(lead {value['lead']['mean']:+.2f} ± {value['lead']['error']:.2f})"
            cells.append(f"{value['mean']:.2f} ± {value['error']:.2f} {ahead}")
        plain = f"{one['plain']['mean']:.2f} ± {one['plain']['error']:.2f} {one['plain']['name']}"
        print(f"{one['k']:>3} {one['wanted'] or '':>6}   {cells[0]:<40}{cells[1]:<48}{plain}")
    for one in rows:
        for column in ("bundle", "alone"):
            value = one[column]
            seeds = f"seeds {value['lowest_seed']:.2f} … {value['highest_seed']:.2f}"
            print(f"k = {one['k']}, {column}: {value['name']}; robots: {value['robots']}; {seeds}")


def main() -> None:
    """Solve, measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="k = 1, 5, 10, two seeds of 4,000 rollouts")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("-k", help="as 1,5,10; of the wanted returns by default")
    parser.add_argument("--seed", type=int, default=0, help="of the solver")
    parser.add_argument("--policy", type=Path, help="a bundle with these k instead of solving")
    given = parser.parse_args()
    ks = [int(k) for k in given.k.split(",")] if given.k else [1, 5, 10] if given.quick else list(WANTED)
    seeds, rollouts = (range(1000, 1002), 4000) if given.quick else (range(1000, 1003), 20_000)
    settings = SolverConfig(starts=("shortest",), tolerance=1e-4)
    game, began = Game.from_yaml(CONFIG), time.perf_counter()
    bundle = PolicyBundle.load(given.policy, game) if given.policy else solve(game, ks, given.seed, settings=settings)
    print(
        f"solved in {time.perf_counter() - began:.0f} s; n = {N}, {len(seeds)} × {rollouts} rollouts of {HORIZON} ticks"
    )
    measure = Measure(game, seeds, rollouts)
    rows = [row(bundle, k, settings, given.seed, measure) for k in ks]
    show(rows)
    if given.json is not None:
        setup = {"n": N, "horizon": HORIZON, "seeds": list(seeds), "rollouts": rollouts}
        given.json.write_text(json.dumps(setup | {"rows": rows}, indent=2))


if __name__ == "__main__":
    main()
