"""Counts instead of robots: the same law as simulating every robot (math.md §6).

Statistical tests have fixed seeds; the thresholds are passed by a right program with all but about 1 in 10,000 seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2_contingency, chisquare, multinomial, multivariate_hypergeom

from meanfleet.base.errors import UserError
from meanfleet.solver import Game
from meanfleet.solver.fleet import Estimate, Fleet, discounted_horizon, fleet_return
from meanfleet.solver.fleet.counts import CHUNK, endless_weights
from meanfleet.solver.fleet.kernels import poll, scatter
from meanfleet.solver.histograms import rank
from naive.fleet import by_counts, robot_by_robot
from naive.surrogate import TupleSystem, histograms, random_arrays, random_policy

UNLIKELY = 1e-4
K, N, TICKS = 2, 5, 8
ARRAYS = random_arrays(7, priorities=2, dispatches=3, zones=3, moves=2, discount=0.9)
POLICY = random_policy(8, 3, 2, 2)
GAME = Game(**ARRAYS)
TABLE = np.random.default_rng(9).integers(3, size=(2, len(histograms(K, 3))))


def rule(priority: int, histogram: tuple[int, ...]) -> int:
    return int(TABLE[priority, rank(histogram)])


def polled(counts: list[int], k: int, draws: int, seed: int = 0) -> list[tuple[int, ...]]:
    """Histograms of k robots of one fleet, drawn again and again."""
    rng, sample, left = np.random.default_rng(seed), np.zeros(len(counts), np.int64), np.zeros(len(counts), np.int64)
    seen = []
    for _ in range(draws):
        poll(np.array(counts), k, rng, sample, left)
        seen.append(tuple(sample.tolist()))
    return seen


@pytest.mark.parametrize("k", [3, 7])
def test_polled_histograms_are_multivariate_hypergeometric(k: int) -> None:
    """20,000 draws out of (3, 0, 2, 4) against the exact law; of 7 robots, it is the 2 left out that are drawn."""
    seen = Counter(polled([3, 0, 2, 4], k, 20_000))
    law = {h: multivariate_hypergeom.pmf(h, [3, 0, 2, 4], k) for h in histograms(k, 4)}
    possible = [h for h, chance in law.items() if chance > 0]
    assert seen.keys() <= set(possible)
    expected = np.array([20_000 * law[h] for h in possible])
    assert chisquare([seen[h] for h in possible], expected).pvalue > UNLIKELY


def test_polling_a_billion_robots_is_polling_their_shares() -> None:
    """n ≫ k: without or with replacement is the same, up to k²/n."""
    seen = Counter(polled([500_000_000, 200_000_000, 300_000_000], 3, 20_000))
    expected = {h: 20_000 * multinomial.pmf(h, 3, [0.5, 0.2, 0.3]) for h in histograms(3, 3)}
    assert chisquare([seen[h] for h in expected], list(expected.values())).pvalue > UNLIKELY


def test_polling_everybody_is_the_fleet_itself_and_nobody_is_nothing() -> None:
    assert set(polled([400, 0, 600], 1000, 5)) == {(400, 0, 600)}
    assert set(polled([400, 0, 600], 0, 5)) == {(0, 0, 0)}


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=5), st.data())
def test_a_poll_leaves_its_stream_at_the_same_place_whatever_it_finds(counts: list[int], data: st.DataObject) -> None:
    """min(k, n − k) uniform numbers: the polls of two rules stay in step though their fleets differ."""
    n = sum(counts)
    k = data.draw(st.integers(0, n))
    rng, plain = np.random.default_rng(n), np.random.default_rng(n)
    sample, left = np.zeros(len(counts), np.int64), np.zeros(len(counts), np.int64)
    poll(np.array(counts), k, rng, sample, left)
    plain.random(min(k, n - k))
    assert sample.sum() == k
    assert (sample <= counts).all()
    assert rng.random() == plain.random()


def scattered(count: int, law: list[float], draws: int, seed: int = 0) -> np.ndarray:
    rng, out = np.random.default_rng(seed), np.zeros((draws, len(law)), dtype=np.int64)
    for row in out:
        scatter(count, np.array(law), rng, row)
    return out


def test_robots_of_a_zone_spread_as_a_multinomial() -> None:
    seen = Counter(map(tuple, scattered(4, [0.2, 0.0, 0.5, 0.3, 0.0], 20_000).tolist()))
    law = {h: multinomial.pmf(h, 4, [0.2, 0.0, 0.5, 0.3, 0.0]) for h in histograms(4, 5)}
    possible = [h for h, chance in law.items() if chance > 0]
    assert seen.keys() <= set(possible)
    assert chisquare([seen[h] for h in possible], [20_000 * law[h] for h in possible]).pvalue > UNLIKELY


@pytest.mark.parametrize("count", [1000, 10**6, 10**9])
def test_each_zone_gets_a_binomial_share_of_however_many_robots(count: int) -> None:
    """The last of three zones, whose count is what two conditional binomials leave, in 20 classes of 5 % each."""
    third = scattered(count, [0.05, 0.6, 0.35], 10_000, seed=1)[:, 2]
    # The exact law jumps at whole numbers: the chance of each class follows from its own edges.
    edges = binom.ppf(np.arange(1, 20) / 20, count, 0.35)
    chances = np.diff(np.concatenate([[0.0], binom.cdf(edges, count, 0.35), [1.0]]))
    seen = np.bincount(np.searchsorted(edges, third, side="left"), minlength=20)
    assert chisquare(seen, 10_000 * chances).pvalue > UNLIKELY


@pytest.mark.parametrize("naive", [robot_by_robot, by_counts])
def test_returns_and_final_counts_have_the_law_of_separate_robots(naive: Callable[..., Any]) -> None:
    """1,500 naive runs against 6,000 fast ones: the mean return within 4 standard errors, final states by χ²."""
    rng = np.random.default_rng(3)
    runs = [naive(ARRAYS, POLICY, rule, K, N, TICKS, rng) for _ in range(1500)]
    slow = np.array([run.discounted(GAME.discount) for run in runs])
    fleet = Fleet(GAME, N, K)
    fast = fleet.returns(TABLE, POLICY, 6000, TICKS, seed=4)
    error = np.sqrt(slow.var(ddof=1) / len(slow) + fast.var(ddof=1) / len(fast))
    assert abs(slow.mean() - fast.mean()) < 4 * error
    priority, counts = fleet.visits(TABLE, POLICY, 6000, TICKS, seed=5)
    states = [
        Counter((run.priorities[-1], *run.counts[-1]) for run in runs),
        Counter((s, *c) for s, c in zip(priority[:, -1].tolist(), counts[:, -1].tolist(), strict=True)),
    ]
    table = np.array([[count[state] for state in sorted(states[0] | states[1])] for count in states])
    frequent = table.sum(axis=0) >= 40
    table = np.column_stack([table[:, frequent], table[:, ~frequent].sum(axis=1)])
    assert table.shape[1] >= 10
    assert chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue > UNLIKELY


def test_the_return_with_everybody_polled_is_the_exact_value_of_the_k_robot_system() -> None:
    """n = k: the surrogate is the system itself. Horizon 120 leaves out less than 1e-5 of J."""
    exact = TupleSystem(ARRAYS, POLICY, K).expected_return(rule)
    estimate = fleet_return(GAME, TABLE, POLICY, K, n=K, rollouts=4000, horizon=120, seed=6)
    assert estimate.error < 0.05
    assert abs(estimate.mean - exact) < 4 * estimate.error


def test_a_rule_that_asks_nobody_earns_the_same_with_one_robot_and_with_a_billion() -> None:
    """Robots under a pinned dispatch are independent, and the reward is their mean: J does not know n."""
    exact = TupleSystem(ARRAYS, POLICY, 1).expected_return(lambda s, histogram: 1)
    pinned = np.ones_like(TABLE)
    estimate = fleet_return(GAME, pinned, POLICY, K, n=10**9, rollouts=4000, horizon=120, seed=8)
    assert abs(estimate.mean - exact) < 4 * estimate.error


def test_the_stated_error_is_the_spread_of_repeated_estimates() -> None:
    """100 estimates: their standard deviation over the stated error is 1 within 4/√200."""
    estimates = [fleet_return(GAME, TABLE, POLICY, K, n=N, rollouts=50, horizon=10, seed=s) for s in range(100)]
    spread = np.std([e.mean for e in estimates], ddof=1)
    assert spread / np.mean([e.error for e in estimates]) == pytest.approx(1, abs=4 / np.sqrt(200))


@pytest.mark.parametrize("n", [5, 1000, 10**9])
def test_robots_are_neither_lost_nor_made(n: int) -> None:
    priority, counts = Fleet(GAME, n, K).visits(TABLE, POLICY, 300, 20, seed=2)
    assert (counts.sum(axis=2) == n).all()
    assert (counts >= 0).all()
    assert set(priority.ravel().tolist()) <= {0, 1}


def test_impossible_transitions_never_happen() -> None:
    """Zeros in P_g and P_l stay zeros, also at the end of a row where sums are rounded."""
    arrays = random_arrays(3, 3, 2, 3, 2, sparse=True)
    arrays["P_l"] = np.broadcast_to(np.eye(3)[[1, 2, 0]][:, None, None], (3, 3, 2, 3)).copy()
    arrays["P_g"][:, :, :] = [0.3, 0.7, 0.0]
    fleet = Fleet(Game(**arrays), 7, 1)
    priority, counts = fleet.visits(np.zeros((3, 3), dtype=np.int64), random_policy(2, 3, 3, 2), 2000, 6, seed=1)
    assert np.array_equal(counts[:, 1:], counts[:, :-1][:, :, [2, 0, 1]])
    assert (priority[:, 1:] < 2).all()


def test_visits_with_a_stride_are_some_of_all_visits() -> None:
    fleet = Fleet(GAME, N, K)
    every, some = (fleet.visits(TABLE, POLICY, 30, 10, seed=1, stride=stride) for stride in (1, 4))
    assert some[1].shape == (30, 3, 3)
    assert np.array_equal(every[0][:, ::4], some[0])
    assert np.array_equal(every[1][:, ::4], some[1])


# --- random numbers


def test_same_seed_same_estimate() -> None:
    first, same, other = (fleet_return(GAME, TABLE, POLICY, K, N, 20, 10, seed=s) for s in (1, 1, (1, 2)))
    assert first == same != other


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    fleet, threads = Fleet(GAME, N, K), numba.get_num_threads()
    many = fleet.returns(TABLE, POLICY, 3 * CHUNK + 7, 5)
    try:
        numba.set_num_threads(1)
        one = fleet.returns(TABLE, POLICY, 3 * CHUNK + 7, 5)
    finally:
        numba.set_num_threads(threads)
    assert np.array_equal(one, many)
    assert len(set(one.tolist())) > 2 * CHUNK  # chunks do not repeat each other


@settings(deadline=None, derandomize=True, max_examples=10)
@given(st.integers(2, 3 * CHUNK))
def test_a_rollout_has_its_random_numbers_by_its_place(rollouts: int) -> None:
    """More rollouts begin with the same ones, and may be run in pieces."""
    fleet = Fleet(GAME, N, K)
    every = fleet.returns(TABLE, POLICY, 3 * CHUNK, 4, seed=3)
    assert np.array_equal(fleet.returns(TABLE, POLICY, rollouts, 4, seed=3), every[:rollouts])
    rest = fleet.returns(TABLE, POLICY, CHUNK, 4, seed=3, first=2 * CHUNK)
    assert np.array_equal(rest, every[2 * CHUNK :])


def test_common_random_numbers_tell_rules_apart_with_half_the_rollouts() -> None:
    """Same starts and priorities' luck: the error of two π_l's difference is below 1/√2 of that of separate runs."""
    fleet, other = Fleet(GAME, 100, K), random_policy(9, 3, 2, 2)
    first, second = (fleet.returns(TABLE, policy, 2000, 30, seed=1) for policy in (POLICY, other))
    apart = fleet.returns(TABLE, other, 2000, 30, seed=2)
    paired, separate = Estimate.of(first - second, 30), Estimate.of(first - apart, 30)
    assert paired.error < separate.error / np.sqrt(2)
    assert abs(paired.mean - separate.mean) < 4 * np.hypot(paired.error, separate.error)


# --- edges


def test_the_discounted_horizon_leaves_out_a_hundredth() -> None:
    for discount in (0.3, 0.5, 0.9, 0.95, 0.999):
        horizon = discounted_horizon(discount)
        assert discount**horizon <= 0.01 < discount ** (horizon - 1)
    assert discounted_horizon(0.0) == 1
    assert discounted_horizon(1 - 1e-12) == 5000


def test_what_is_no_fleet_and_no_simulation_is_a_users_error() -> None:
    for n, k in ((0, 0), (5, 6), (5, -1), (2**53 + 1, 2)):
        with pytest.raises(UserError, match=r"n = |k = "):
            Fleet(GAME, n, k)
    fleet = Fleet(GAME, N, K)
    with pytest.raises(UserError, match="shape"):
        fleet.returns(TABLE[:, :-1], POLICY, 10, 10)
    for rollouts, horizon in ((1, 10), (10, 0)):
        with pytest.raises(UserError, match="at least 2"):
            fleet.returns(TABLE, POLICY, rollouts, horizon)


def test_returns_without_end_are_j_where_a_rollout_shows_little_of_it() -> None:
    """γ = 0.999, rolled out for 700 ticks, half of the weight: 300 fleets of n = k robots against J in closed form."""
    game = Game(**(ARRAYS | {"discount": 0.999}))
    case = TupleSystem(game.arrays(), POLICY, K)
    true = case.expected_return(rule)
    found = Estimate.of(Fleet(game, K, K, endless=True).returns(TABLE, POLICY, 300, 700, seed=1), 700)
    cut = Estimate.of(Fleet(game, K, K).returns(TABLE, POLICY, 300, 700, seed=1), 700)
    assert abs(found.mean - true) < 4 * found.error < 0.05 * true
    assert cut.mean + 100 * cut.error < true


@pytest.mark.parametrize("discount", [0.0, 1e-4, 0.5, 0.95, 0.999999])
def test_weights_without_end_sum_to_the_discounted_time(discount: float) -> None:
    horizon = discounted_horizon(discount)
    weights = endless_weights(discount, horizon)
    assert len(weights) == horizon <= 5000
    assert weights.sum() == pytest.approx(1 / (1 - discount))
    assert weights[: horizon // 2] == pytest.approx(discount ** np.arange(horizon // 2))


def test_an_impossible_place_stays_empty_whatever_the_rounding() -> None:
    """1 − 0.7 − 0.2 > 0.1 and 1 − 0.8 − 0.15 < 0.05 in float64: of 2⁵³ robots some would be misplaced."""
    most = 2**53
    for row in scattered(most, [0.7, 0.2, 0.1, 0.0], 200, seed=2):
        assert row[3] == 0
        assert row.sum() == most
    for row in scattered(most, [0.8, 0.15, 0.05, 1e-30], 50, seed=3):
        assert row[3] == 0
        assert row.sum() == most
        assert abs(row[2] / most - 0.05) < 1e-6


def test_a_chance_that_rounding_leaves_above_the_rest_takes_the_rest() -> None:
    """Uncompiled, for numpy refuses chances above 1 where compiled code happens to take them."""
    row = np.zeros(4, dtype=np.int64)
    scatter.py_func(1000, np.array([0.8, 0.15, 0.05, 1e-30]), np.random.default_rng(0), row)
    assert row.sum() == 1000
    assert row[2] > 0
