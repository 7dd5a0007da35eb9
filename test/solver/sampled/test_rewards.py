"""Stochastic rewards (Appendix F): the law of their draws, Hoeffding's bound, and Q's error in the number of draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numba import njit
from scipy import stats

from meanfleet.base.errors import UserError
from meanfleet.solver import Game
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.rewards import TRIALS, RewardDraws, RewardLaws, sum_of_draws
from meanfleet.solver.sampled import Parameterization, learn_sampled
from meanfleet.solver.surrogate import KRobotSystem
from naive.sampling import reward_law
from naive.surrogate import random_arrays, random_policy


def random_laws(seed: int, game: Game, atoms: int = 3) -> tuple[Game, RewardLaws]:
    """Random atoms in [−1, 2] with Dirichlet weights, and the game whose rewards are their means."""
    rng = np.random.default_rng(seed)
    drawn = []
    for shape in (game.r_g.shape, game.r_l.shape):
        drawn += [rng.uniform(-1, 2, (*shape, atoms)), rng.dirichlet(np.ones(atoms), shape)]
    laws = RewardLaws(*drawn)
    means = {"r_g": np.sum(drawn[0] * drawn[1], axis=-1), "r_l": np.sum(drawn[2] * drawn[3], axis=-1)}
    return replace(game, **means), laws


def test_one_evaluation_has_the_law_of_robots_that_are_paid_one_by_one() -> None:
    """Ξ = 2, a robot in either zone, two atoms each: chi-square over all values it can take, p > 1e-3, 3000 seeds."""
    _, laws = random_laws(1, Game(**random_arrays(1, 2, 2, 2, 2)), atoms=2)
    policy = random_policy(2, 2, 2, 2)
    draws = RewardDraws(laws, policy, np.array([[1, 1]]), 2)
    s, a, moves_and_atoms = 1, 0, list(np.ndindex(2, 2))
    drawn = np.array([draws.mean(seed)[s, 0, a] for seed in range(3000)])
    robots = [
        [
            (float(laws.l_values[z, s, m, i]), float(policy[z, s, m] * laws.l_law[z, s, m, i]))
            for m, i in moves_and_atoms
        ]
        for z in (0, 1)
    ]
    own = [(float(laws.g_values[s, a, i]), float(laws.g_law[s, a, i])) for i in range(2)]
    values, chances = (np.array(column) for column in zip(*sorted(reward_law(own, robots, 2).items()), strict=True))
    nearest = np.abs(drawn[:, None] - values).argmin(axis=1)
    assert np.abs(drawn - values[nearest]).max() < 1e-9
    # Values closer than rounding are one; unlikely ones are pooled.
    group = np.concatenate([[0], np.cumsum(np.diff(values) > 1e-9)])
    expected = np.bincount(group, weights=chances) * len(drawn)
    observed = np.bincount(group[nearest], minlength=len(expected))
    likely = expected > 5
    assert likely.sum() > 20
    pooled = [np.append(counts[likely], counts[~likely].sum()) for counts in (observed, expected)]
    assert stats.chisquare(*pooled).pvalue > 1e-3


@njit
def _seed(seed: int) -> None:
    np.random.seed(seed)


def test_sums_of_more_trials_than_one_binomial_takes_are_binomial_still() -> None:
    """4000 sums of 3·TRIALS + 7 coin flips with p = 0.3, in ten bins of equal probability: chi-square p > 1e-3."""
    trials, p = 3 * TRIALS + 7, 0.3
    _seed(0)
    sums = [sum_of_draws(trials, np.array([1.0, 0.0]), np.array([p, 1 - p])) for _ in range(4000)]
    edges = stats.binom.ppf(np.linspace(0, 1, 11)[1:-1], trials, p)
    observed = np.bincount(np.searchsorted(edges, sums), minlength=10)
    expected = np.diff(np.concatenate([[0], stats.binom.cdf(edges, trials, p), [1]])) * len(sums)
    assert stats.chisquare(observed, expected).pvalue > 1e-3


def deterministic_game() -> tuple[Game, np.ndarray]:
    """Nothing moves by chance, so rewards are the only noise."""
    arrays = random_arrays(3, 3, 2, 3, 2, 0.5)
    arrays["P_g"] = np.eye(3)[np.random.default_rng(0).integers(3, size=(3, 2))]
    arrays["P_l"] = np.eye(3)[np.random.default_rng(1).integers(3, size=(3, 3, 2))]
    return Game(**arrays), random_policy(4, 3, 3, 2, pure=True)


def slope(x: list[int], errors: list[float]) -> float:
    return float(np.polyfit(np.log(x), np.log(errors), 1)[0])


def test_the_error_of_q_falls_as_one_over_the_root_of_the_reward_draws() -> None:
    """Ξ = 10 … 10,000, 3 seeds each: slope −1/2 within 0.07 in log–log, and within Hoeffding's bound over (1−γ)."""
    game, policy = deterministic_game()
    game, laws = random_laws(5, game)
    exact = learn_exact(KRobotSystem(game, 3).under(policy), 1e-11).q
    draws, errors = [10, 100, 1000, 10_000], []
    for xi in draws:
        rough = [learn_sampled(game, policy, 3, 1, 1e-9, 30, seed, rewards=laws, reward_draws=xi) for seed in range(3)]
        errors.append(float(np.sqrt(np.mean([np.mean((found.q - exact) ** 2) for found in rough]))))
        # 30 backups of every cell, 3 runs: with probability 0.999 no evaluation was farther off than this.
        bound = laws.deviation(xi, 1e-3 / (3 * 30 * 27 * 6)) / (1 - game.discount)
        assert max(float(np.abs(found.q - exact).max()) for found in rough) <= bound
    assert -0.57 < slope(draws, errors) < -0.43, errors


@pytest.mark.parametrize("parameterization", ["histogram", "tuple"])
def test_samples_and_reward_draws_together_converge_to_the_exact_q(parameterization: Parameterization) -> None:
    """m = Ξ = 25 … 1600 on a game where everything is random, 3 seeds each: slope −1/2 within 0.1."""
    game, laws = random_laws(6, Game(**random_arrays(6, 2, 2, 3, 2, 0.6)))
    policy = random_policy(7, 3, 2, 2)
    exact = learn_exact(KRobotSystem(game, 3).under(policy), 1e-10).q
    draws, errors = [25, 100, 400, 1600], []
    for m in draws:
        rough = [
            learn_sampled(
                game, policy, 3, m, 1e-3, 30, seed, parameterization=parameterization, rewards=laws, reward_draws=m
            )
            for seed in range(3)
        ]
        errors.append(float(np.sqrt(np.mean([np.mean((found.q - exact) ** 2) for found in rough]))))
    assert -0.6 < slope(draws, errors) < -0.4, errors


def test_hoeffding_bounds_the_draws_and_is_not_vacuous() -> None:
    """The whole range in one coin: of 20,000 evaluations with Ξ = 16 at most 10 % exceed the 10 % bound, some half."""
    game = Game(**random_arrays(8, 1, 1, 1, 1))
    laws = RewardLaws(np.array([[[-1.0, 1.0]]]), np.array([[[0.5, 0.5]]]), np.array([[[[0.0]]]]), np.array([[[[1.0]]]]))
    laws.check(replace(game, r_g=np.zeros((1, 1)), r_l=np.zeros((1, 1, 1))))
    means = RewardDraws(laws, np.ones((1, 1, 1)), np.ones((20_000, 1), dtype=np.int64), 16).mean(0)
    assert laws.range == (-1.0, 1.0)
    assert laws.deviation(16, 0.1) == pytest.approx(2 * np.sqrt(np.log(20) / 32))
    assert 0 < np.mean(np.abs(means) > laws.deviation(16, 0.1)) <= 0.1
    assert np.mean(np.abs(means) > laws.deviation(16, 0.1) / 2) > 0.1


def test_certain_rewards_change_nothing_and_two_points_keep_the_mean() -> None:
    """Certain under a pure π_l: otherwise a robot's move is still drawn, and its reward with it."""
    game, policy = Game(**random_arrays(9, 2, 2, 3, 2)), random_policy(9, 3, 2, 2, pure=True)
    plain = learn_sampled(game, policy, 3, 10, seed=4)
    certain = learn_sampled(game, policy, 3, 10, seed=4, rewards=RewardLaws.certain(game), reward_draws=3)
    assert np.allclose(plain.q, certain.q, rtol=0, atol=1e-12)
    coins = RewardLaws.two_points(game, 0.25)
    coins.check(game)
    low, high = RewardLaws.certain(game).range
    assert coins.range == pytest.approx((low - 0.5, high + 0.5))


def test_distributions_that_are_none_or_of_another_game_are_refused() -> None:
    game = Game(**random_arrays(10, 2, 2, 3, 2))
    laws = RewardLaws.two_points(game, 0.1)
    with pytest.raises(UserError, match=r"r_l\[0, 0, 0\] is .* has mean"):
        learn_sampled(replace(game, r_l=game.r_l + 0.01), random_policy(0, 3, 2, 2), 2, rewards=laws)
    with pytest.raises(UserError, match="cells, but r_g has"):
        laws.check(Game(**random_arrays(10, 2, 3, 3, 2)))
    with pytest.raises(UserError, match="sum to 1"):
        replace(laws, g_law=laws.g_law * 0.9)
    with pytest.raises(UserError, match="sum to 1"):
        replace(laws, l_law=np.stack([1.5 * np.ones_like(game.r_l), -0.5 * np.ones_like(game.r_l)], axis=-1))
    with pytest.raises(UserError, match="not finite"):
        replace(laws, l_values=laws.l_values * np.nan)
    with pytest.raises(UserError, match="same 3 axes"):
        replace(laws, g_law=laws.g_law[0])
    with pytest.raises(UserError, match="0 reward draws"):
        learn_sampled(game, random_policy(0, 3, 2, 2), 2, rewards=laws, reward_draws=0)
