"""The noisy process: its first step has the drift as its mean, and with small steps it follows the ODE."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from meanfleet.base.errors import UserError
from meanfleet.solver.dynamics.convergence import decay
from meanfleet.solver.dynamics.dynamics import Dynamics
from meanfleet.solver.dynamics.games import MarkovGame
from meanfleet.solver.dynamics.learners import Learner
from meanfleet.solver.dynamics.ode import integrate
from meanfleet.solver.dynamics.process import Process, simulate

PRISONERS = MarkovGame.repeated([[(3, 3), (1.5, 3.5)], [(3.5, 1.5), (2, 2)]])


def mixed(seed: int) -> Dynamics:
    """Four players, one of each rule, that see different parts of five states."""
    rng = np.random.default_rng(seed)
    game = MarkovGame.from_arrays(
        rng.dirichlet(np.ones(5), size=(5, 16)),
        rng.normal(size=(4, 5, 16)),
        (2, 2, 2, 2),
        [[0, 1, 2, 3, 4], [0, 0, 1, 1, 2], [0, 0, 0, 0, 0], [1, 0, 1, 0, 1]],
    )
    rules = ("q", "sarsa", "counterfactual", "policy_gradient")
    return Dynamics(game, [Learner(rule, 0.3, 0.8, 0.7, 0.1, 0.2) for rule in rules])  # type: ignore[arg-type]


@pytest.mark.parametrize("speedup", [1, 5])
def test_the_mean_of_the_first_step_is_the_drift(speedup: int) -> None:
    """Runs begin in the stationary law, so the law of (s, a, s') is ν: z-scores of 5,000 runs below 4.5."""
    dynamics = mixed(3)
    start = np.random.default_rng(1).normal(size=dynamics.layout.size)
    runs = simulate(Process(dynamics), start, [1 / speedup], runs=5_000, speedup=speedup, seed=2)
    error = runs.error()[0]
    assert (error > 0).all()
    z = (runs.mean()[0] - start - dynamics.drift(start) / speedup) / error
    assert np.abs(z).max() < 4.5
    assert np.abs(dynamics.drift(start) / speedup / error).max() > 8  # a drift that is wrong would be seen


def test_without_chance_the_path_is_a_geometric_series() -> None:
    """One action, one state: Q(t) − r/(1 − γ) shrinks by 1 − α (1 − γ)/N per step; the ODE is its limit."""
    game = MarkovGame.from_arrays(np.ones((1, 1, 1)), np.full((1, 1, 1), 3.0), (1,))
    process = Process(Dynamics(game, [Learner(alpha=0.2, discount=0.75)]))
    for speedup in (1, 7):
        runs = simulate(process, np.array([1.0]), [0, 10, 100], runs=2, speedup=speedup)
        factor = 1 - 0.05 / speedup
        expected = 12 - 11 * factor ** (speedup * np.array([0, 10, 100]))
        assert np.allclose(runs.paths[:, :, 0], expected)


def test_paths_come_to_the_ode_as_n_grows() -> None:
    """Prisoner's dilemma of math.md §9, 2000 runs: distance ~ N^(−1/2), bias ~ 1/N, the published 0.022 at N = 1."""
    dynamics = Dynamics(PRISONERS, [Learner(), Learner()])
    ode = integrate(dynamics, dynamics.layout.start([30, [22, 20]]), 1000)
    found = decay(Process(dynamics), ode, np.linspace(0, 1000, 21), (1, 2, 4), runs=2000, seed=1)
    first = found.points[0]
    assert abs(first.bias - 0.022) < 2 * first.bias_error
    assert found.distance_power == pytest.approx(-0.5, abs=0.03)
    assert found.bias_power == pytest.approx(-1, abs=0.3)


def test_same_seed_same_runs_however_many() -> None:
    process = Process(mixed(4))
    start = np.zeros(process.layout.size)

    def paths(**options: Any) -> np.ndarray:
        return simulate(process, start, [0, 5, 50], **options).paths

    few, many, other = paths(runs=2, seed=1), paths(runs=5, seed=1), paths(runs=2, seed=2)
    assert np.array_equal(few, many[:2])
    assert not np.array_equal(few, other)
    assert np.array_equal(few[:, 0], np.zeros_like(few[:, 0]))
    assert not np.array_equal(many[0], many[1])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"runs": 0}, "at least 1"),
        ({"speedup": 0}, "at least 1"),
        ({"times": [3, 1]}, "ascending"),
        ({"times": [-1]}, "ascending"),
        ({"runs": 10_000_000}, "GiB"),
        ({"start": np.zeros(3)}, "16 finite"),
    ],
)
def test_what_cannot_be_played_is_refused(options: dict[str, Any], complaint: str) -> None:
    process = Process(Dynamics(PRISONERS, [Learner(), Learner()]))
    given: dict[str, Any] = {"start": np.zeros(16), "times": [0, 10], "runs": 1} | options
    with pytest.raises(UserError, match=complaint):
        simulate(process, **given)
