"""Floors and ceilings of halls with many zones, and what 1000 robots earn between them.

    python bench/meanfield.py [--quick] [--only PART] [--json FILE]

Parts: warehouse (the paper's, robots take the shortest way, both orders of moves), hall20 (20 zones × 3 demands),
hall50, hall200 (200 × 4, as a factored game), fleet20 (1000 robots, 120 ticks, paired rollouts: greedy on Γ with
everybody known, and at the mean of a Dirichlet belief with k polled), belief (the paper's game, horizon 50), random
(floors and ceilings of random games of 2 to 5 zones never cross the exact optimum). A floor has two numbers: proven,
and an estimate ± its standard error; ceilings are proven. Wall seconds include everything but making the game.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from halls import Hall
from measuring import machine, peak_bytes

from meanfleet.solver import Game
from meanfleet.solver.meanfield import Effort, Greedy, MeanField, Solver, Stage, ceiling, floor_of
from meanfleet.solver.meanfield.belief import predicted, start_belief, updated
from meanfleet.solver.meanfield.ceilings import SmallFleet
from meanfleet.solver.meanfield.floors import StartDraws
from meanfleet.solver.meanfield.model import ORDERS
from meanfleet.solver.meanfield.plans import blind_tables, table_values
from meanfleet.solver.meanfield.points import next_states
from meanfleet.solver.policies import shortest_way

ROOT = Path(__file__).resolve().parent.parent
N = 1000
Row = dict[str, Any]


def warehouse(order: str) -> MeanField:
    """The paper's game under the shortest way."""
    game = Game.from_yaml(ROOT / "config" / "warehouse.yaml")
    return MeanField.of(game, shortest_way(game), order)  # type: ignore[arg-type]


def hall(zones: int, width: int, demands: int, order: str) -> MeanField:
    """A hall written out."""
    game, policy = Hall(zones, width, demands).game()
    return MeanField.of(game, policy, order)  # type: ignore[arg-type]


def solved(model: MeanField, budget: float, what: str) -> tuple[Stage, Row]:
    """Γ within so many seconds, and its floors."""
    began = time.perf_counter()
    stage = Solver(model).run(budget)
    seconds = time.perf_counter() - began
    floor = floor_of(model, stage.alphas, seed=1)
    row: Row = {"what": what, "order": model.order, "budget": budget, "seconds": seconds, "rounds": stage.round}
    row |= {"size": len(stage.alphas.vectors), "peak": peak_bytes(), **vars(floor)}
    return stage, row


def topped(model: MeanField, ks: tuple[int, ...], what: str) -> list[Row]:
    """Ceilings J_k."""
    rows = []
    for k in ks:
        began = time.perf_counter()
        found = ceiling(model, k)
        rows.append({"what": what, "order": model.order, "seconds": time.perf_counter() - began, **vars(found)})
        say(rows[-1])
    return rows


def say(row: Row) -> None:
    """One line."""
    print("  ".join(f"{k} {v:.4g}" if k in ("seconds", "error") else f"{k} {v}" for k, v in row.items()), flush=True)


def floors_and_ceilings(
    make: Callable[[str], MeanField], name: str, budgets: tuple[float, ...], ks: tuple[int, ...]
) -> list[Row]:
    """Both, in both orders."""
    rows = []
    for order in ORDERS:
        model = make(order)
        for budget in budgets:
            rows.append(solved(model, budget, name)[1])
            say(rows[-1])
        rows += topped(model, ks, name)
    return rows


def hall200(budget: float) -> list[Row]:
    """The factored game, beside the best of its blind plans."""
    rows = []
    for order in ORDERS:
        large = Hall(200, 20, 4)
        model = large.factors().under(large.shortest_way, order)
        blind = StartDraws(model, 1000, 1).floor(table_values(model, blind_tables(model), 1e-7))
        stage, row = solved(model, budget, "hall200")
        rows.append(row | {"blind": blind, "above": row["estimate"] / blind - 1})
        say(rows[-1])
        rows[-1]["decision_seconds"] = decision_seconds(model, stage)
        print("one decision [s]:", rows[-1]["decision_seconds"])
    return rows


def decision_seconds(model: MeanField, stage: Stage) -> float:
    """Of one greedy decision."""
    greedy, rng = Greedy(model, stage.alphas), np.random.default_rng(0)
    shares = rng.dirichlet(model.start_concentration, 50)
    greedy.dispatch(0, shares[0])
    began = time.perf_counter()
    for i, m in enumerate(shares):
        greedy.dispatch(i % model.states, m)
    return (time.perf_counter() - began) / len(shares)


def rollouts(model: MeanField, greedy: Greedy, k: int | None, rho: float, runs: int, ticks: int) -> np.ndarray:
    """Discounted returns [run] of N robots; `k` polled per tick for a Dirichlet belief, None: everybody is known.

    The start and the uniform numbers behind s_g' are the same for every k.
    """
    law, noise = np.random.default_rng(1), np.random.default_rng(2)
    states = law.choice(model.states, runs, p=model.start_priority)
    counts = law.multinomial(N, law.dirichlet(model.start_concentration, runs))
    alpha, returns = np.tile(model.start_concentration, (runs, 1)), np.zeros(runs)
    for tick in range(ticks):
        if k:
            alpha = alpha + np.stack([noise.multivariate_hypergeometric(one, k) for one in counts])
        shares = counts / N if k is None else alpha / alpha.sum(axis=1, keepdims=True)
        dispatch = greedy.dispatches(states, shares)
        after = next_states(model, states, dispatch, law.random(runs))
        under = states if model.order == "next_tick" else after
        earned = model.dispatch_reward[states, dispatch] + (counts / N * model.fleet_reward[under]).sum(axis=1)
        returns += model.discount**tick * earned
        steps = model.steps[model.step_of[under]]
        counts = noise.multinomial(counts, steps / steps.sum(axis=2, keepdims=True)).sum(axis=1)
        alpha, states = rho * np.einsum("rz,rzy->ry", alpha, steps), after
    return returns


def mean_rollouts(model: MeanField, greedy: Greedy, k: int, runs: int, ticks: int) -> np.ndarray:
    """`rollouts` with a belief that is a mean and one number (solver/meanfield/belief.py): nothing to tune."""
    law, noise = np.random.default_rng(1), np.random.default_rng(2)
    states = law.choice(model.states, runs, p=model.start_priority)
    counts = law.multinomial(N, law.dirichlet(model.start_concentration, runs))
    beliefs, returns = [start_belief(model.start_concentration, N)] * runs, np.zeros(runs)
    for tick in range(ticks):
        polled = [noise.multivariate_hypergeometric(one, k).astype(float) for one in counts]
        beliefs = [updated(belief, one, N) for belief, one in zip(beliefs, polled, strict=True)]
        dispatch = greedy.dispatches(states, np.array([belief.mean for belief in beliefs]))
        after = next_states(model, states, dispatch, law.random(runs))
        under = states if model.order == "next_tick" else after
        earned = model.dispatch_reward[states, dispatch] + (counts / N * model.fleet_reward[under]).sum(axis=1)
        returns += model.discount**tick * earned
        steps = model.steps[model.step_of[under]]
        counts = noise.multinomial(counts, steps / steps.sum(axis=2, keepdims=True)).sum(axis=1)
        beliefs = [predicted(belief, step, N) for belief, step in zip(beliefs, steps, strict=True)]
        states = after
    return returns


def fleets(model: MeanField, budget: float, plan: dict[int, float], runs: int, ticks: int, name: str) -> list[Row]:
    """Everybody known, and each k with a Dirichlet belief and its ρ, then with a belief of the mean, paired."""
    greedy = Greedy(model, solved(model, budget, name)[0].alphas)
    whole = rollouts(model, greedy, None, 1.0, runs, ticks)
    rows = [{"what": name, "k": "all", "mean": float(whole.mean()), "error": float(whole.std() / runs**0.5)}]
    say(rows[0])
    for k, rho in [*plan.items(), *((k, None) for k in plan)]:
        own = rollouts(model, greedy, k, rho, runs, ticks) if rho else mean_rollouts(model, greedy, k, runs, ticks)
        lead = own - whole
        row: Row = {
            "what": name,
            "k": k,
            "belief": f"dirichlet, rho {rho}" if rho else "mean",
            "mean": float(own.mean()),
            "error": float(own.std() / runs**0.5),
        }
        rows.append(row | {"paired": float(lead.mean()), "paired_error": float(lead.std() / runs**0.5)})
        say(rows[-1])
    return rows


def random_games(games: int) -> list[Row]:
    """Violations of floor ≤ V_n ≤ ceiling in every state of random games, the optimum by dense matrices."""
    sys.path.insert(0, str(ROOT / "test"))
    from naive import meanfield as slow
    from naive.surrogate import histograms, random_arrays, random_policy

    light, worst, compared = Effort(points=60, fewest=10, doublings=0, ticks=6, sweeps=2, draws=60), -np.inf, 0
    for seed, order in product(range(games), ORDERS):
        zones, n = [(2, 8), (3, 6), (4, 4), (5, 3)][seed % 4]
        arrays, policy = (
            random_arrays(seed, 3, 2, zones, 2, 0.8, sparse=seed % 2 == 1),
            random_policy(seed, zones, 3, 2),
        )
        model = MeanField.of(Game.from_arrays(arrays), policy, order)
        exact, rows = slow.optimum(arrays, policy, order == "next_tick", n), np.array(histograms(n, zones))
        alphas = Solver(model, seed, light).run(progress=lambda stage: stage.round >= 3).alphas
        one = SmallFleet(model, 1).optimum(1e-10)
        unit = np.argsort([int(np.argmax(h)) for h in histograms(1, zones)])
        for s in range(3):
            low = alphas.values(s, rows / n) - exact[s]
            high = exact[s] - rows / n @ one.middle[s, unit] - one.half
            worst, compared = max(worst, float(low.max()), float(high.max())), compared + 2 * len(rows)
    row = {"what": "random", "games": games * len(ORDERS), "compared": compared, "worst": worst}
    say(row)
    return [row]


def parts(quick: bool) -> dict[str, Callable[[], list[Row]]]:
    """What there is to measure."""
    late = ORDERS[0]
    return {
        "warehouse": lambda: floors_and_ceilings(
            warehouse, "warehouse", (5,), (1, 2, 5, 10, 20, 30) + (50,) * (not quick)
        ),
        "hall20": lambda: floors_and_ceilings(
            lambda order: hall(20, 5, 3, order), "hall20", (10,) if quick else (10, 60), (1, 2, 3) + (4,) * (not quick)
        ),
        "hall50": lambda: floors_and_ceilings(
            lambda order: hall(50, 10, 3, order), "hall50", (10 if quick else 40,), (1,) if quick else (1, 2)
        ),
        "hall200": lambda: hall200(60 if quick else 300),
        "fleet20": lambda: fleets(
            hall(20, 5, 3, late), 10, dict.fromkeys((0, 1, 5, 20), 0.98), 100 if quick else 600, 120, "fleet20"
        ),
        "belief": lambda: fleets(
            warehouse(late), 5, {0: 1.0, 1: 1.0, 2: 0.98, 5: 0.98, 10: 0.95}, 2000 if quick else 8000, 50, "belief"
        ),
        "random": lambda: random_games(30 if quick else 300),
    }


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller budgets, fewer rollouts and games")
    parser.add_argument("--only", choices=sorted(parts(True)), help="one part")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    todo = {name: part for name, part in parts(given.quick).items() if given.only in (None, name)}
    found = {name: part() for name, part in todo.items()}
    if given.json is not None:
        given.json.write_text(json.dumps({"machine": machine(), "rows": found}, indent=2))


if __name__ == "__main__":
    main()
