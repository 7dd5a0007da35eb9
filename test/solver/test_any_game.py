"""Whatever the game: the proven interval holds the value that a dense oracle finds, and is narrow.

Dirichlet rows, rows with zeros, permutations (periodic chains), equal rows, pivots that vanish, absorbing zones, one
zone, one action, γ from 0 to 0.999. Errors are relative to r_max/(1 − γ), the size of the largest value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.solver import Game
from meanfleet.solver.evaluation import evaluate, occupancy
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.surrogate import KRobotSystem
from naive.dense import DenseSystem
from naive.transitions import KINDS, transition

RELATIVE = 1e-9


def any_game(
    seed: int, zones: int, priorities: int, dispatches: int, moves: int, discount: float, kinds: tuple[str, str]
) -> dict[str, Any]:
    """A game whose transitions are of the given kinds (of the priority, of the robots)."""
    rng = np.random.default_rng(seed)
    P_g = [transition(seed + a, priorities, kinds[0]) for a in range(dispatches)]
    P_l = [[transition(seed + 7 * s + a, zones, kinds[1]) for a in range(moves)] for s in range(priorities)]
    return {
        "P_g": np.array(P_g).transpose(1, 0, 2),
        "P_l": np.array(P_l).transpose(2, 0, 1, 3),
        "r_g": rng.uniform(-1, 1, (priorities, dispatches)),
        "r_l": rng.uniform(-1, 1, (zones, priorities, moves)),
        "discount": discount,
        "start_priority": np.full(priorities, 1 / priorities),
        "start_concentration": rng.uniform(0.2, 2, zones),
    }


def some_policy(seed: int, zones: int, priorities: int, moves: int) -> np.ndarray:
    """Pure for even seeds, mixed for odd ones."""
    rng = np.random.default_rng(seed)
    if seed % 2:
        return rng.dirichlet(np.ones(moves), size=(zones, priorities))
    return np.eye(moves)[rng.integers(moves, size=(zones, priorities))]


def check(arrays: dict[str, Any], policy: np.ndarray, k: int) -> None:
    game, naive = Game(**arrays), DenseSystem(arrays, policy, k)
    unit = max(game.reward_scale, 1e-3) / (1 - game.discount)
    surrogate = KRobotSystem(game, k).under(policy)
    best = learn_exact(surrogate, RELATIVE * unit)
    assert 2 * best.optimal.half <= 2 * RELATIVE * unit
    slack = best.optimal.half + 1e-11 * unit  # the oracle's own rounding
    assert np.abs(best.optimal.middle - naive.optimal()).max() <= slack
    value = evaluate(surrogate, best.table, RELATIVE * unit)
    assert np.abs(value.middle - naive.value(best.table)).max() <= value.half + 1e-11 * unit
    assert (value.middle >= best.optimal.middle - 2 * slack - value.half).all()
    mass = occupancy(surrogate, best.table)
    reward = surrogate.policy_reward(best.table)
    assert abs(float(np.sum(mass * reward)) - float(np.sum(surrogate.system.start * value.middle))) <= 2e-9 * unit


@settings(deadline=None, derandomize=True, max_examples=120)
@given(
    st.integers(0, 10**6),
    st.sampled_from([(1, 4), (2, 5), (3, 4), (4, 3), (5, 3), (6, 2), (7, 2)]),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.5, 0.95, 0.99, 0.999]),
    st.sampled_from(KINDS),
    st.sampled_from(KINDS),
)
def test_the_proven_interval_holds_the_oracles_value(
    seed: int, size: tuple[int, int], priorities: int, dispatches: int, moves: int, discount: float, p_g: str, p_l: str
) -> None:
    zones, k = size
    arrays = any_game(seed, zones, priorities, dispatches, moves, discount, (p_g, p_l))
    check(arrays, some_policy(seed, zones, priorities, moves), k)


@pytest.mark.parametrize("kind", KINDS)
def test_six_robots_in_four_zones_at_discount_0_999(kind: str) -> None:
    check(any_game(1, 4, 3, 3, 2, 0.999, ("sticky", kind)), some_policy(1, 4, 3, 2), 6)


@pytest.mark.parametrize("kind", ["dense", "permutation", "small pivot"])
def test_twelve_robots_in_seven_zones_are_not_refused(kind: str) -> None:
    """18,564 histograms; the value of a product form is known: with no reward but the priority's, V does not see μ."""
    arrays = any_game(2, 7, 2, 2, 2, 0.9, ("dense", kind))
    arrays["r_l"] = np.zeros_like(arrays["r_l"])
    game = Game(**arrays)
    surrogate = KRobotSystem(game, 12).under(some_policy(2, 7, 2, 2))
    best = learn_exact(surrogate, 1e-8)
    alone = np.zeros(2)
    for _ in range(500):
        alone = (np.asarray(game.r_g) + 0.9 * np.asarray(game.P_g) @ alone).max(axis=1)
    assert np.abs(best.optimal.middle - alone[:, None]).max() <= best.optimal.half + 1e-12
    assert 2 * best.optimal.half <= 1e-8
