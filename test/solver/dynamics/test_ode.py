"""The ODE, its events, fixed points and their stability, against closed forms and the published end point."""

from __future__ import annotations

import numpy as np
import pytest

from meanfleet.base.errors import UserError
from meanfleet.solver.dynamics.dynamics import Dynamics
from meanfleet.solver.dynamics.fixed_points import classify, find, jacobian
from meanfleet.solver.dynamics.games import MarkovGame
from meanfleet.solver.dynamics.learners import Layout, Learner
from meanfleet.solver.dynamics.ode import integrate

PRISONERS = MarkovGame.repeated([[(3, 3), (1.5, 3.5)], [(3.5, 1.5), (2, 2)]])
PUBLISHED = [
    [[30.1090, 30.6422], [30.0547, 30.1682], [29.9955, 30.4519], [30.1076, 30.3384]],
    [[21.4723, 20.5857], [21.8961, 20.0728], [21.3303, 21.3379], [21.7581, 20.1562]],
]  # math.md §9


def test_the_prisoners_dilemma_ends_where_it_should() -> None:
    dynamics = Dynamics(PRISONERS, [Learner(), Learner()])
    path = integrate(dynamics, dynamics.layout.start([30, [22, 20]]), 1000)
    assert path.ending == "duration"
    for player in range(2):
        assert np.abs(dynamics.layout.table(path.end, player) - PUBLISHED[player]).max() < 1e-4


def one_action(reward: float, rule: str = "q") -> Dynamics:
    game = MarkovGame.from_arrays(np.ones((1, 1, 1)), np.full((1, 1, 1), reward), (1,))
    return Dynamics(game, [Learner(rule, alpha=0.02, discount=0.75)])  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", ["q", "sarsa", "counterfactual"])
def test_one_state_one_action_is_an_exponential(rule: str) -> None:
    """dQ/dt = α (r − (1 − γ) Q), so Q(t) = r/(1 − γ) + (Q(0) − r/(1 − γ)) exp(−α (1 − γ) t)."""
    dynamics, times = one_action(3.0, rule), np.linspace(0, 400, 9)
    path = integrate(dynamics, np.array([1.0]), 400)
    assert np.allclose(path.at(times)[:, 0], 12 - 11 * np.exp(-0.005 * times), rtol=1e-6)
    (point,) = find(dynamics, [np.array([0.0])])
    assert point.stability == "stable"
    assert np.allclose(point.x, 12)
    assert np.allclose(point.eigenvalues, -0.005, rtol=1e-6)
    assert np.isclose(point.slowest, 200)


def test_two_states_learn_their_values_at_the_rates_of_their_law() -> None:
    """One action, states left with chances p and q: dQ/dt = α diag(ρ) (r + γ T Q − Q) is linear."""
    p, q, gamma, alpha = 0.3, 0.1, 0.8, 0.05
    T, r = np.array([[1 - p, p], [q, 1 - q]]), np.array([1.0, -2.0])
    dynamics = Dynamics(
        MarkovGame.from_arrays(T[:, None], r[None, :, None], (1,)), [Learner(alpha=alpha, discount=gamma)]
    )
    law = np.array([q, p]) / (p + q)
    matrix = alpha * law[:, None] * (gamma * T - np.eye(2))
    (point,) = find(dynamics, [np.zeros(2)])
    assert np.allclose(point.x, np.linalg.solve(np.eye(2) - gamma * T, r))
    assert np.allclose(np.sort(point.eigenvalues.real), np.sort(np.linalg.eigvals(matrix).real), rtol=1e-6)
    assert np.allclose(jacobian(dynamics, np.array([3.0, 1.0])), matrix, atol=1e-9)
    path = integrate(dynamics, np.array([5.0, 5.0]), 1e5)
    assert path.ending == "fixed point"
    assert path.time < 1e5
    assert np.allclose(path.at([path.time, 9e4]), point.x, atol=1e-4)


def test_one_q_learner_rests_at_the_optimum() -> None:
    """Bellman's optimality holds at the fixed point whatever the exploration; expected SARSA values its own policy."""
    rng = np.random.default_rng(4)
    T, r = rng.dirichlet(np.ones(3), size=(3, 2)), rng.normal(size=(1, 3, 2))
    game = MarkovGame.from_arrays(T, r, (2,))
    for rule in ("q", "counterfactual", "sarsa"):
        dynamics = Dynamics(game, [Learner(rule)])  # type: ignore[arg-type]
        (point,) = find(dynamics, [rng.normal(size=6) for _ in range(5)])
        Q, pi = point.x.reshape(3, 2), dynamics.policies(point.x).reshape(3, 2)
        ahead = (pi * Q).sum(axis=1) if rule == "sarsa" else Q.max(axis=1)
        assert np.allclose(Q, r[0] + 0.9 * T @ ahead, atol=1e-7)
        assert point.stability == "stable"


def test_coordination_has_two_stable_points_and_one_between_them() -> None:
    """Stateless, γ = 0, both earn 1 when they match: d = Q[0] − Q[1] of either rests where d = tanh(d/(2τ))."""
    game = MarkovGame.repeated([[(1, 1), (0, 0)], [(0, 0), (1, 1)]], remember=False)
    tau = 0.2
    learners = [Learner("counterfactual", 0.1, 0.0, tau, 0.0)] * 2
    dynamics = Dynamics(game, learners)
    guesses = [dynamics.layout.start([[d, 0], [d, 0]]) for d in (-1, -0.01, 0, 1)]
    points = find(dynamics, guesses)
    differences = sorted((float(point.x[0] - point.x[1]), point.stability) for point in points)
    assert [kind for _, kind in differences] == ["stable", "unstable", "stable"]
    for d, _ in differences:
        assert np.isclose(d, np.tanh(d / (2 * tau)), atol=1e-8)
    # d = 0: each d moves by α (s − d), s the slope 1/(2τ) times the other's; eigenvalues α (±1/(2τ) − 1) and −α.
    middle = classify(dynamics, points[[p.stability for p in points].index("unstable")].x)
    expected = 0.1 * np.array([1 / (2 * tau) - 1, -1 / (2 * tau) - 1, -1, -1])
    assert np.allclose(np.sort(middle.eigenvalues.real), np.sort(expected), atol=1e-6)
    assert middle.kinked


class Squared:
    """dx/dt = x², which leaves all bounds at t = 1/x(0)."""

    layout = Layout([Learner()], [1], [1])

    def drift(self, x: np.ndarray) -> np.ndarray:
        return x**2

    def policies(self, x: np.ndarray) -> np.ndarray:
        return np.ones(1)

    def state_law(self, x: np.ndarray) -> np.ndarray:
        return np.ones(1)

    def action_shares(self, x: np.ndarray) -> list[np.ndarray]:
        return [np.ones(1)]


def test_a_blow_up_is_seen_and_nothing_is_told_beyond() -> None:
    path = integrate(Squared(), np.array([0.5]), 10)
    assert path.ending == "blow-up"
    assert np.isclose(path.time, 2, atol=1e-4)
    told = path.at([1.0, 5.0])
    assert np.isclose(told[0, 0], 1.0)
    assert np.isnan(told[1, 0])


def test_a_fixed_point_at_the_start_ends_at_once_and_bad_starts_are_refused() -> None:
    dynamics = one_action(3.0)
    path = integrate(dynamics, np.array([12.0]), 100)
    assert (path.ending, path.time, path.at([0, 50]).tolist()) == ("fixed point", 0.0, [[12.0], [12.0]])
    with pytest.raises(UserError, match="1 finite parameters"):
        integrate(dynamics, np.zeros(2), 100)
    with pytest.raises(UserError, match="duration is 0"):
        integrate(dynamics, np.zeros(1), 0)


def test_policies_that_round_to_zero_are_told_as_such() -> None:
    """Without ε a large difference of Q makes chances 0 in floating point, and the chain falls apart."""
    learners, repeats = [Learner(epsilon=0.0, tau=1e-3)] * 2, [[9, 0], [9, 0], [9, 0], [0, 9]]
    dynamics = Dynamics(PRISONERS, learners)
    with pytest.raises(UserError, match="raise epsilon or tau"):
        integrate(dynamics, dynamics.layout.start([repeats, repeats]), 100)
