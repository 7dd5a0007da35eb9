"""Compiled particles: draw by draw those of the dispatcher's observer, exact Bayes in the limit, and what they cost."""

from __future__ import annotations

import numpy as np
import pytest

from meanfleet.base.errors import UserError
from meanfleet.dispatcher_node.observers import ParticleObserver, Sample
from meanfleet.solver import Game
from meanfleet.solver.bundle.filtering import DECIDING, Deciding, FilterModel, FilterSetting, first_best
from meanfleet.solver.fleet import Estimate, Fleet
from meanfleet.solver.fleet.filtered import Observer, drift
from meanfleet.solver.fleet.particles import (
    log_factorials,
    mean_fleet,
    new_cloud,
    predict_particles,
    restart,
    update_particles,
)
from meanfleet.solver.histograms import count_histograms
from naive import filtering as naive
from naive.surrogate import random_arrays, random_policy

ZONES, KAPPA, TICKS = 3, 4, 20
ARRAYS = random_arrays(51, priorities=2, dispatches=3, zones=ZONES, moves=2, discount=0.9)
GAME, POLICY = Game(**ARRAYS), random_policy(52, ZONES, 2, 2)
DRIFT = drift(GAME, POLICY)
PRIOR = np.array([0.3, 0.5, 0.9])
NOTHING = np.zeros(ZONES, dtype=np.int64)
Q = np.random.default_rng(9).normal(size=(2, count_histograms(KAPPA, ZONES), 3))
MODEL = FilterModel(KAPPA, Q, PRIOR, {1: FilterSetting(0.9, "interpolated", {})})


class Compiled:
    """The kernels with the state that a rollout keeps."""

    def __init__(self, step: np.ndarray, n: int, rho: float, particles: int, rng: np.random.Generator) -> None:
        self.step, self.n, self.rho, self.rng = step, n, rho, rng
        self.cloud, self.known, self.before = new_cloud(particles, ZONES), False, 0
        self.logs = log_factorials(n)
        restart(self.cloud, n, PRIOR, NOTHING, rng)

    def update(self, sample: np.ndarray) -> None:
        rest = (self.step[self.before], self.rho, self.n, PRIOR, self.rng)
        self.known = update_particles(self.cloud, sample, self.logs, self.known, *rest)

    def predict(self, s: int) -> None:
        predict_particles(self.cloud, self.step[s], self.rho, self.n, PRIOR, self.rng)
        self.known, self.before = True, s


@pytest.mark.parametrize("rho", [1.0, 0.7])
@pytest.mark.parametrize("n", [9, 1000])
def test_the_compiled_particles_are_the_observers_one_by_one(n: int, rho: float) -> None:
    """Same stream, same samples: the same fleets and weights at every tick, through resampling and new beginnings."""
    for seed in range(4):
        plain = ParticleObserver(DRIFT, PRIOR, n, rho, 80, seed)
        fast = Compiled(DRIFT, n, rho, 80, np.random.default_rng(np.random.SeedSequence([seed, 7])))
        rng, resampled = np.random.default_rng(seed), 0
        for tick in range(TICKS):
            k = 0 if tick == 5 else 1 if tick % 2 else 7
            sample = np.array([0, 0, n]) if tick == 12 else rng.multinomial(k, [0.6, 0.3, 0.1])
            plain.update([Sample.of(sample)] if sample.any() else [])
            fast.update(sample)
            assert np.array_equal(plain.fleets, fast.cloud.fleets), (seed, tick)
            assert plain.weights == pytest.approx(fast.cloud.weights, rel=1e-9)
            assert fast.known == (plain.reach > 0)
            assert plain.reach == 0 or tick not in (0, 12) or n == 9, "nothing explains 1000 robots in one zone"
            resampled += plain.effective_particles > 79.9
            s = int(rng.integers(2))
            plain.predict(s)
            fast.predict(s)
        assert resampled >= 2


@pytest.mark.parametrize("rho", [1.0, 0.8])
def test_many_particles_are_exact_bayes(rho: float) -> None:
    """Six robots, one zone out of reach of another; all 28 fleets enumerated, 20,000 particles."""
    step = np.array([[[0.5, 0.5, 0.0], [0.0, 0.7, 0.3], [0.0, 0.0, 1.0]]])
    anew = naive.dirichlet_multinomial(tuple(PRIOR), 6)
    law, moves = anew, naive.Moves(step[0])
    fast, mean = Compiled(step, 6, rho, 20_000, np.random.default_rng(3)), np.empty(ZONES)
    for sample in ((1, 1, 0), (0, 2, 0), (0, 1, 1), (1, 0, 1)):
        law = naive.updated(law, sample)
        fast.update(np.array(sample))
        mean_fleet(fast.cloud, mean)
        assert mean / 6 == pytest.approx(naive.mean_shares(law), abs=0.015)
        assert (fast.cloud.fleets.sum(axis=1) == 6).all()
        law = moves.predicted(law, rho, anew)
        fast.predict(0)


@pytest.mark.parametrize("how", DECIDING)
def test_every_decision_of_a_rollout_is_the_observers(how: Deciding) -> None:
    """The observer is run again on the logged samples and the rollout's stream: the same dispatch at every tick."""
    fleet = Fleet(GAME, 60, 5)
    observer = Observer(MODEL, DRIFT, 0.95, how, particles=50)
    _, log = fleet.filtered_log(observer, POLICY, 12, TICKS, seed=3)
    stream = np.random.default_rng(np.random.SeedSequence(3, spawn_key=(0,)).spawn(5)[4])
    for run in log:
        plain = ParticleObserver(DRIFT, PRIOR, 60, 0.95, 50)
        plain._rng = stream
        plain.fleets = plain._from_prior(50)
        for s, a, *rest in run.tolist():
            assert sum(rest[:ZONES]) == 5
            plain.update([Sample.of(rest[:ZONES])])
            assert a == first_best(plain.values(MODEL, s, how))
            plain.predict(s)


def test_random_numbers_are_common_with_dispatchers_that_remember_otherwise() -> None:
    """A Q that always prefers one dispatch earns the same, rollout by rollout, and goes on where it was left."""
    pinned = np.zeros_like(Q)
    pinned[:, :, 2] = 1
    model = FilterModel(KAPPA, pinned, PRIOR, MODEL.settings)
    fleet = Fleet(GAME, 1000, 2)
    plain = fleet.filtered_returns(Observer(model, DRIFT), POLICY, 600, 6, seed=6)
    by_particles = Observer(model, DRIFT, particles=10)
    assert np.array_equal(fleet.filtered_returns(by_particles, POLICY, 600, 6, seed=6), plain)
    informative = Observer(MODEL, DRIFT, particles=10)
    whole = fleet.filtered_returns(informative, POLICY, 600, 6, seed=6)
    assert np.array_equal(fleet.filtered_returns(informative, POLICY, 100, 6, seed=6, first=500), whole[500:])


def test_particles_earn_what_exact_bayes_earns() -> None:
    """Six robots, two polled, Q at the posterior mean of the fleet: 400 runs by enumeration against 4,000 compiled."""
    step, n, k, ticks = DRIFT, 6, 2, 8
    anew, moves = naive.dirichlet_multinomial(tuple(PRIOR), n), [naive.Moves(step[s]) for s in range(2)]
    game = Game(**ARRAYS | {"start_concentration": PRIOR})
    rng, slow = np.random.default_rng(4), []
    for _ in range(400):
        fleet, law = rng.multinomial(n, rng.dirichlet(PRIOR)), anew
        s, total = int(rng.choice(2, p=game.start_priority)), 0.0
        for t in range(ticks):
            law = naive.updated(law, tuple(rng.multivariate_hypergeometric(fleet, k).tolist()))
            a = first_best(MODEL.values(s, naive.mean_shares(law), "interpolated"))
            after, reward = np.zeros(ZONES, dtype=int), 0.0
            for z in range(ZONES):
                for move, count in enumerate(rng.multinomial(fleet[z], POLICY[z, s])):
                    reward += count * game.r_l[z, s, move] / n
                    after += rng.multinomial(count, game.P_l[z, s, move])
            total += 0.9**t * (game.r_g[s, a] + reward)
            law, fleet, s = moves[s].predicted(law), after, int(rng.choice(2, p=game.P_g[s, a]))
        slow.append(total)
    observer = Observer(MODEL, step, 1.0, "interpolated", particles=300)
    own = Estimate.of(Fleet(game, n, k).filtered_returns(observer, POLICY, 4000, ticks, seed=2), ticks)
    truth = Estimate.of(np.array(slow), ticks)
    assert abs(own.mean - truth.mean) < 4 * np.hypot(own.error, truth.error)


def test_a_fleet_too_large_for_the_table_of_factorials_is_a_users_error() -> None:
    with pytest.raises(UserError, match="particles"):
        Fleet(GAME, 10_000_001, 2).filtered_returns(Observer(MODEL, DRIFT, particles=10), POLICY, 10, 10)
