"""Fleets under a dispatcher that remembers: compiled beliefs decide as numpy's do, and earn what separate robots do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.base.errors import UserError
from meanfleet.solver import Game
from meanfleet.solver.bundle import filtering
from meanfleet.solver.bundle.filtering import DECIDING, Deciding, FilterModel, FilterSetting
from meanfleet.solver.fleet import Fleet, beliefs
from meanfleet.solver.fleet.filtered import Observer, drift
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.histograms import count_histograms, rank
from meanfleet.solver.surrogate import KRobotSystem
from naive.forgetting import Forgetting
from naive.remembering import histogram_worth, remembering
from naive.surrogate import TupleSystem, histograms, random_arrays, random_policy

few = settings(deadline=None, derandomize=True, max_examples=30)
K, N, TICKS, KAPPA = 2, 6, 8, 4
ARRAYS = random_arrays(7, priorities=2, dispatches=3, zones=3, moves=2, discount=0.9)
GAME, POLICY = Game(**ARRAYS), random_policy(8, 3, 2, 2)
DRIFT = drift(GAME, POLICY)
Q = np.random.default_rng(9).normal(size=(2, count_histograms(KAPPA, 3), 3))


def model(q: np.ndarray = Q, kappa: int = KAPPA, prior: np.ndarray = GAME.start_concentration) -> FilterModel:
    return FilterModel(kappa, q, prior, {1: FilterSetting(0.9, "interpolated", {})})


# --- beliefs


@few
@given(st.integers(1, 7), st.integers(1, 5), st.sampled_from(DECIDING), st.integers(0, 9999))
def test_compiled_beliefs_decide_as_the_bundles_model_does(kappa: int, zones: int, how: Deciding, seed: int) -> None:
    """Random Q and α; every other α is a whole multiple of a histogram, where remainders and partial sums tie."""
    rng = np.random.default_rng(seed)
    plain = model(rng.normal(size=(2, count_histograms(kappa, zones), 3)), kappa, np.full(zones, 0.3))
    memory = Observer(plain, np.zeros((2, zones, zones)), deciding=how).memory()
    values, scratch = np.empty(3), np.empty((3, zones))
    for turn in range(10):
        alpha = rng.gamma(0.5, 20, size=zones) + 1e-3
        if turn % 2:
            alpha = rng.multinomial(2 * kappa, np.full(zones, 1 / zones)) / 2 + (1e-9 if how == "posterior" else 0)
        s = int(rng.integers(2))
        a = beliefs.decide(memory, s, alpha, values, scratch)
        assert values == pytest.approx(plain.values(s, alpha, how), abs=1e-9)
        assert a == plain.dispatch(s, alpha, how)


@few
@given(st.integers(1, 5), st.integers(0, 25), st.integers(0, 9999))
def test_compiled_forgetting_is_the_plain_one(zones: int, k: int, seed: int) -> None:
    rng, rhos = np.random.default_rng(seed), filtering.rivals(0.95)
    trials, sample = rng.gamma(1, 10, (len(rhos), zones)) + 1e-3, rng.multinomial(k, np.full(zones, 1 / zones))
    scores = rng.normal(0, 3, len(rhos))
    rho, after = filtering.forgetting(rhos, scores, trials, sample)
    assert beliefs.forgetting(rhos, scores, trials, sample) == pytest.approx(rho, abs=1e-12)
    assert scores == pytest.approx(after, abs=1e-9)


# --- rollouts


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("how", DECIDING)
def test_every_decision_of_a_rollout_is_the_plain_filters(how: Deciding, adaptive: bool) -> None:
    """The filter is run again by numpy on the logged samples: the same dispatch at every tick.

    The observer believes that robots do not move, which they do: in the adaptive case samples lower ρ.
    """
    still = np.broadcast_to(np.eye(3), DRIFT.shape)
    observer = Observer(model(), still, 0.98, how, adaptive)
    fleet = Fleet(GAME, 60, 12)
    _, log = fleet.filtered_log(observer, POLICY, 40, 25, seed=3)
    lowered = 0
    for run in log:
        alpha, slow = GAME.start_concentration, Forgetting(GAME.start_concentration.tolist(), 0.98)
        for s, a, *rest in run.tolist():
            sample, counts = np.array(rest[:3]), np.array(rest[3:])
            assert sample.sum() == 12
            assert (sample <= counts).all()
            rho = 0.98
            if adaptive:
                rho = slow.rho(sample.tolist())
                slow.move(still[s].tolist())
                lowered += rho < 0.95
            assert a == observer.model.dispatch(s, alpha + sample, how)
            alpha = rho * (alpha + sample) @ still[s]
    assert (lowered > 50) == adaptive


def test_returns_are_those_of_robots_simulated_one_by_one() -> None:
    """800 naive runs with an enumerated posterior against 8,000 compiled ones: equal within 4 standard errors."""
    rng, worth = np.random.default_rng(1), histogram_worth(Q, KAPPA, 3)
    slow = np.array([remembering(ARRAYS, POLICY, worth, KAPPA, 0.9, K, N, TICKS, rng) for _ in range(800)])
    fast = Fleet(GAME, N, K).filtered_returns(Observer(model(), DRIFT, 0.9, "posterior"), POLICY, 8000, TICKS, seed=2)
    error = np.sqrt(slow.var(ddof=1) / len(slow) + fast.var(ddof=1) / len(fast))
    assert abs(slow.mean() - fast.mean()) < 4 * error


def test_the_informed_dispatcher_with_kappa_robots_plays_the_exact_optimum() -> None:
    """n = κ: the κ-robot system is the fleet, and the best value is known by dense matrices over ordered robots."""
    best = learn_exact(KRobotSystem(GAME, 3).under(POLICY), 1e-9)
    returns = Fleet(GAME, 3, 0).informed_returns(model(best.q, 3), POLICY, 4000, 120, seed=4)
    system = TupleSystem(ARRAYS, POLICY, 3)
    optimum = float(np.sum(system.start() * system.optimal()))
    assert abs(returns.mean() - optimum) < 4 * returns.std() / np.sqrt(4000)


def test_polling_everybody_and_forgetting_everything_is_the_table_itself() -> None:
    """k = n = κ and ρ ≈ 0: the belief is the fleet, so remembering earns what the greedy table does, run by run."""
    table = Q.argmax(axis=2)
    fleet = Fleet(GAME, KAPPA, KAPPA)
    faint = model(prior=np.full(3, 1e-6))
    remembered = fleet.filtered_returns(Observer(faint, DRIFT, 1e-9, "nearest"), POLICY, 500, TICKS, seed=5)
    assert np.array_equal(remembered, fleet.returns(table, POLICY, 500, TICKS, seed=5))
    assert table[0, rank(histograms(KAPPA, 3)[0])] == Q[0, 0].argmax()


def test_random_numbers_are_common_with_memoryless_dispatchers() -> None:
    """A Q that always prefers one dispatch earns the same, rollout by rollout, as the table that pins it."""
    pinned = np.zeros_like(Q)
    pinned[:, :, 2] = 1
    fleet = Fleet(GAME, 1000, K)
    table = np.full((2, count_histograms(K, 3)), 2)
    plain = fleet.returns(table, POLICY, 700, TICKS, seed=6)
    assert np.array_equal(fleet.filtered_returns(Observer(model(pinned), DRIFT), POLICY, 700, TICKS, seed=6), plain)
    assert np.array_equal(fleet.informed_returns(model(pinned), POLICY, 700, TICKS, seed=6), plain)
    rest = fleet.filtered_returns(Observer(model(pinned), DRIFT), POLICY, 200, TICKS, seed=6, first=500)
    assert np.array_equal(rest, plain[500:])


def test_an_observer_of_another_game_is_a_users_error() -> None:
    with pytest.raises(UserError, match="observer"):
        Fleet(GAME, N, K).filtered_returns(Observer(model(Q[:, :, :2]), DRIFT), POLICY, 10, 10)
    with pytest.raises(UserError, match="observer"):
        Fleet(GAME, N, K).filtered_returns(Observer(model(), DRIFT[:, :2]), POLICY, 10, 10)
