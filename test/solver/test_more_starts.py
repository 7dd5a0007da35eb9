"""Pairs in which neither player gains by itself can lie far below another: more starts where a solve is cheap."""

from __future__ import annotations

from itertools import product

import numpy as np

from meanfleet.config import SolverConfig
from meanfleet.solver import Game, solve
from meanfleet.solver.alternation import best_equilibrium, starting_policies
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.policies import pure
from meanfleet.solver.solving import CHEAP, MORE, more_starts
from meanfleet.solver.surrogate import KRobotSystem

STARTS = ("uniform", "shortest", "random")


def locked() -> Game:
    """A ring of three zones, moves stay and next. The dispatcher sets the priority.

    Following the priority earns 1, staying in zone 2 under priority 0 earns 10, leaving it there costs 100, and any
    other mismatch costs 20. A dispatcher whose robots leave zone 2 never asks for 0 there; robots that are never asked
    for 0 there have nothing to gain by staying.
    """
    P_l = np.zeros((3, 3, 2, 3))
    for z in range(3):
        P_l[z, :, 0, z] = P_l[z, :, 1, (z + 1) % 3] = 1.0
    r_l = np.repeat(np.where(np.eye(3, dtype=bool), 1.0, -20.0)[:, :, None], 2, axis=2)
    r_l[2, 0] = [10.0, -100.0]
    return Game(
        P_g=np.repeat(np.eye(3)[None], 3, axis=0),
        P_l=P_l,
        r_g=np.zeros((3, 3)),
        r_l=r_l,
        discount=0.7,
        start_priority=np.array([0.0, 1.0, 0.0]),
        start_concentration=np.array([0.3, 0.3, 0.3]),
    )


def test_more_starts_find_the_best_of_all_pairs_where_the_named_end_far_below() -> None:
    game = locked()
    system = KRobotSystem(game, 1)
    named = best_equilibrium(system, starting_policies(game, STARTS, 0), 1e-6)
    proof = named.certificate(1e-6)
    assert named.settled
    assert max(proof.global_gap, proof.local_gap_high) < 1e-5  # a perfect certificate
    best = max(
        learn_exact(system.under(pure(np.array(moves).reshape(3, 3), 2)), 1e-6).optimal.mean(system.start)[1]
        for moves in product((0, 1), repeat=9)
    )
    assert named.expected_return < best - 10.0
    assert best - named.expected_return - 1e-4 < proof.pair_gap < 1.1 * (best - named.expected_return)  # beside them
    bundle = solve(game, 1, n=10, settings=SolverConfig(starts=STARTS, rollouts=250, filtering=False))
    assert abs(bundle.how["alternation"]["trace"][-1] - best) < 1e-4
    assert bundle.how["alternation"]["start"].startswith("random ")


def test_more_starts_are_the_seeds_and_only_where_a_solve_is_cheap() -> None:
    game = locked()
    first, again, other = (more_starts(game, 3, seed) for seed in (0, 0, 1))
    assert len(first) == MORE
    assert all(
        name == twin and np.array_equal(policy, same) for (name, policy), (twin, same) in zip(first, again, strict=True)
    )
    assert any(not np.array_equal(policy, same) for (_, policy), (_, same) in zip(first, other, strict=True))
    assert CHEAP < 3 * 28  # 28 histograms of 6 robots
    assert more_starts(game, 6, 0) == []
