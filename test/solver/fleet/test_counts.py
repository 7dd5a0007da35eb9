"""Counts instead of robots: the same law as simulating every robot (MATH §6).

Statistical tests have fixed seeds; the thresholds are passed by a right program with all but about 1 in 10,000 seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare, multivariate_hypergeom

from meanfleet.solver import Game
from meanfleet.solver.fleet import CountFleet, fleet_return
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


def rolled(rollouts: int, ticks: int, seed: int) -> tuple[np.ndarray, CountFleet]:
    """Discounted returns [rollout], and the fleet after `ticks` ticks."""
    fleet = CountFleet(GAME, N, rollouts, np.random.default_rng(seed))
    total = np.zeros(rollouts)
    for tick in range(ticks):
        total += GAME.discount**tick * fleet.step(TABLE[fleet.priority, rank(fleet.polled(K))], POLICY)
    return total, fleet


def test_polled_histograms_are_multivariate_hypergeometric() -> None:
    """20,000 draws of 4 out of (3, 0, 2, 4) against the exact law."""
    game = Game(**random_arrays(1, zones=4))
    fleet = CountFleet(game, 9, 20_000, np.random.default_rng(0))
    fleet.counts = np.tile([3, 0, 2, 4], (20_000, 1))
    sample = fleet.polled(4)
    assert (sample.sum(axis=1) == 4).all()
    assert (sample <= fleet.counts).all()
    seen = Counter(map(tuple, sample.tolist()))
    law = {h: multivariate_hypergeom.pmf(h, [3, 0, 2, 4], 4) for h in histograms(4, 4)}
    possible = [h for h, chance in law.items() if chance > 0]
    assert seen.keys() <= set(possible)
    expected = np.array([20_000 * law[h] for h in possible])
    assert chisquare([seen[h] for h in possible], expected).pvalue > UNLIKELY


def test_polling_everybody_is_the_fleet_itself_and_nobody_is_nothing() -> None:
    fleet = CountFleet(GAME, 1000, 50, np.random.default_rng(1))
    assert np.array_equal(fleet.polled(1000), fleet.counts)
    assert not fleet.polled(0).any()


@pytest.mark.parametrize("naive", [robot_by_robot, by_counts])
def test_returns_and_final_counts_have_the_law_of_separate_robots(naive: Callable[..., Any]) -> None:
    """1,500 naive runs against 6,000 fast ones: the mean return within 4 standard errors, final states by χ²."""
    rng = np.random.default_rng(3)
    runs = [naive(ARRAYS, POLICY, rule, K, N, TICKS, rng) for _ in range(1500)]
    slow = np.array([run.discounted(GAME.discount) for run in runs])
    fast, _ = rolled(6000, TICKS, seed=4)
    error = np.sqrt(slow.var(ddof=1) / len(slow) + fast.var(ddof=1) / len(fast))
    assert abs(slow.mean() - fast.mean()) < 4 * error
    _, fleet = rolled(6000, TICKS - 1, seed=5)
    states = [
        Counter((run.priorities[-1], *run.counts[-1]) for run in runs),
        Counter((s, *c) for s, c in zip(fleet.priority.tolist(), fleet.counts.tolist(), strict=True)),
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


def test_the_stated_error_is_the_spread_of_repeated_estimates() -> None:
    """100 estimates: their standard deviation over the stated error is 1 within 4/√200."""
    estimates = [fleet_return(GAME, TABLE, POLICY, K, n=N, rollouts=50, horizon=10, seed=s) for s in range(100)]
    spread = np.std([e.mean for e in estimates], ddof=1)
    assert spread / np.mean([e.error for e in estimates]) == pytest.approx(1, abs=4 / np.sqrt(200))


def test_robots_are_neither_lost_nor_made() -> None:
    _, fleet = rolled(500, 30, seed=2)
    assert (fleet.counts.sum(axis=1) == N).all()
    assert (fleet.counts >= 0).all()
    assert set(fleet.priority.tolist()) <= {0, 1}


def test_impossible_transitions_never_happen() -> None:
    """Zeros in P_g and P_l stay zeros, also at the end of a row where sums are rounded."""
    arrays = random_arrays(3, 3, 2, 3, 2, sparse=True)
    arrays["P_l"] = np.broadcast_to(np.eye(3)[[1, 2, 0]][:, None, None], (3, 3, 2, 3)).copy()
    arrays["P_g"][:, :, :] = [0.3, 0.7, 0.0]
    fleet = CountFleet(Game(**arrays), 7, 2000, np.random.default_rng(1))
    policy = random_policy(2, 3, 3, 2)
    for _ in range(5):
        before = fleet.counts
        fleet.step(np.zeros(2000, dtype=np.int64), policy)
        assert np.array_equal(fleet.counts, before[:, [2, 0, 1]])
        assert (fleet.priority < 2).all()


def test_same_seed_same_estimate() -> None:
    first, same, other = (fleet_return(GAME, TABLE, POLICY, K, N, 20, 10, seed=s) for s in (1, 1, 2))
    assert first == same != other
