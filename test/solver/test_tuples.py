"""The tuple parameterization: the same fixed point as the histograms, over |S_l|^k ordered states."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.base.errors import UserError
from meanfleet.solver import Game
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.solving import solve
from meanfleet.solver.surrogate import KRobotSystem
from meanfleet.solver.tuples import TUPLES, TupleSystem, counts_of, enumerate_tuples, learn_exact_tuples
from naive.surrogate import TupleSystem as NaiveTuples
from naive.surrogate import histogram_of, random_arrays, random_policy

few = settings(deadline=None, derandomize=True, max_examples=25)
seeds = st.integers(0, 10**6)


@pytest.mark.parametrize(("k", "zones"), [(1, 1), (3, 1), (1, 4), (2, 3), (4, 2)])
def test_tuples_are_enumerated_with_the_first_robot_leading(k: int, zones: int) -> None:
    tuples = enumerate_tuples(k, zones)
    assert [tuple(row) for row in tuples.tolist()] == list(itertools.product(range(zones), repeat=k))
    assert [tuple(row) for row in counts_of(tuples, zones).tolist()] == [
        histogram_of(tuple(row), zones) for row in tuples.tolist()
    ]


@few
@given(seeds, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_one_backup_equals_that_of_the_dense_kernel(
    seed: int, k: int, zones: int, priorities: int, sparse: bool
) -> None:
    """For any V of ordered states, also one that is not symmetric in the robots."""
    arrays = random_arrays(seed, priorities, 3, zones, 2, 0.8, sparse)
    policy = random_policy(seed + 1, zones, priorities, 2)
    system, naive = TupleSystem(Game(**arrays), policy, k), NaiveTuples(arrays, policy, k)
    values = np.random.default_rng(seed).normal(size=naive.fleet_reward.shape)
    assert np.allclose(system.q_values(values), naive.q_values(values), rtol=0, atol=1e-12)
    orderings = np.random.default_rng(seed + 1).normal(size=naive.fleet_reward.shape)
    sums = naive.summed_by_histogram(orderings) / naive.summed_by_histogram(np.ones_like(orderings))
    assert np.allclose(system.by_histogram(orderings), sums, rtol=0, atol=1e-13)


@few
@given(seeds, st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.sampled_from([0.0, 0.5, 0.95]), st.booleans())
def test_tuples_and_histograms_have_the_same_fixed_point(
    seed: int, k: int, zones: int, priorities: int, discount: float, sparse: bool
) -> None:
    """Q to 1e-10, both known to 1e-11; tables agree wherever the choice is not a tie."""
    game = Game(**random_arrays(seed, priorities, 3, zones, 2, discount, sparse))
    policy = random_policy(seed + 1, zones, priorities, 2)
    by_tuples = learn_exact_tuples(game, policy, k, 1e-11)
    by_histograms = learn_exact(KRobotSystem(game, k).under(policy), 1e-11)
    assert by_tuples.exact
    assert np.allclose(by_tuples.q, by_histograms.q, rtol=0, atol=1e-10)
    assert np.allclose(by_tuples.optimal.middle, by_histograms.optimal.middle, rtol=0, atol=1e-10)
    ranked = np.sort(by_histograms.q, axis=2)
    clear = ranked[:, :, -1] - ranked[:, :, -2] > 1e-9
    assert np.array_equal(by_tuples.table[clear], by_histograms.table[clear])


@pytest.mark.parametrize(("k", "zones"), [(9, 5), (20, 2), (10**6, 3)])
def test_too_many_ordered_states_are_refused_with_the_way_out(k: int, zones: int) -> None:
    assert zones ** min(k, 30) > TUPLES
    with pytest.raises(UserError, match=rf"k = {k}: .*{zones}\^{k} ordered states .* use the histogram"):
        enumerate_tuples(k, zones)


@pytest.mark.parametrize("k", [0, -2])
def test_no_robots_make_no_tuples(k: int) -> None:
    with pytest.raises(UserError, match="at least one robot"):
        learn_exact_tuples(Game(**random_arrays(0)), random_policy(0, 2, 2, 2), k)


def test_a_bundle_solved_over_tuples_has_the_tables_of_one_over_histograms() -> None:
    game = Game(**random_arrays(30, 2, 3, 3, 2))
    by_tuples = solve(game, [1, 3], seed=5, n=20, parameterization="tuple")
    by_histograms = solve(game, [1, 3], seed=5, n=20)
    assert by_tuples.how["settings"]["parameterization"] == "tuple"
    assert np.array_equal(by_tuples.local_policy, by_histograms.local_policy)
    for one, other in zip(by_tuples.tables, by_histograms.tables, strict=True):
        assert np.array_equal(one.dispatch, other.dispatch)
        assert one.certificate["value_low"] == pytest.approx(other.certificate["value_low"], abs=1e-6)
        assert one.certificate["global_gap"] <= 1e-5


def test_a_bundle_beyond_the_tuples_is_refused() -> None:
    with pytest.raises(UserError, match="ordered states"):
        solve(Game(**random_arrays(0)), [2, 25], sampled=(25,), parameterization="tuple")
