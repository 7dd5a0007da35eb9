"""What a dispatcher that remembers earns with 1000 robots, against memoryless ones and the whole fleet.

    python bench/filtering.py [--quick] [--long] [--json FILE]

The paper's warehouse, mean discounted return over 50 ticks, 20,000 count rollouts per seed under common random numbers,
robots take the shortest way. "memoryless": Q_κ's greedy table for k robots taken for the fleet. "remembering": the
Dirichlet belief, κ = 20, ρ = 0.98, interpolated, forgetting faster when surprised. "fitted": the same with the robots'
policy fitted to it at k = 1. Then the model error: every row of the world's P_l is moved by a total variation of 10, 20
and 30 % towards a random law, while the observer goes on believing the model.

--long instead: reward per tick in ticks 1000 to 3000, on the paper's game and the demo's, with the right model and the
same model errors. What an adaptive ρ (from 0.98 on) earns beside every fixed one, the best of which is known only
afterwards.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from meanfleet.base.arrays import FloatArray
from meanfleet.config import SolverConfig
from meanfleet.solver import Game
from meanfleet.solver.bundle.filtering import RHOS
from meanfleet.solver.filter_robots import SHORTEST_WAY, fitted_robots
from meanfleet.solver.filter_selection import USUAL_RHO, FilterSelection, filter_model
from meanfleet.solver.fleet import Estimate, Fleet
from meanfleet.solver.fleet.filtered import Observer, drift
from meanfleet.solver.policies import shortest_way
from meanfleet.solver.selection import Selection

FOLDER = Path(__file__).resolve().parent.parent / "config"
N, HORIZON = 1000, 50
WANTED = {1: 104.4, 2: 105.9, 5: 107.3, 10: 107.9}
ERRORS, PERTURBED_KS = (0.1, 0.2, 0.3), (1, 5, 20)
LONG_KS, LONG_TICKS, LONG_RUNS = (1, 3, 5, 10), (1000, 3000), 40


def perturbed(game: Game, variation: float, seed: int) -> Game:
    """The game with every row of P_l moved by exactly that total variation towards a random law."""
    rng, P_l = np.random.default_rng(seed), np.array(game.P_l)
    for cell in np.ndindex(P_l.shape[:3]):
        distance = 0.0
        while distance < variation:
            change = rng.dirichlet(np.full(game.zones, 0.5)) - P_l[cell]
            distance = float(np.abs(change).sum() / 2)
        P_l[cell] += change * (variation / distance)
    return replace(game, P_l=P_l)


class Bench:
    """One game, robots that take the shortest way, Q_κ of these."""

    def __init__(self, seeds: range, rollouts: int, config: str = "warehouse") -> None:
        self.game, self.seeds, self.rollouts = Game.from_yaml(FOLDER / f"{config}.yaml"), seeds, rollouts
        self.policy = shortest_way(self.game)
        self.selection = Selection(self.game, N, SolverConfig(), 0)
        source = self.selection.reference(self.policy, 1)
        assert source is not None
        self.source, self.model = source, filter_model(self.game, source)

    def observer(self, adaptive: bool = True) -> Observer:
        """κ = 20, ρ = 0.98, interpolated."""
        return Observer(self.model, drift(self.game, self.policy), USUAL_RHO, "interpolated", adaptive)

    def remembering(self, k: int, world: Game, adaptive: bool = True) -> FloatArray:
        """Returns [seed, rollout]."""
        fleet, one = Fleet(world, N, k), self.observer(adaptive)
        return np.stack([fleet.filtered_returns(one, self.policy, self.rollouts, HORIZON, s) for s in self.seeds])

    def memoryless(self, k: int, world: Game) -> FloatArray:
        """Returns [seed, rollout]."""
        fleet, table = Fleet(world, N, k), self.source.table(k)
        return np.stack([fleet.returns(table, self.policy, self.rollouts, HORIZON, s) for s in self.seeds])

    def whole(self, world: Game) -> FloatArray:
        """Returns [seed, rollout]."""
        fleet = Fleet(world, N, 0)
        return np.stack(
            [fleet.informed_returns(self.model, self.policy, self.rollouts, HORIZON, s) for s in self.seeds]
        )

    def curve(self, ks: tuple[int, ...]) -> dict[str, Any]:
        """Returns against k, and whether they rise within their error."""
        rows, before = [], None
        for k in ks:
            own, other = self.remembering(k, self.game), self.memoryless(k, self.game)
            row = {"k": k, "wanted": WANTED.get(k), "memoryless": known(other), "remembering": known(own)}
            row |= {"lead": known(own - other)} | ({} if before is None else {"rise": known(own - before)})
            rows.append(row)
            before = own
        return {"rows": rows, "whole": known(self.whole(self.game))}

    def long_run(self, variation: float, seed: int, k: int) -> dict[str, Any]:
        """Reward per tick of an adaptive ρ and of every fixed one, in a world so far from the model."""
        world = perturbed(self.game, variation, seed) if variation else self.game
        fleet, believed = Fleet(world, N, k), drift(self.game, self.policy)

        def rates(rho: float, adaptive: bool = False) -> FloatArray:
            observer = Observer(self.model, believed, rho, "interpolated", adaptive)
            return fleet.settled_rates(observer, self.policy, self.rollouts, LONG_TICKS, self.seeds[0])

        with ThreadPoolExecutor(2) as threads:
            own, *fixed = threads.map(rates, (USUAL_RHO, *RHOS), (True, *(False,) * len(RHOS)))
        best = max(range(len(RHOS)), key=lambda i: fixed[i].mean())
        told = {str(rho): known(rows[None]) for rho, rows in zip(RHOS, fixed, strict=True)}
        row = {"variation": variation, "world": seed, "k": k, "adaptive": known(own[None]), "fixed": told}
        return row | {"best": RHOS[best], "lead": known((own - fixed[best])[None])}

    def fitted(self) -> dict[str, Any]:
        """The robots' policy fitted at k = 1, and its paired gain on this bench's seeds."""
        filters = FilterSelection(self.selection)
        found = fitted_robots(filters, {SHORTEST_WAY: self.policy}, 1)
        rule = filters.usual(found.robots, found.local_policy, 1)
        assert rule is not None
        fleet = Fleet(self.game, N, 1)
        own = np.stack([rule.returns(fleet, self.rollouts, HORIZON, seed) for seed in self.seeds])
        base = self.remembering(1, self.game)
        return {"return": known(own), "gain": known(own - base), "report": found.report}

    def model_errors(self, worlds: range) -> list[dict[str, Any]]:
        """Lead over the memoryless table in worlds that differ from the model."""
        rows = []
        for variation in ERRORS:
            for seed in worlds:
                world = perturbed(self.game, variation, seed)
                whole = known(self.whole(world))
                for k in PERTURBED_KS:
                    base = self.memoryless(k, world)
                    own, plain = (self.remembering(k, world, adaptive) for adaptive in (True, False))
                    row = {"variation": variation, "world": seed, "k": k, "memoryless": known(base), "whole": whole}
                    rows.append(
                        row | {"remembering": known(own), "lead": known(own - base), "fixed": known(plain - base)}
                    )
        return rows


def known(returns: FloatArray) -> dict[str, float]:
    """Mean, standard error and the seeds' range."""
    estimate, means = Estimate.of(returns.ravel(), HORIZON), returns.mean(axis=1)
    return {"mean": estimate.mean, "error": estimate.error, "low": float(means.min()), "high": float(means.max())}


def show(value: dict[str, float]) -> str:
    """Mean ± standard error."""
    return f"{value['mean']:.2f} ± {value['error']:.2f}"


def long_runs(quick: bool) -> list[dict[str, Any]]:
    """Measure and print `Bench.long_run` for both games."""
    rows = []
    print(f"n = {N}, {4 if quick else LONG_RUNS} rollouts, reward per tick in ticks {LONG_TICKS[0]} to {LONG_TICKS[1]}")
    print("| game | model wrong by | k | adaptive | best fixed ρ | it earns | adaptive ahead [%] |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for config in ("warehouse", "demo"):
        bench = Bench(range(1000, 1001), 4 if quick else LONG_RUNS, config)
        for variation in (0.0, *ERRORS):
            for k in LONG_KS:
                row = bench.long_run(variation, 0, k)
                best, ahead = row["fixed"][str(row["best"])], row["lead"]
                lead = f"{100 * ahead['mean'] / best['mean']:+.2f} ± {100 * ahead['error'] / best['mean']:.2f}"
                cells = (config, f"{variation:.0%}", k, f"{row['adaptive']['mean']:.3f}", row["best"])
                print("| " + " | ".join(map(str, (*cells, f"{best['mean']:.3f}", lead))) + " |", flush=True)
                rows.append({"game": config} | row)
    return rows


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed of 2,000 rollouts, one world per model error")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--long", action="store_true", help="3,000 ticks: adaptive ρ against every fixed one")
    given = parser.parse_args()
    if given.long:
        content = {"n": N, "ticks": LONG_TICKS, "seed": 1000, "rows": long_runs(given.quick)}
        if given.json is not None:
            given.json.write_text(json.dumps(content, indent=2))
        return
    seeds, rollouts = (range(1000, 1001), 2000) if given.quick else (range(1000, 1003), 20_000)
    began, bench = time.perf_counter(), Bench(seeds, rollouts)
    curve = bench.curve((1, 2, 5, 10, 20))
    print(f"n = {N}, {len(seeds)} × {rollouts} rollouts of {HORIZON} ticks, robots: shortest way, ± standard error")
    print(f"{'k':>3} {'wanted':>7} {'memoryless':>16} {'remembering':>16} {'lead':>15} {'more than the k before':>24}")
    for row in curve["rows"]:
        cells = (show(row["memoryless"]), show(row["remembering"]), show(row["lead"]))
        rise = show(row["rise"]) if "rise" in row else ""
        print(
            f"{row['k']:>3} {row['wanted'] or '':>7} {cells[0]:>16} {cells[1]:>16} {cells[2]:>15} {rise:>24}",
            flush=True,
        )
    print(f"whole fleet: {show(curve['whole'])}")
    fitted = bench.fitted()
    print(f"robots fitted to it at k = 1: {show(fitted['return'])}, paired gain {show(fitted['gain'])}", flush=True)
    if not given.quick:
        bench.seeds, bench.rollouts = range(1000, 1001), 4000
    errors = bench.model_errors(range(1) if given.quick else range(3))
    print(f"model error, {len(bench.seeds)} × {bench.rollouts} rollouts: lead over memoryless, adaptive ρ and fixed ρ")
    for row in errors:
        leads = f"{show(row['lead']):>15} {show(row['fixed']):>15}"
        place = f"{row['variation']:.0%} world {row['world']} k = {row['k']:>2}"
        print(f"{place}: memoryless {show(row['memoryless'])}, whole fleet {show(row['whole'])}, lead {leads}")
    print(f"{time.perf_counter() - began:.0f} s")
    if given.json is not None:
        setup = {"n": N, "horizon": HORIZON, "seeds": list(seeds), "rollouts": rollouts}
        content = setup | curve | {"fitted": fitted, "model_errors": errors}
        given.json.write_text(json.dumps(content, indent=2))


if __name__ == "__main__":
    main()
