"""G-LEARN, L-LEARN, the alternation and the certificates against an oracle that enumerates ordered robots."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.base.errors import UserError
from meanfleet.config import SolverConfig
from meanfleet.solver import Game
from meanfleet.solver.alternation import (
    Alternation,
    best_equilibrium,
    starting_policies,
    update_expected,
    update_statewise,
)
from meanfleet.solver.bounds import ValueInterval, fixed_point
from meanfleet.solver.certificate import certify, local_ceiling, single_robot_bound
from meanfleet.solver.evaluation import evaluate, occupancy
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.histograms import count_histograms
from meanfleet.solver.local_learning import gradient, improve
from meanfleet.solver.sampled import learn_sampled
from meanfleet.solver.solving import default_tables, solve
from meanfleet.solver.surrogate import KRobotSystem, Surrogate
from naive.surrogate import (
    Dispatch,
    TupleSystem,
    best_pure_policy,
    histograms,
    pure_policies,
    random_arrays,
    random_policy,
)

QUICK = SolverConfig(kappa=5, rollouts=500)
few = settings(deadline=None, derandomize=True, max_examples=25)
seeds = st.integers(0, 10**6)


class Case:
    """One random game with a random π_l, as product and as oracle."""

    def __init__(
        self, seed: int, k: int, priorities: int = 2, zones: int = 2, discount: float = 0.8, sparse: bool = False
    ) -> None:
        self.arrays = random_arrays(seed, priorities, 3, zones, 2, discount, sparse)
        self.game, self.k = Game(**self.arrays), k
        self.policy = random_policy(seed + 1, zones, priorities, 2)
        self.naive = TupleSystem(self.arrays, self.policy, k)
        self.surrogate = KRobotSystem(self.game, k).under(self.policy)
        self.table = np.random.default_rng(seed + 2).integers(3, size=self.surrogate.fleet_reward.shape)

    @property
    def rule(self) -> Dispatch:
        return as_rule(self.table, self.k)


def as_rule(table: np.ndarray, k: int) -> Dispatch:
    """A dispatch table [s_g, h] as the oracle wants it."""
    order = {h: i for i, h in enumerate(histograms(k, zones_of(table, k)))}
    return lambda s, histogram: int(table[s, order[histogram]])


@cache
def _zones(size: int, k: int) -> int:
    return next(zones for zones in range(1, 10) if len(histograms(k, zones)) == size)


def zones_of(table: np.ndarray, k: int) -> int:
    return _zones(table.shape[1], k)


def inside(value: np.ndarray | float, interval: ValueInterval, relative: float = 1e-9) -> bool:
    slack = interval.half + relative * max(1.0, float(np.abs(value).max()))
    return bool((np.abs(value - interval.middle) <= slack).all())


games = st.builds(
    Case,
    seed=seeds,
    k=st.integers(1, 3),
    priorities=st.integers(1, 3),
    zones=st.integers(1, 3),
    discount=st.sampled_from([0.0, 0.5, 0.9]),
    sparse=st.booleans(),
)


# --- the k-robot system


@few
@given(games)
def test_start_law_and_one_backup_are_those_of_ordered_robots(case: Case) -> None:
    naive = case.naive
    assert np.allclose(case.surrogate.system.start, naive.summed_by_histogram(naive.start()), rtol=0, atol=1e-13)
    values = np.random.default_rng(0).normal(size=case.surrogate.fleet_reward.shape)
    spread = np.empty_like(naive.fleet_reward)
    order = {h: i for i, h in enumerate(histograms(case.k, naive.zones))}
    for i, robots in enumerate(naive.tuples):
        spread[:, i] = values[:, order[tuple(robots.count(z) for z in range(naive.zones))]]
    expected = naive.q_values(spread)
    for a in range(naive.dispatches):
        q = case.surrogate.q_values(values)[:, :, a]
        assert np.allclose(q, naive.by_histogram(expected[:, :, a]), rtol=0, atol=1e-12)


def test_changing_one_cell_equals_building_anew() -> None:
    case = Case(4, 3, priorities=3, zones=3)
    policy = case.policy.copy()
    policy[1, 2] = [0.25, 0.75]
    patched, whole = case.surrogate.changed((1, 2), policy[1, 2]), case.surrogate.system.under(policy)
    assert np.allclose(patched.fleet_reward, whole.fleet_reward, rtol=0, atol=1e-14)
    for robots, lefts, rights in (
        (3, patched.law, whole.law),
        (2, [patched.fewer(s) for s in range(3)], [whole.fewer(s) for s in range(3)]),
    ):
        every = np.eye(count_histograms(robots, 3))
        for left, right in zip(lefts, rights, strict=True):
            assert np.allclose(left.expect(every), right.expect(every), rtol=0, atol=1e-13)


def test_no_robots_and_too_many_for_memory_are_users_errors() -> None:
    game = Game(**random_arrays(0, zones=5))
    for k in (0, -1, 500):
        with pytest.raises(UserError, match=f"k = {k}"):
            KRobotSystem(game, k)


# --- G-LEARN


@few
@given(games)
def test_the_interval_contains_the_value_over_ordered_robots(case: Case) -> None:
    best = learn_exact(case.surrogate, 1e-10)
    assert 2 * best.optimal.half <= 1e-9
    assert inside(case.naive.by_histogram(case.naive.optimal()), best.optimal)
    table = as_rule(best.table, case.k)
    assert np.allclose(case.naive.value(table), case.naive.optimal(), rtol=0, atol=1e-8)


@few
@given(games, st.sampled_from([1e-3, 0.1, 2.0, 100.0]))
def test_bounds_hold_however_early_iteration_stops(case: Case, tolerance: float) -> None:
    """math.md §2: the optimum lies in the interval for any V, and the greedy policy's value above the lower end."""
    rough = np.random.default_rng(3).normal(size=case.surrogate.fleet_reward.shape)
    best = learn_exact(case.surrogate, tolerance, start=rough)
    assert inside(case.naive.by_histogram(case.naive.optimal()), best.optimal)
    # learn_exact makes its table from the interval's middle, whose own interval is no wider.
    greedy = case.naive.by_histogram(case.naive.value(as_rule(best.table, case.k)))
    gamma = case.game.discount
    after = best.q.max(axis=2)
    low = after + gamma / (1 - gamma) * (after - best.optimal.middle).min()
    assert (greedy >= low - 1e-9).all()


def test_a_fixed_point_stops_by_rounding_when_the_tolerance_is_out_of_reach() -> None:
    found = fixed_point(lambda v: 1e6 * np.array([[1.0, 2.0]]) / 3 + 0.9 * v[:, ::-1], np.zeros((1, 2)), 0.9, 1e-300)
    exact = np.linalg.solve([[1, -0.9], [-0.9, 1]], 1e6 * np.array([1.0, 2.0]) / 3)
    assert found.backups < 1000
    assert np.allclose(found.middle, exact, rtol=1e-12)


def test_sampling_noise_falls_with_the_number_of_samples() -> None:
    """Root mean square error of Q against the exact one falls as 1/√m: 400 draws must beat 10 by more than 3."""
    case = Case(11, 4, priorities=3, zones=3, discount=0.7)
    exact = learn_exact(case.surrogate, 1e-10)
    centred = exact.q - exact.q.mean()
    errors, agreement = {}, {}
    for samples in (10, 400, 1600):
        # A free shift of all values is no error: it leaves every decision alone.
        rough = [learn_sampled(case.game, case.policy, 4, samples, seed=seed) for seed in range(3)]
        errors[samples] = np.sqrt(np.mean([(r.q - r.q.mean() - centred) ** 2 for r in rough]))
        agreement[samples] = np.mean([r.table == exact.table for r in rough])
        assert not any(r.exact for r in rough)
        assert all(abs(r.q.mean() - exact.q.mean()) < 0.2 for r in rough)
    assert errors[400] < errors[10] / 3
    assert errors[1600] < errors[400]
    assert agreement[1600] > 0.9
    assert agreement[1600] >= agreement[10]


def test_the_sampled_backup_repeats_with_its_seed_only() -> None:
    case = Case(12, 3, zones=3)
    first, same, other = (learn_sampled(case.game, case.policy, 3, 10, seed=seed).q for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_ties_go_to_the_first_dispatch() -> None:
    arrays = random_arrays(5)
    arrays["P_g"][:, 1], arrays["r_g"][:, 1] = arrays["P_g"][:, 0], arrays["r_g"][:, 0]
    case = learn_exact(KRobotSystem(Game(**arrays), 3).under(random_policy(1, 2, 2, 2)), 1e-6)
    assert (case.table == 0).all()


# --- evaluation


@few
@given(games)
def test_value_of_a_pair_solves_the_linear_equations(case: Case) -> None:
    value = evaluate(case.surrogate, case.table, 1e-10)
    assert inside(case.naive.by_histogram(case.naive.value(case.rule)), value)
    low, high = value.mean(case.surrogate.system.start)
    assert low - 1e-9 <= case.naive.expected_return(case.rule) <= high + 1e-9


@few
@given(games)
def test_occupancy_weighs_rewards_to_j(case: Case) -> None:
    d = occupancy(case.surrogate, case.table)
    gamma = case.game.discount
    assert np.isclose(d.sum(), 1 / (1 - gamma), rtol=1e-11)
    expected = case.naive.summed_by_histogram(case.naive.occupancy(case.rule))
    assert np.allclose(d, expected, rtol=0, atol=1e-9)
    reward = case.surrogate.fleet_reward + np.take_along_axis(case.game.r_g, case.table, axis=1)
    assert np.isclose(np.sum(d * reward), case.naive.expected_return(case.rule), rtol=1e-9, atol=1e-9)


def test_occupancy_of_a_chain_that_never_stands_still() -> None:
    """Robot and priority swap places every tick: the law has period 2, and only γ^t ends the sum."""
    arrays = random_arrays(3, 2, 1, 2, 1, 0.9)
    arrays["P_g"] = np.array([[[0.0, 1.0]], [[1.0, 0.0]]])
    arrays["P_l"] = np.broadcast_to(np.array([[0.0, 1.0], [1.0, 0.0]])[:, None, None, :], (2, 2, 1, 2)).copy()
    arrays["start_priority"] = np.array([1.0, 0.0])
    surrogate = KRobotSystem(Game(**arrays), 1).under(np.ones((2, 2, 1)))
    d = occupancy(surrogate, np.zeros((2, 2), dtype=np.int64))
    start = arrays["start_concentration"] / arrays["start_concentration"].sum()
    assert d.sum() == pytest.approx(10, rel=1e-11)
    assert np.allclose(d[0], start / (1 - 0.81), rtol=1e-10)
    assert np.allclose(d[1], 0.9 * start[::-1] / (1 - 0.81), rtol=1e-10)


def test_evaluation_may_give_up_only_when_it_is_hopeless() -> None:
    case = Case(8, 3, zones=3, discount=0.95)
    exact = evaluate(case.surrogate, case.table, 1e-10)
    j = exact.mean(case.surrogate.system.start)[0]
    above = evaluate(case.surrogate, case.table, 1e-10, hopeless_below=j + 0.5)
    below = evaluate(case.surrogate, case.table, 1e-10, hopeless_below=j - 0.5)
    assert above.backups < exact.backups == below.backups
    assert above.mean(case.surrogate.system.start)[1] < j + 0.5
    assert inside(exact.middle, above)


# --- L-LEARN


@few
@given(games)
def test_gradient_equals_finite_differences_of_the_oracle(case: Case) -> None:
    """J over unnormalised rows of π_l is smooth; central differences with step 1e-5 are good to about 1e-8."""
    value = evaluate(case.surrogate, case.table, 1e-12).middle
    slopes = gradient(case.surrogate, case.table, value)
    step = 1e-5
    rng = np.random.default_rng(0)
    for _ in range(3):
        # Along directions that keep rows summing to 1, the only ones that matter.
        direction = rng.normal(size=case.policy.shape)
        direction -= direction.mean(axis=2, keepdims=True)
        ends = [
            TupleSystem(case.arrays, case.policy + sign * step * direction, case.k).expected_return(case.rule)
            for sign in (1, -1)
        ]
        assert np.isclose((ends[0] - ends[1]) / (2 * step), np.sum(slopes * direction), rtol=1e-5, atol=1e-6)


@few
@given(games)
def test_improve_never_lowers_j_and_leaves_no_better_single_switch(case: Case) -> None:
    before = case.naive.expected_return(case.rule)
    found = improve(case.surrogate, case.table, 1e-7)
    after = TupleSystem(case.arrays, found.policy, case.k).expected_return(case.rule)
    assert after >= before - 1e-9
    assert (found.policy >= 0).all()
    assert np.allclose(found.policy.sum(axis=2), 1, rtol=0, atol=1e-12)
    assert abs(found.value.mean(case.surrogate.system.start)[0] - after) <= 1e-6
    for z, s, a in np.ndindex(found.policy.shape):
        switched = found.policy.copy()
        switched[z, s] = np.eye(found.policy.shape[2])[a]
        assert TupleSystem(case.arrays, switched, case.k).expected_return(case.rule) <= after + 1e-6


def test_improve_finds_the_best_of_all_deterministic_policies() -> None:
    """2 zones, k = 2: no worse than brute force over all 16 pure π_l from the uniform start in every one of 12 games.

    The problem is not convex, so this is what was found on these games, not a theorem.
    """
    for seed in range(12):
        case = Case(seed, 2)
        surrogate = case.surrogate.system.under(np.full((2, 2, 2), 0.5))
        found = improve(surrogate, case.table, 1e-8)
        best, _ = best_pure_policy(case.arrays, 2, case.rule)
        assert found.value.mean(surrogate.system.start)[1] >= best - 1e-6, seed


# --- UPDATE and the alternation


def interval(middle: list[float], half: float) -> ValueInterval:
    return ValueInterval(np.array([middle]), half, 1)


@pytest.mark.parametrize(
    ("new", "half", "eta", "accepted"),
    [
        ([1.5, 2.5], 0.1, 0.0, True),  # above everywhere
        ([1.0, 2.5], 0.1, 0.0, True),  # the same here, above there
        ([0.5, 1.5], 0.1, 0.0, False),  # below everywhere
        ([0.5, 2.5], 0.1, 0.0, False),  # above here, below there: no statewise improvement
        ([1.1, 2.1], 0.1, 0.0, False),  # overlap: nothing is proven
        ([1.5, 2.5], 0.1, 0.6, False),  # above, but not by more than η
        ([1.5, 2.9], 0.1, 0.6, True),
    ],
)
def test_update_compares_intervals_statewise(new: list[float], half: float, eta: float, accepted: bool) -> None:
    assert update_statewise(interval([1.0, 2.0], half), interval(new, half), eta) is accepted


@pytest.mark.parametrize(
    ("new", "eta", "accepted"),
    [([1.0, 3.0], 0.0, True), ([3.0, 1.0], 0.0, False), ([1.1, 2.1], 0.0, False), ([1.0, 3.0], 0.5, False)],
)
def test_update_compares_j_at_the_start_for_robots(new: list[float], eta: float, accepted: bool) -> None:
    # J = (V_0 + 3 V_1)/4, so that a loss in one state may be worth it.
    law = np.array([[0.25, 0.75]])
    old, better = interval([1.5, 2.0], 0.1), interval(new, 0.1)
    assert update_expected(old, better, law, eta) is accepted


@few
@given(seeds, st.integers(1, 3), st.integers(1, 3))
def test_the_trace_never_decreases_and_ends_in_an_equilibrium(seed: int, k: int, zones: int) -> None:
    case = Case(seed, k, zones=zones)
    pair = Alternation(case.surrogate.system, 1e-7, 0.0, 30).run(case.policy, "random")
    assert pair.settled
    assert np.diff(pair.trace).min(initial=0) >= -1e-9
    naive = TupleSystem(case.arrays, pair.policy, k)
    assert naive.expected_return(as_rule(pair.table, k)) == pytest.approx(pair.trace[-1], abs=1e-6)
    # Neither player gains: the dispatcher in no state, the robots by no single switch.
    value = naive.value(as_rule(pair.table, k))
    assert (naive.optimal() - value).max() <= 1e-6


def test_the_best_start_wins() -> None:
    case = Case(21, 3, zones=3)
    starts = starting_policies(case.game, ("uniform", "shortest", "random"), seed=4)
    runs = [Alternation(case.surrogate.system).run(policy, name) for name, policy in starts]
    best = best_equilibrium(case.surrogate.system, starts)
    assert best.expected_return == max(run.expected_return for run in runs)
    assert best.start in {name for name, _ in starts}


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_of_rewards_changes_no_decision(unit: float) -> None:
    """Rewards times 1e-6: tolerances follow, so that the same pair and tables are found, with the same certificates."""
    arrays = random_arrays(40, 2, 2, 2, 2, 0.9, sparse=True)
    scaled = arrays | {name: unit * arrays[name] for name in ("r_g", "r_l")}
    settings = SolverConfig(kappa=5, rollouts=250, filtering=False, tolerance=1e-5)
    one, other = (solve(Game(**each), [2], n=5, settings=settings) for each in (arrays, scaled))
    assert np.array_equal(one.tables[0].dispatch, other.tables[0].dispatch)
    assert np.allclose(one.local_policy, other.local_policy)
    for key in ("value_low", "global_gap", "local_gap_high"):
        slack = {"abs": 2e-5 * np.ptp(arrays["r_l"]), "rel": 1e-6}
        assert other.certificate[2][key] / unit == pytest.approx(one.certificate[2][key], **slack)


# --- certificates


def certified(case: Case, table: np.ndarray, surrogate: Surrogate | None = None) -> tuple[float, float, float]:
    """(global_gap, local_gap_low, local_gap_high) of a pair."""
    surrogate = surrogate or case.surrogate
    best = learn_exact(surrogate, 1e-8)
    found = certify(surrogate, best, table, evaluate(surrogate, table, 1e-9), 1e-7)
    assert found.value_low <= found.value_high
    return found.global_gap, found.local_gap_low, found.local_gap_high


@few
@given(games)
def test_global_gap_bounds_what_any_dispatcher_could_gain(case: Case) -> None:
    """Of an arbitrary table, so that there is a gap to find: never below the truth, and tight."""
    true = float((case.naive.optimal() - case.naive.value(case.rule)).max())
    gap, _, _ = certified(case, case.table)
    assert true - 1e-9 <= gap <= true + 1e-6


@settings(deadline=None, derandomize=True, max_examples=8)
@given(seeds, st.integers(1, 2))
def test_local_gap_encloses_what_the_best_pure_policy_gains(seed: int, k: int) -> None:
    case = Case(seed, k)
    _, low, high = certified(case, case.table)
    best, _ = best_pure_policy(case.arrays, k, case.rule)
    gain = best - case.naive.expected_return(case.rule)
    assert low <= high
    assert gain <= high + 1e-9


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("off", "known"), [(0.1, 0.3), (0.3, 0.1)])
def test_gaps_hold_wherever_in_their_intervals_the_values_lie(seed: int, off: float, known: float) -> None:
    """Values known coarsely and as far off as their intervals allow: both gaps enclose the true ones all the same."""
    case = Case(seed, 2)
    best, value = learn_exact(case.surrogate, 1e-10), evaluate(case.surrogate, case.table, 1e-11)
    law, true = case.surrogate.system.start, float((best.optimal.middle - value.middle).max())
    exact = certify(case.surrogate, best, case.table, value, 1e-9)
    low_best = replace(best, optimal=ValueInterval(best.optimal.middle - off, off, 1))
    above, below = (ValueInterval(value.middle + sign * known, known, 1) for sign in (1, -1))
    assert certify(case.surrogate, low_best, case.table, above, 1e-9).global_gap >= true - 1e-8
    high = certify(case.surrogate, best, case.table, above, 1e-9)
    assert high.value_low == pytest.approx(value.mean(law)[0])
    assert high.local_gap_high >= exact.local_gap_low - 1e-8
    assert (
        high.local_gap_high >= local_ceiling(case.surrogate, case.table, above, 1e-9).value - value.mean(law)[0] - 1e-8
    )
    assert certify(case.surrogate, best, case.table, below, 1e-9).local_gap_low <= exact.local_gap_low + 1e-8


@few
@given(games)
def test_no_pair_earns_more_than_a_single_robot_that_dispatches_itself(case: Case) -> None:
    bound = single_robot_bound(case.game)
    best = case.naive.optimal()
    assert float(np.sum(case.naive.start() * best)) <= bound + 1e-8
    if case.naive.priorities * case.naive.zones <= 4:
        for policy in pure_policies(case.naive.zones, case.naive.priorities, 2):
            system = TupleSystem(case.arrays, policy, case.k)
            assert float(np.sum(system.start() * system.optimal())) <= bound + 1e-8


def test_the_single_robot_bound_is_reached_by_a_fleet_of_one_that_is_seen() -> None:
    """With k = 1 and π_l free for each s_g the bound is the optimum when the move never needs to know a_g."""
    arrays = random_arrays(2, 2, 1, 2, 2)  # one dispatch: nothing to know
    best = max(
        TupleSystem(arrays, policy, 1).expected_return(lambda s, histogram: 0) for policy in pure_policies(2, 2, 2)
    )
    assert single_robot_bound(Game(**arrays)) == pytest.approx(best, abs=1e-7)


# --- solve


@pytest.mark.parametrize(("k", "tables"), [(1, (1,)), (2, (1, 2)), (7, (1, 2, 5, 7)), (10, (1, 2, 5, 10))])
def test_a_single_k_brings_tables_for_fewer_answers(k: int, tables: tuple[int, ...]) -> None:
    assert default_tables(k) == tables


def test_every_table_of_a_bundle_carries_the_certificate_of_that_very_table() -> None:
    case = Case(30, 3, zones=3)
    bundle = solve(case.game, [1, 3, 2], seed=5, n=20, settings=QUICK)
    assert bundle.ks == (1, 2, 3)
    for table in bundle.tables:
        naive = TupleSystem(case.arrays, bundle.local_policy, table.k)
        rule = as_rule(table.dispatch, table.k)
        certificate = table.certificate
        assert certificate["k"] == table.k
        # Chosen for n = 20, so its gap in the k-robot system may be large; it is the true one.
        assert (naive.optimal() - naive.value(rule)).max() == pytest.approx(certificate["global_gap"], abs=1e-5)
        assert certificate["value_low"] - 1e-9 <= naive.expected_return(rule) <= certificate["value_high"] + 1e-9
        assert certificate["fleet"]["n"] == 20


def test_solving_repeats_with_its_seed_and_samples_where_told() -> None:
    game = Case(31, 3, zones=3).game
    first, again = (solve(game, 3, seed=2, n=10, settings=QUICK, sampled=(3,)) for _ in range(2))
    assert first.digest == again.digest
    assert first.certificate[3]["global_kind"].startswith("estimate")
    assert "global_gap" not in first.certificate[3]
    assert first.certificate[2]["global_kind"] == "exact"


@pytest.mark.parametrize("k", [0, -1, [], [0, 2]])
def test_solving_for_no_robots_is_a_users_error(k: int | list[int]) -> None:
    with pytest.raises(UserError, match="at least one robot"):
        solve(Game(**random_arrays(0)), k)


def test_a_bundle_of_another_game_has_another_digest() -> None:
    bundle = solve(Game(**random_arrays(0)), 2, n=5, settings=QUICK)
    richer = Game(**(random_arrays(0) | {"r_g": 1 + random_arrays(0)["r_g"]}))
    assert replace(bundle, game=richer).digest != bundle.digest
