"""The sampled backup, over histograms and over ordered tuples, against laws worked out robot by robot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from meanfleet.base.errors import UserError
from meanfleet.solver import Game
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.sampled import HistogramStates, Parameterization, TupleStates, learn_sampled
from meanfleet.solver.surrogate import KRobotSystem
from naive.sampling import next_state, next_state_law
from naive.surrogate import histograms, random_arrays, random_policy

BOTH: tuple[Parameterization, ...] = ("histogram", "tuple")
K, ZONES = 3, 3
ARRAYS = random_arrays(11, 3, 2, ZONES, 2, 0.7)
GAME, POLICY = Game(**ARRAYS), random_policy(12, ZONES, 3, 2)


def drawn(states: Any, state: int, s: int, a: int, repeats: int, label: np.ndarray) -> np.ndarray:
    """How often each (s_g', h') was drawn from (s_g, state, a_g): one draw per call, read off a one-to-one V."""
    seen = [int(states.futures(label, 1, seed)[s, state, a]) for seed in range(repeats)]
    return np.bincount(seen, minlength=int(label.max()) + 1)


@pytest.mark.parametrize("parameterization", BOTH)
def test_one_draw_has_the_law_of_robots_that_move_one_by_one(parameterization: Parameterization) -> None:
    """Chi-square at (s_g, μ, a_g) = (1, (1, 2, 0), 1), p > 1e-3, 2000 fixed seeds; so do the naive draws."""
    size, order = len(histograms(K, ZONES)), {h: i for i, h in enumerate(histograms(K, ZONES))}
    by_histogram = np.arange(3.0 * size).reshape(3, size)  # V(s', h') names the state
    robots, repeats = (1, 0, 1), 2000
    if parameterization == "tuple":
        states: Any = TupleStates(GAME, POLICY, K)
        index = [order[tuple(counts)] for counts in states.counts.tolist()]
        counts = drawn(states, 1 * 9 + 0 * 3 + 1, 1, 1, repeats, by_histogram[:, index])
    else:
        counts = drawn(HistogramStates(GAME, POLICY, K), order[(1, 2, 0)], 1, 1, repeats, by_histogram)
    law = np.zeros(3 * size)
    for (t, h), chance in next_state_law(ARRAYS, POLICY, 1, robots, 1).items():
        law[t * size + order[h]] = chance
    rng = np.random.default_rng(0)
    naive = np.zeros(3 * size)
    for _ in range(repeats):
        t, h = next_state(ARRAYS, POLICY, 1, robots, 1, rng)
        naive[t * size + order[h]] += 1
    for observed in (counts, naive):
        assert observed.sum() == repeats
        assert stats.chisquare(observed, repeats * law / law.sum()).pvalue > 1e-3


def test_draws_of_different_cells_do_not_repeat_each_other() -> None:
    """Means over 1000 seeds of products of two cells' deviations: zero within 4.5 standard errors, for all pairs."""
    states = HistogramStates(GAME, POLICY, 2)
    values = np.random.default_rng(5).normal(size=(3, len(states.counts)))
    draws = np.stack([states.futures(values, 1, seed).ravel() for seed in range(1000)])
    correlation = np.corrcoef(draws.T)
    off = correlation[~np.eye(len(correlation), dtype=bool)]
    assert np.abs(off).max() < 4.5 / np.sqrt(1000)


@pytest.mark.parametrize("parameterization", BOTH)
def test_the_error_of_q_falls_as_one_over_the_root_of_the_samples(parameterization: Parameterization) -> None:
    """Root mean square error against the exact Q at m = 25 … 1600, 3 seeds each: slope −1/2 within 0.1 in log–log."""
    exact = learn_exact(KRobotSystem(GAME, K).under(POLICY), 1e-10).q
    samples, errors = [25, 100, 400, 1600], []
    for m in samples:
        rough = [
            learn_sampled(GAME, POLICY, K, m, 1e-3, 40, seed=seed, parameterization=parameterization)
            for seed in range(3)
        ]
        assert all(not found.exact and found.q.shape == exact.shape for found in rough)
        errors.append(np.sqrt(np.mean([np.mean((found.q - exact) ** 2) for found in rough])))
    slope = np.polyfit(np.log(samples), np.log(errors), 1)[0]
    assert -0.6 < slope < -0.4, (slope, errors)


def test_without_chance_both_are_exact() -> None:
    """Deterministic transitions leave nothing to sample: one draw equals the exact Q."""
    arrays = random_arrays(3, 3, 3, 3, 2, 0.6)
    arrays["P_g"] = np.eye(3)[np.random.default_rng(0).integers(3, size=(3, 3))]
    arrays["P_l"] = np.eye(3)[np.random.default_rng(1).integers(3, size=(3, 3, 2))]
    policy = random_policy(4, 3, 3, 2, pure=True)
    game = Game(**arrays)
    exact = learn_exact(KRobotSystem(game, 3).under(policy), 1e-12)
    for parameterization in BOTH:
        found = learn_sampled(game, policy, 3, 1, 1e-13, 200, parameterization=parameterization)
        assert np.allclose(found.q, exact.q, rtol=0, atol=1e-9)


@pytest.mark.parametrize("parameterization", BOTH)
def test_same_seed_same_result(parameterization: Parameterization) -> None:
    first, same, other = (
        learn_sampled(GAME, POLICY, K, 5, seed=seed, parameterization=parameterization).q for seed in (1, 1, 2)
    )
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_what_cannot_be_sampled_is_refused() -> None:
    with pytest.raises(UserError, match="expected histogram or tuple"):
        learn_sampled(GAME, POLICY, K, parameterization="tuples")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="ordered states"):
        learn_sampled(GAME, POLICY, 20, parameterization="tuple")
    with pytest.raises(UserError, match="GiB"):
        learn_sampled(GAME, POLICY, 10_000)
    with pytest.raises(UserError, match="at least one robot"):
        learn_sampled(GAME, POLICY, 0)
    with pytest.raises(UserError, match="0 samples"):
        learn_sampled(GAME, POLICY, K, 0)
