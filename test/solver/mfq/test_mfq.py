"""SUBSAMPLE-MFQ against joint moves tried one by one, and its fleets against robots simulated one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.base.errors import UserError
from meanfleet.config.crowd import ExplorationConfig, SqueezeConfig
from meanfleet.solver import Game
from meanfleet.solver.chained.at_once import at_once
from meanfleet.solver.histograms import enumerate_histograms, rank
from meanfleet.solver.mfq import (
    Crowd,
    JointPolicy,
    JointSystem,
    PeerFleet,
    Squeeze,
    joint_cells,
    learn_joint,
    learn_joint_sampled,
    tagged_cells,
)
from meanfleet.solver.mfq.games import exploration_game, squeeze_game
from meanfleet.solver.mfq.rollouts import Sharing
from naive import peers
from naive.surrogate import random_arrays

SHARED = Squeeze(np.array([[0.0, 1.0], [0.5, 0.2]]), np.array([0.3, 0.7]), 0.4, 2.0)


def crowds() -> dict[str, tuple[Crowd, int]]:
    """Crowds and a number of robots at which every joint move can be tried."""
    small = Crowd(Game.from_arrays(random_arrays(3, 2, 2, 3, 2)))
    squeezed = Crowd(Game.from_arrays(random_arrays(4, 2, 3, 2, 2, sparse=True)), SHARED)
    grid = exploration_game(ExplorationConfig(width=2, height=2))
    return {"a game": (small, 4), "a squeeze": (squeezed, 5), "the grid": (grid, 3)}


def bonus(crowd: Crowd) -> peers.Bonus:
    """The squeeze of a crowd, for the oracle."""
    own = crowd.squeeze
    return peers.nothing if own is None else peers.squeeze(own.effort, own.target, own.width, own.scale)


def residual(crowd: Crowd, policy: JointPolicy) -> float:
    """|T V − V| by trying all joint moves: V is the optimum, if it is small, to residual/(1 − γ)."""
    n = policy.k
    values = peers.by_tuple(policy.value.middle, enumerate_histograms(n, crowd.game.zones), n)
    return float(np.abs(peers.backup(crowd.game.arrays(), values, n, bonus(crowd)) - values).max())


@pytest.mark.parametrize("name", crowds())
def test_the_optimum_is_that_of_all_joint_moves(name: str) -> None:
    crowd, n = crowds()[name]
    assert residual(crowd, learn_joint(crowd, n, 1e-9)) < 2e-9


def test_eight_controllers_squeeze_as_brute_force_does() -> None:
    """The game of config/squeeze.yaml but for its queues of one place: 256 joint states, 256 joint moves."""
    crowd = squeeze_game(SqueezeConfig(capacity=1))
    assert residual(crowd, learn_joint(crowd, 8, 1e-9)) < 2e-9


def test_eight_robots_explore_as_brute_force_does() -> None:
    """Two cells in a row: moves across the grid's edge are moves of no effect."""
    game = exploration_game(ExplorationConfig(width=2, height=1)).game
    ahead = np.where(np.arange(2)[:, None] == 0, 1, 2)  # the one move that leads anywhere: ahead of cell 0, back of 1
    arrays = game.arrays() | {
        name: np.stack([array[:, :, 0], np.take_along_axis(array, _index(ahead, array), axis=2)[:, :, 0]], axis=2)
        for name, array in (("P_l", game.P_l), ("r_l", game.r_l))
    }
    arrays.pop("targets", None)
    two = Crowd(Game.from_arrays(arrays))
    policy = learn_joint(two, 8, 1e-9)
    assert residual(two, policy) < 2e-9
    same = learn_joint(Crowd(game), 8, 1e-9)
    assert np.allclose(policy.value.middle, same.value.middle, rtol=0, atol=1e-8)


def _index(moves: np.ndarray, array: np.ndarray) -> np.ndarray:
    shape = (2, 1, 1, 1)[: array.ndim]
    return np.broadcast_to(moves.reshape(shape), (2, array.shape[1], 1, *array.shape[3:]))


def test_it_is_the_fixed_point_of_the_chained_problem_with_all_moves_at_once() -> None:
    """What bounds J of the robots' best response in certificates is this optimum, computed by a walk of its own."""
    game = Game.from_arrays(random_arrays(7, 3, 2, 3, 3))
    values = learn_joint(Crowd(game), 5, 1e-9).value.middle
    again = [[at_once(game, 5, values, s, a) for a in range(2)] for s in range(3)]
    assert np.allclose(np.max(again, axis=1), values, rtol=0, atol=2e-9)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_plans_move_the_robots_of_their_histograms(seed: int, k: int) -> None:
    game = Game.from_arrays(random_arrays(seed, 2, 2, 3, 2, sparse=True))
    policy = learn_joint(Crowd(game), k, 1e-6)
    histograms = enumerate_histograms(k, 3)
    assert (policy.plan.sum(axis=3) == histograms).all()
    local = policy.projected(JointSystem(Crowd(game), k).start)
    assert np.allclose(local.sum(axis=2), 1)


def test_one_robot_is_a_single_decision_maker() -> None:
    """k = 1: the joint problem is one MDP with states (s_g, z) and actions (a_g, a), solved here by value iteration."""
    game = Game.from_arrays(random_arrays(11, 3, 2, 3, 3))
    policy, V = learn_joint(Crowd(game), 1, 1e-10), np.zeros((3, 3))
    for _ in range(400):
        ahead = np.einsum("sgt,zsay,ty->szga", game.P_g, game.P_l, V)
        Q = game.r_g[:, None, :, None] + game.r_l.transpose(1, 0, 2)[:, :, None, :] + game.discount * ahead
        V = Q.max(axis=(2, 3))
    order = enumerate_histograms(1, 3).argmax(axis=1)
    assert np.allclose(policy.value.middle, V[:, order], rtol=0, atol=1e-9)


def test_the_sampled_backup_comes_closer_with_more_draws() -> None:
    crowd = Crowd(Game.from_arrays(random_arrays(5, 2, 2, 2, 2)), SHARED)
    exact = learn_joint(crowd, 2).value.middle
    errors = [
        np.mean(
            [
                np.abs(learn_joint_sampled(crowd, 2, m, 1e-3, 40, seed=seed).value.middle - exact).mean()
                for seed in range(5)
            ]
        )
        for m in (5, 80, 1280)
    ]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_the_sampled_backup_repeats_with_its_seed() -> None:
    crowd = Crowd(Game.from_arrays(random_arrays(5, 2, 2, 2, 2)))
    one, same, other = (learn_joint_sampled(crowd, 3, 5, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.value.middle, same.value.middle)
    assert not np.array_equal(one.value.middle, other.value.middle)


# --- fleets


def plan_of(policy: JointPolicy) -> peers.Plan:
    return lambda s, histogram, zone: np.asarray(policy.plan[s, rank(histogram), zone])


@pytest.mark.parametrize("sharing", ["name", "lot"])
@pytest.mark.parametrize("squeezed", [False, True])
def test_fleets_are_those_of_robots_one_by_one(sharing: Sharing, squeezed: bool) -> None:
    """Same mean return to 4 standard errors, samples of 3 among 5 robots."""
    crowd = Crowd(Game.from_arrays(random_arrays(8, 2, 2, 2, 2)), SHARED if squeezed else None)
    policy, arrays = learn_joint(crowd, 3), crowd.game.arrays()
    fast = PeerFleet(crowd, 5, 3).returns(policy.dispatch, policy.plan, 20_000, 6, 1, sharing=sharing)
    rng = np.random.default_rng(0)
    slow = np.array(
        [
            peers.rollout(
                arrays,
                lambda s, h: int(policy.dispatch[s, rank(h)]),
                plan_of(policy),
                3,
                5,
                6,
                rng,
                sharing == "name",
                bonus(crowd),
            )
            for _ in range(500)
        ]
    )
    error = np.hypot(fast.std() / np.sqrt(len(fast)), slow.std() / np.sqrt(len(slow)))
    assert abs(fast.mean() - slow.mean()) < 4 * error


def test_when_everybody_sees_everybody_and_agrees_nothing_is_lost() -> None:
    """k = n, places by name: the optimum, up to 4 standard errors and what is beyond the horizon."""
    crowd = squeeze_game(SqueezeConfig())
    policy = learn_joint(crowd, 6)
    returns = PeerFleet(crowd, 6, 6).returns(policy.dispatch, policy.plan, 20_000, 50)
    assert abs(returns.mean() - policy.start[0]) < 4 * returns.std() / np.sqrt(len(returns)) + 1e-3
    by_lot = PeerFleet(crowd, 6, 6).returns(policy.dispatch, policy.plan, 20_000, 50, sharing="lot")
    assert by_lot.mean() < returns.mean() - 1


# --- sizes, and what is refused


def test_table_sizes_are_those_of_the_paper() -> None:
    """|S_g||A_g| · |S_l||A_l| · C(k − 1 + |S_l||A_l| − 1, |S_l||A_l| − 1) entries with the tag."""
    crowd = Crowd(Game.from_arrays(random_arrays(1, 5, 5, 5, 3)))
    assert tagged_cells(crowd, 4) == 25 * 15 * comb(3 + 14, 14)
    assert joint_cells(crowd, 4) == 25 * comb(4 + 14, 14)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda crowd: JointSystem(crowd, 0),
        lambda crowd: JointSystem(crowd, 2000),
        lambda crowd: PeerFleet(crowd, 4, 5),
        lambda crowd: PeerFleet(crowd, 4, 0),
        lambda crowd: learn_joint_sampled(crowd, 2, 0),
        lambda crowd: replace(crowd, squeeze=replace(SHARED, width=0.0)),
        lambda crowd: replace(crowd, squeeze=replace(SHARED, target=np.zeros(3))),
        lambda crowd: PeerFleet(crowd, 4, 2).returns(np.zeros((2, 2), int), np.zeros((2, 2, 2, 2), int), 2, 1),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: Callable[[Crowd], Any]) -> None:
    with pytest.raises(UserError):
        wrong(Crowd(Game.from_arrays(random_arrays(1, 2, 2, 2, 2))))
