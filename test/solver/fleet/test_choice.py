"""Which rule runs the fleet best: the rules are what they say, and the choice is right beyond its error.

The yardstick is a fleet of four robots, of which two are polled, whose every J is known exactly.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.base.errors import UserError
from meanfleet.config import SolverConfig
from meanfleet.solver import Game, solve
from meanfleet.solver.fleet import Fleet
from meanfleet.solver.fleet.candidates import EQUILIBRIUM, Candidate, distinct, plain_tables
from meanfleet.solver.fleet.choice import TWIN, race, report
from meanfleet.solver.fleet.counts import CHUNK
from meanfleet.solver.fleet.robots import best_blind, best_robots
from meanfleet.solver.histograms import enumerate_histograms, rank
from meanfleet.solver.selection import FRESH, RACE, Selection
from naive.posterior import PartlySeen
from naive.surrogate import TupleSystem, best_pure_policy, random_arrays, random_policy

few = settings(deadline=None, derandomize=True, max_examples=25)
QUICK = SolverConfig(kappa=4, rollouts=1000, starts=("shortest",))
N, K = 4, 2


def tiny(seed: int, priorities: int = 2, dispatches: int = 2, zones: int = 2) -> tuple[dict[str, object], np.ndarray]:
    """A random game's arrays and a random π_l; robots earn most of the reward, so that it matters where they are."""
    arrays = random_arrays(seed, priorities, dispatches, zones, 2, 0.8)
    arrays["r_l"] = 10 * arrays["r_l"]
    return arrays, random_policy(seed + 1, zones, priorities, 2)


def exact_return(arrays: dict[str, object], policy: np.ndarray, table: np.ndarray, n: int = N, k: int = K) -> float:
    """J of n robots of which k are polled, by dense matrices over ordered robots."""
    return PartlySeen(TupleSystem(arrays, policy, n), lambda s, h: int(table[s, rank(h)]), k).expected_return()


# --- plain rules


@few
@given(st.integers(0, 999), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_plain_rules_are_what_they_say(seed: int, priorities: int, dispatches: int, zones: int, k: int) -> None:
    arrays, _ = tiny(seed, priorities, dispatches, zones)
    P_g = np.asarray(arrays["P_g"])
    tables = plain_tables(Game(**arrays), k)
    assert set(tables) - {"follow"} == {"hold", *(f"pin {a}" for a in range(dispatches))}
    assert ("follow" in tables) == (priorities == zones)
    for s, (h, histogram) in itertools.product(range(priorities), enumerate(enumerate_histograms(k, zones).tolist())):
        assert P_g[s, tables["hold"][s, h], s] == P_g[s, :, s].max()
        for a in range(dispatches):
            assert tables[f"pin {a}"][s, h] == a
        if "follow" in tables:
            fullest = [z for z in range(zones) if histogram[z] == max(histogram)]
            target = s if s in fullest else fullest[0]
            assert P_g[s, tables["follow"][s, h], target] == P_g[s, :, target].max()


def test_candidates_that_do_the_same_are_one_under_the_first_name() -> None:
    policy, other = np.full((2, 2, 2), 0.5), random_policy(0, 2, 2, 2)
    table = np.zeros((2, 3), dtype=np.int64)
    names = [("a", policy, table), ("b", policy, table.copy()), ("c", other, table), ("d", policy, 1 - table)]
    kept = distinct(Candidate(name, "", dispatch, robots) for name, robots, dispatch in names)
    assert [one.name for one in kept] == ["a", "c", "d"]


@pytest.mark.parametrize("seed", range(4))
def test_robots_at_their_best_under_a_blind_rule_are_the_best_of_all_pure_ones(seed: int) -> None:
    """Brute force over all 16 shared π_l, with one robot and with two: the same J, as robots do not meet."""
    arrays, _ = tiny(seed)
    game = Game(**arrays)
    dispatch = np.random.default_rng(seed).integers(2, size=2)
    policy, value = best_robots(game, dispatch)
    for k in (1, 2):
        best, _ = best_pure_policy(arrays, k, lambda s, histogram: int(dispatch[s]))
        assert value == pytest.approx(best, abs=1e-6)
        found = TupleSystem(arrays, policy, k).expected_return(lambda s, histogram: int(dispatch[s]))
        assert found == pytest.approx(best, abs=1e-6)
    name, _ = best_blind(game)
    values = {a: best_robots(game, np.full(2, a))[1] for a in range(2)}
    assert name == "hold" or values[int(name[-1])] == max(values.values())


# --- the race


@pytest.mark.parametrize("seed", range(6))
def test_the_winner_of_a_race_is_the_best_but_for_what_the_race_may_overlook(seed: int) -> None:
    """Against the exact J of ten out of all 64 tables: within TWIN deviations and three errors."""
    arrays, policy = tiny(seed)
    tables = [np.array(rows) for rows in itertools.product(itertools.product(range(2), repeat=3), repeat=2)][::7]
    exact = [exact_return(arrays, policy, table) for table in tables]
    candidates = [Candidate(str(i), "", table, policy) for i, table in enumerate(tables)]
    raced = race(Fleet(Game(**arrays), N, K), candidates, 4000, seed)
    chosen = int(raced.winner.name)
    estimate = raced.estimate(chosen)
    deviation = estimate.error * np.sqrt(estimate.rollouts)
    assert exact[chosen] >= max(exact) - TWIN * deviation - 3 * estimate.error
    # Those dropped early ran few rollouts, the winner the most; the ranking begins with it.
    assert estimate.rollouts == max(len(returns) for returns in raced.returns)
    assert raced.ranking()[0] == chosen
    # Estimates are of a horizon that leaves out 1 %.
    for i, value in enumerate(exact):
        assert abs(raced.estimate(i).mean - value) <= 4 * raced.estimate(i).error + 0.011 * abs(value)


def test_a_clearly_worse_rule_leaves_the_race_at_once() -> None:
    arrays = random_arrays(0, 1, 2, 1, 1, 0.5)
    arrays["r_g"] = np.array([[0.0, 1.0]])
    game, policy = Game(**arrays), np.ones((1, 1, 1))
    rules = [Candidate(f"pin {a}", "", np.full((1, 1), a), policy) for a in (0, 1)]
    raced = race(Fleet(game, 3, 1, endless=True), rules, 4000, 0)
    assert raced.winner.name == "pin 1"
    assert [len(returns) for returns in raced.returns] == [CHUNK, CHUNK]
    estimate, rule = report(raced, raced.winner, 500, 1)
    # The discounted sum of 1 − 0 at γ = 1/2, without end though only 7 ticks are rolled out.
    assert rule["lead"]["runner_up"]["mean"] == pytest.approx(2)
    assert rule["lead"]["runner_up"]["low"] <= rule["lead"]["runner_up"]["mean"] <= rule["lead"]["runner_up"]["high"]
    assert estimate.rollouts == 500
    with pytest.raises(UserError, match="no rule"):
        race(Fleet(game, 3, 1), [], 4000, 0)


# --- the selection, and what solve makes of it


@pytest.mark.parametrize("seed", [0, 3, 12, 13, 16])
def test_no_candidate_is_better_than_the_chosen_beyond_the_error(seed: int) -> None:
    """Exact J of every candidate for 2 of 4 robots, derived tables among them."""
    arrays, policy = tiny(seed)
    selection = Selection(Game(**arrays), N, QUICK, seed)
    candidates = selection.candidates(K, policy, "random")
    assert any(one.name.startswith(("derived", "nearest")) for one in candidates)
    choice = selection.choose(K, candidates)
    exact = {one.name: exact_return(arrays, one.local_policy, one.table) for one in candidates}
    deviation = choice.estimate.error * np.sqrt(choice.estimate.rollouts)
    assert exact[choice.winner.name] >= max(exact.values()) - TWIN * deviation - 3 * choice.estimate.error
    true = exact[choice.winner.name]
    assert abs(choice.estimate.mean - true) <= 4 * choice.estimate.error


@pytest.mark.parametrize("seed", [0, 1])
def test_with_everybody_polled_the_equilibrium_is_not_beaten(seed: int) -> None:
    """n = k: the k-robot system is the fleet. Nothing with the same π_l beats the best response, in exact terms."""
    arrays, _ = tiny(seed)
    bundle = solve(Game(**arrays), [3], seed=seed, n=3, settings=QUICK)
    rule = bundle.certificate[3]["rule"]
    kept = exact_return(arrays, bundle.local_policy, bundle.tables[0].dispatch, n=3, k=3)
    best = TupleSystem(arrays, bundle.local_policy, 3)
    assert kept >= float(np.sum(best.start() * best.optimal())) - 0.05
    if rule["robots"] == EQUILIBRIUM:
        assert rule["name"] == EQUILIBRIUM or rule["lead"]["equilibrium"]["high"] < 0.05


def test_the_bundle_keeps_the_winner_and_one_policy_of_the_robots() -> None:
    """What a certificate says can be measured again: the table's return with the bundle's π_l, other seeds."""
    arrays, _ = tiny(5, 3, 3, 3)
    game = Game(**arrays)
    bundle = solve(game, [1, 2], seed=3, n=30, settings=QUICK)
    for table in bundle.tables:
        rule, fleet = table.certificate["rule"], table.certificate["fleet"]
        assert fleet["n"] == 30
        names = [candidate["name"] for candidate in rule["candidates"]]
        assert names[0] == rule["name"]
        assert any(name.startswith("pin") for name in names)
        endless = Fleet(game, 30, table.k, endless=True)
        again = endless.returns(table.dispatch, bundle.local_policy, 4000, fleet["horizon"], 99)
        assert abs(again.mean() - fleet["mean"]) < 4 * np.hypot(fleet["error"], again.std() / np.sqrt(4000))
    first, second = (certificate["rule"]["robots"] for certificate in bundle.certificate.values())
    assert first == second


@pytest.mark.parametrize("n", [2, 3])
def test_fleets_smaller_than_kappa_and_tables_without_one(n: int) -> None:
    arrays, _ = tiny(6)
    game = Game(**arrays)
    settings = SolverConfig(kappa=20, rollouts=250, starts=("shortest",))
    derived = solve(game, [2], n=n, settings=settings).certificate[2]["rule"]["candidates"]
    # κ = 0 is no larger system: the equilibrium and plain rules are left.
    plain = solve(game, [2], n=n, settings=settings.model_copy(update={"kappa": 0})).certificate[2]["rule"]
    names = {candidate["name"] for candidate in plain["candidates"]}
    assert not any("κ" in name for name in names)
    assert all(name.endswith(f"κ = {n}") for name in (c["name"] for c in derived) if "κ" in name)


def test_the_winners_value_is_measured_under_random_numbers_that_the_race_has_not_seen() -> None:
    arrays, policy = tiny(3)
    selection = Selection(Game(**arrays), N, QUICK, 3)
    choice = selection.choose(K, selection.candidates(K, policy, "random"))
    rollouts, horizon = choice.estimate.rollouts, choice.estimate.horizon
    fresh, raced = (
        choice.winner.returns(selection.fleet(K), rollouts, horizon, selection.stream(purpose, K)).mean()
        for purpose in (FRESH, RACE)
    )
    assert choice.estimate.mean == fresh != raced
