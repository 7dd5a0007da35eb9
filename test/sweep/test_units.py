"""Units of work: what they compute, that they do so again, and that they travel between processes."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from meanfleet.config import SolverConfig
from meanfleet.solver import Game
from meanfleet.solver.alternation import best_equilibrium, starting_policies
from meanfleet.solver.filter_selection import USUAL_RHO, filter_model
from meanfleet.solver.fleet import Estimate, Fleet, fleet_return
from meanfleet.solver.fleet.derived import reference
from meanfleet.solver.fleet.filtered import Observer, drift
from meanfleet.solver.policies import shortest_way
from meanfleet.solver.surrogate import KRobotSystem
from meanfleet.studies.sweep.plan import WARM_ALTERNATIONS
from meanfleet.studies.sweep.units import (
    HOLD,
    WHOLE,
    Start,
    evaluate_unit,
    hold_unit,
    remembering_name,
    remembering_unit,
    solve_at,
    solve_unit,
)
from naive.fleet import robot_by_robot
from naive.surrogate import random_arrays

ARRAYS = random_arrays(5, zones=3, priorities=3, dispatches=3, moves=3, discount=0.9)
GAME = Game.from_arrays(ARRAYS)
SETTINGS = SolverConfig(starts=("uniform", "shortest"), tolerance=1e-8)


def test_a_cold_solve_is_the_best_equilibrium_of_all_starts() -> None:
    bundle = solve_unit(GAME, 3, None, SETTINGS, 0)
    found = best_equilibrium(KRobotSystem(GAME, 3), starting_policies(GAME, SETTINGS.starts, 0), 1e-8)
    assert np.array_equal(bundle.tables[0].dispatch, found.table)
    assert np.array_equal(bundle.local_policy, found.policy)
    assert bundle.certificate[3]["value_low"] == pytest.approx(found.expected_return, abs=1e-9)
    assert bundle.certificate[3]["global_gap"] < 1e-6
    assert bundle.how["alternation"]["warm_from"] is None
    assert bundle.how["spent"]["seconds"] > 0


def test_a_warm_solve_never_falls_below_where_it_starts() -> None:
    """From the equilibrium itself it stays there; from another k's policy J only rises from that policy's value."""
    cold = solve_at(GAME, 4, None, SETTINGS, 0)
    stays = solve_at(GAME, 4, Start(4, cold.local_policy), SETTINGS, 0)
    assert np.array_equal(stays.local_policy, cold.local_policy)
    warm = solve_at(GAME, 4, Start(2, solve_at(GAME, 2, None, SETTINGS, 0).local_policy), SETTINGS, 0)
    trace = warm.how["alternation"]["trace"]
    assert trace == sorted(trace)
    assert len(trace) <= 1 + 2 * WARM_ALTERNATIONS
    assert (warm.how["alternation"]["warm_from"], warm.how["alternation"]["start"]) == (2, "k = 2")


def test_units_are_picklable_and_repeat_themselves() -> None:
    bundle = solve_at(GAME, 2, None, SETTINGS, 0)
    again = solve_at(*pickle.loads(pickle.dumps((GAME, 2, None, SETTINGS, 0))))
    assert again.digest == bundle.digest == pickle.loads(pickle.dumps(bundle)).digest
    first = evaluate_unit(bundle, 2, 50, 20, 30, (0, 1))
    same = evaluate_unit(again, 2, 50, 20, 30, (1, 0))
    assert first.by_seed == same.by_seed
    assert first.by_seed[0] != first.by_seed[1]
    assert (first.k, first.policy) == (2, bundle.digest)
    table = bundle.tables[0].dispatch.astype(np.int64)
    assert first.by_seed[1] == fleet_return(GAME, table, bundle.local_policy, 2, 50, 20, 30, 1)


def test_hold_earns_what_robots_one_by_one_earn_under_it() -> None:
    """A ring of three: move 1 leads on, 2 back, and hold steers so that the priority is likeliest to stay."""
    n, rollouts, horizon = 6, 300, 12
    found = hold_unit(GAME, n, rollouts, horizon, (0,))
    policy = np.zeros((3, 3, 3))
    for z in range(3):
        for s in range(3):
            policy[z, s, (s - z) % 3] = 1
    stay = [max(range(3), key=lambda a, s=s: ARRAYS["P_g"][s, a, s]) for s in range(3)]
    rng = np.random.default_rng(0)
    runs = [
        robot_by_robot(ARRAYS, policy, lambda s, _: stay[s], 1, n, horizon, rng).discounted(0.9)
        for _ in range(rollouts)
    ]
    error = np.hypot(np.std(runs) / np.sqrt(rollouts), found.by_seed[0].error)
    assert found.k == HOLD
    assert abs(np.mean(runs) - found.by_seed[0].mean) < 3.5 * error


def test_remembering_and_whole_fleet_units_are_fleets_under_these_dispatchers() -> None:
    """κ = 4: Q_κ of robots that take the shortest way; the one that sees everybody is not behind the others."""
    policy = shortest_way(GAME)
    source = reference(GAME, policy, 4)
    assert source is not None
    model = filter_model(GAME, source)
    found = {k: remembering_unit(GAME, k, 30, 4, 400, 20, (0, 1)) for k in (WHOLE, 1, 5)}
    observer = Observer(model, drift(GAME, policy), USUAL_RHO, adaptive=True)
    expected = Fleet(GAME, 30, 5).filtered_returns(observer, policy, 400, 20, 1)
    assert found[5].by_seed[1] == Estimate.of(expected, 20)
    assert found[WHOLE].by_seed[0] == Estimate.of(Fleet(GAME, 30, 0).informed_returns(model, policy, 400, 20, 0), 20)
    assert all(each.remembers and each.policy == remembering_name(4) for each in found.values())
    assert found[WHOLE].by_seed[0].mean > found[1].by_seed[0].mean - 2 * found[1].by_seed[0].error
