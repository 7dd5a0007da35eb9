"""Games, learners, stationary laws and the drift, against the wrapped chain written out and against closed forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from meanfleet.base.errors import UserError
from meanfleet.solver.dynamics.dynamics import SMALL, Dynamics
from meanfleet.solver.dynamics.games import MarkovGame
from meanfleet.solver.dynamics.learners import RULES, Learner
from meanfleet.solver.dynamics.stationary import StationaryLaw
from meanfleet.solver.game import GameError
from naive import dynamics as naive


def random_game(seed: int, actions: tuple[int, ...], states: int, sparse: bool = False) -> dict[str, Any]:
    """Arrays of a game in which players may take some states for the same."""
    rng = np.random.default_rng(seed)
    joint = int(np.prod(actions))
    law = rng.dirichlet(np.ones(states), size=(states, joint))
    if sparse:  # the next state, or the one after it
        law = np.zeros((states, joint, states))
        for s in range(states):
            share = rng.uniform(0.2, 0.8, size=joint)
            law[s, :, (s + 1) % states], law[s, :, (s + 2) % states] = share, 1 - share
    seen = []
    for _ in actions:
        labels = rng.integers(rng.integers(1, states + 1), size=states)
        seen.append(np.unique(labels, return_inverse=True)[1])
    rewards = rng.normal(size=(len(actions), states, joint))
    return {"transitions": law, "rewards": rewards, "actions": actions, "observation": np.array(seen)}


def naive_learner(learner: Learner) -> dict[str, Any]:
    alpha, discount, tau, epsilon, beta = learner.numbers
    return {
        "rule": learner.rule,
        "alpha": alpha,
        "discount": discount,
        "tau": tau,
        "epsilon": epsilon,
        "beta": beta,
    }


def split(dynamics: Dynamics, x: np.ndarray) -> tuple[naive.Tables, naive.Critics]:
    """x as the naive side wants it."""
    layout = dynamics.layout
    tables, critics = [], []
    for i, learner in enumerate(layout.learners):
        tables.append(layout.table(x, i).tolist())
        seen, last = layout.observations[i], int(layout.shapes[i, 3]) + layout.observations[i] * layout.actions[i]
        critics.append(x[last : last + seen].tolist() if learner.rule == "policy_gradient" else [0.0] * seen)
    return tables, critics


@given(
    seed=st.integers(0, 10_000),
    actions=st.sampled_from([(2,), (3, 2), (2, 2, 2), (1, 3)]),
    states=st.integers(1, 4),
    rules=st.tuples(*[st.sampled_from(RULES)] * 3),
)
@settings(max_examples=20, deadline=None)
def test_the_drift_is_the_mean_update_over_the_wrapped_chain(
    seed: int, actions: tuple[int, ...], states: int, rules: tuple[Any, ...]
) -> None:
    arrays = random_game(seed, actions, states)
    learners = [
        Learner(rule, 0.1 / (i + 1), 0.9 - 0.3 * i, 0.4 + i, 0.05 + 0.1 * i, 0.2)
        for i, rule in enumerate(rules[: len(actions)])
    ]
    dynamics = Dynamics(MarkovGame.from_arrays(**arrays), learners)
    x = np.random.default_rng(seed + 1).normal(size=dynamics.layout.size)
    tables, critics = split(dynamics, x)
    expected = []
    for (table, critic), learner in zip(
        naive.drift(arrays, [naive_learner(one) for one in learners], tables, critics), learners, strict=True
    ):
        expected += [table.ravel()] + ([critic] if learner.rule == "policy_gradient" else [])
    assert np.allclose(dynamics.drift(x), np.concatenate(expected), rtol=1e-9, atol=1e-12)


def test_larger_games_give_the_same_by_kept_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elimination in the kernel, and sparse factors that are kept from call to call."""
    arrays = random_game(5, (2, 3), 40, sparse=True)
    game, learners = MarkovGame.from_arrays(**arrays), [Learner(), Learner("sarsa")]
    small = Dynamics(game, learners)
    assert game.states <= SMALL
    monkeypatch.setattr("meanfleet.solver.dynamics.dynamics.SMALL", 4)
    large = Dynamics(game, learners)
    rng = np.random.default_rng(0)
    x = rng.normal(size=large.layout.size)
    for _ in range(20):
        monkeypatch.setattr("meanfleet.solver.dynamics.dynamics.SMALL", 4)
        found = large.drift(x), large.state_law(x)
        monkeypatch.setattr("meanfleet.solver.dynamics.dynamics.SMALL", 48)
        assert np.allclose(found[0], small.drift(x), rtol=1e-9, atol=1e-14)
        assert np.allclose(found[1], small.state_law(x), rtol=1e-10, atol=0)
        x = x + 1e-3 * rng.normal(size=len(x))
    assert large._stationary.factorisations < 5


@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_stationary_laws_of_chains_in_closed_form(form: Any) -> None:
    """Two states left with chances p and q have the law (q, p)/(p + q); a birth–death chain a geometric one."""
    solver = StationaryLaw()
    for p, q in ((0.3, 0.1), (0.3001, 0.1), (1e-9, 1e-3), (1.0, 0.5)):
        assert np.allclose(solver.of(form([[1 - p, p], [q, 1 - q]])), [q / (p + q), p / (p + q)], rtol=1e-12, atol=0)
    up, down, size = 0.2, 0.3, 60
    chain = np.diag(np.full(size - 1, up), 1) + np.diag(np.full(size - 1, down), -1)
    chain += np.diag(1 - chain.sum(axis=1))
    expected = (up / down) ** np.arange(size)
    assert np.allclose(solver.of(form(chain)), expected / expected.sum(), rtol=1e-6, atol=1e-16)


def test_prisoners_policies_and_numbering() -> None:
    """The state is the last joint action, 2·a_0 + a_1; shares of actions follow from the states' law."""
    game = MarkovGame.repeated([[(3, 3), (1.5, 3.5)], [(3.5, 1.5), (2, 2)]])
    assert game.actions == (2, 2)
    assert game.states == 4
    assert game.rewards[:, 3, 1].tolist() == [1.5, 3.5]
    assert game.transitions.toarray().reshape(4, 4, 4)[2].tolist() == np.eye(4).tolist()
    dynamics = Dynamics(game, [Learner(), Learner()])
    law = dynamics.state_law(dynamics.layout.start([30, [22, 20]]))
    second = 0.9 / (1 + np.exp(-4)) + 0.05
    assert np.allclose(law, np.outer([0.5, 0.5], [second, 1 - second]).ravel())
    shares = dynamics.action_shares(dynamics.layout.start([30, [22, 20]]))
    assert np.allclose(shares, [[0.5, 0.5], [second, 1 - second]])


# --- what is refused


def deterministic(successors: list[int]) -> MarkovGame:
    """A game of one player with one action that leads from state s to successors[s]."""
    size = len(successors)
    return MarkovGame.from_arrays(np.eye(size)[successors][:, None], np.zeros((1, size, 1)), (1,))


@pytest.mark.parametrize(
    ("successors", "complaint"),
    [
        ([0, 1], r"2 sets of states are never left \(one with state 0, one with state 1\)"),
        ([1, 1, 1], "2 of its states are never seen again once left, state 0 first"),
        ([1, 2, 0], "period 3"),
    ],
)
def test_games_that_are_not_ergodic_are_refused(successors: list[int], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        Dynamics(deterministic(successors), [Learner()])


def test_two_cycles_of_coprime_length_have_no_period() -> None:
    law = np.zeros((3, 1, 3))
    law[0, 0, 1] = law[1, 0, 2] = 1.0
    law[2, 0, 0] = law[2, 0, 1] = 0.5  # cycles of 3 and 2 steps
    dynamics = Dynamics(MarkovGame.from_arrays(law, np.zeros((1, 3, 1)), (1,)), [Learner()])
    assert np.allclose(dynamics.state_law(np.zeros(3)), [0.2, 0.4, 0.4])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"transitions": np.full((2, 2, 2), 0.4)}, r"transitions\[0, 0, :\] do not sum to 1"),
        ({"transitions": np.full((2, 3, 2), 0.5)}, "expected"),
        ({"transitions": "many"}, "arrays of numbers"),
        ({"rewards": np.full((1, 2, 2), np.nan)}, "finite"),
        ({"rewards": np.zeros((2, 2, 2))}, "rewards have shape"),
        ({"observation": [[0, 2]]}, "without gaps"),
        ({"observation": [[0.5, 1]]}, "whole numbers"),
        ({"actions": ()}, "at least one"),
    ],
)
def test_arrays_that_are_no_game_are_refused(change: dict[str, Any], complaint: str) -> None:
    arrays: dict[str, Any] = {
        "transitions": np.full((2, 2, 2), 0.5),
        "rewards": np.zeros((1, 2, 2)),
        "actions": (2,),
    }
    MarkovGame.from_arrays(**arrays)
    with pytest.raises(GameError, match=complaint):
        MarkovGame.from_arrays(**(arrays | change))


def test_games_come_from_files_whole_or_not_at_all(tmp_path: Path) -> None:
    arrays = random_game(3, (2, 2), 3)
    path = tmp_path / "game.npz"
    np.savez(path, **arrays)
    game = MarkovGame.from_npz(path)
    assert np.array_equal(game.rewards, arrays["rewards"])
    assert np.allclose(game.transitions.toarray().reshape(3, 4, 3), arrays["transitions"])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(GameError, match=r"not an \.npz file"):
        MarkovGame.from_npz(path)
    np.savez(path, **{name: array for name, array in arrays.items() if name != "actions"})
    with pytest.raises(GameError, match="must hold actions"):
        MarkovGame.from_npz(path)
    with pytest.raises(GameError, match="does not exist"):
        MarkovGame.from_npz(tmp_path / "none.npz")


def test_learners_and_starts_that_do_not_fit_are_refused() -> None:
    game = MarkovGame.repeated([[(3, 3), (1.5, 3.5)], [(3.5, 1.5), (2, 2)]])
    layout = Dynamics(game, [Learner(), Learner()]).layout
    with pytest.raises(UserError, match="one per player"):
        Dynamics(game, [Learner()])
    with pytest.raises(UserError, match="tau is 0"):
        Learner(tau=0)
    with pytest.raises(UserError, match="discount is 1"):
        Learner(discount=1)
    with pytest.raises(UserError, match="unknown"):
        Learner("td")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="player 1 does not fit: expected a number, 2 numbers, or 4 rows"):
        layout.start([30, [1, 2, 3]])
    with pytest.raises(UserError, match="finite"):
        layout.start([np.inf, 0])
