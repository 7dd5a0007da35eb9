"""The warehouse as a game of learners, against the k + 1 players of the k-robot system written out one by one."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from meanfleet.base.errors import UserError
from meanfleet.solver import Game
from meanfleet.solver.dynamics.fleet import FleetDynamics
from meanfleet.solver.dynamics.fleet_play import FleetProcess
from meanfleet.solver.dynamics.learners import Learner
from meanfleet.solver.dynamics.process import simulate
from meanfleet.solver.evaluation import evaluate
from meanfleet.solver.surrogate import KRobotSystem
from naive import dynamics as naive
from naive.surrogate import histograms, random_arrays

ARRAYS = random_arrays(7, 2, 2, 2, 2, 0.8)
GAME = Game(**ARRAYS)
RULES = [("q", "q"), ("sarsa", "policy_gradient"), ("policy_gradient", "sarsa")]


def learners(rules: tuple[str, str]) -> list[Learner]:
    return [
        Learner(rules[0], 0.3, 0.8, 0.7, 0.1, 0.2),  # type: ignore[arg-type]
        Learner(rules[1], 0.2, 0.6, 0.4, 0.2, 0.1),  # type: ignore[arg-type]
    ]


def written_out(k: int, common: bool) -> dict[str, Any]:
    """The game of 1 + k players over (s_g, z_1, …, z_k), every robot a player."""
    P_g, P_l, r_g, r_l = (np.asarray(ARRAYS[name]) for name in ("P_g", "P_l", "r_g", "r_l"))
    states = list(itertools.product(range(2), *[range(2)] * k))
    joints = list(itertools.product(range(2), *[range(2)] * k))
    order = {h: i for i, h in enumerate(histograms(k, 2))}
    law = np.zeros((len(states), len(joints), len(states)))
    rewards = np.zeros((1 + k, len(states), len(joints)))
    for (i, (s, *z)), (j, (a, *b)) in itertools.product(enumerate(states), enumerate(joints)):
        own = [r_l[z[r], s, b[r]] for r in range(k)]
        rewards[:, i, j] = r_g[s, a] + np.mean(own)
        if not common:
            rewards[1:, i, j] = own
        for m, (t, *y) in enumerate(states):
            law[i, j, m] = P_g[s, a, t] * np.prod([P_l[z[r], s, b[r], y[r]] for r in range(k)])
    counts = [tuple(z.count(zone) for zone in range(2)) for _, *z in states]
    seen = [[s * len(order) + order[h] for (s, *_), h in zip(states, counts, strict=True)]]
    seen += [[state[1 + r] * 2 + state[0] for state in states] for r in range(k)]
    return {"transitions": law, "rewards": rewards, "actions": (2,) * (1 + k), "observation": np.array(seen)}


@pytest.mark.parametrize("common", [True, False])
@pytest.mark.parametrize("rules", RULES)
def test_the_lumped_drift_is_that_of_all_players_written_out(rules: tuple[str, str], common: bool) -> None:
    """Two robots with one table: the dispatcher's drift, and either robot's, which are alike."""
    both = learners(rules)
    fleet = FleetDynamics(GAME, 2, both, common)
    x = np.random.default_rng(5).normal(size=fleet.layout.size)
    tables: list[Any] = [fleet.layout.table(x, i).tolist() for i in range(2)]
    shapes = fleet.layout.shapes
    critics: list[Any] = []
    for i in range(2):
        first = int(shapes[i, 3] + shapes[i, 1] * shapes[i, 2])
        gradient = both[i].rule == "policy_gradient"
        critics.append(x[first : first + int(shapes[i, 1])].tolist() if gradient else [0.0] * int(shapes[i, 1]))
    named = [
        dict(zip(("alpha", "discount", "tau", "epsilon", "beta"), one.numbers, strict=True)) | {"rule": one.rule}
        for one in both
    ]
    game = written_out(2, common)
    found = naive.drift(
        game, [named[0], named[1], named[1]], [tables[0], tables[1], tables[1]], [critics[0], critics[1], critics[1]]
    )
    expected = []
    for i in range(2):
        expected += [found[i][0].ravel()] + ([found[i][1]] if both[i].rule == "policy_gradient" else [])
    assert np.allclose(found[1][0], found[2][0], atol=1e-12)
    assert np.allclose(fleet.drift(x), np.concatenate(expected), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("rules", RULES)
def test_the_mean_of_the_first_step_is_the_drift(rules: tuple[str, str]) -> None:
    """Runs begin in the stationary law: z-scores of 5,000 runs of three robots below 4.5."""
    fleet = FleetDynamics(GAME, 3, learners(rules), common=rules[0] == "q")
    start = np.random.default_rng(1).normal(size=fleet.layout.size)
    runs = simulate(FleetProcess(fleet), start, [0.5], runs=5_000, speedup=2, seed=2)
    gap, error = runs.mean()[0] - start - fleet.drift(start) / 2, runs.error()[0]
    # The normal law needs more than a few runs that visited a cell.
    often = (runs.paths[:, 0] != start).sum(axis=0) > 30
    assert often.mean() > 0.6
    assert np.abs(gap[often] / error[often]).max() < 4.5
    assert np.abs(fleet.drift(start)[often] / 2 / error[often]).max() > 8


def test_the_return_is_that_of_the_exact_solver() -> None:
    fleet = FleetDynamics(GAME, 3, learners(("q", "q")))
    rng = np.random.default_rng(0)
    table, local = rng.integers(2, size=(2, 4)), rng.dirichlet(np.ones(2), size=(2, 2))
    system = KRobotSystem(GAME, 3)
    low, high = evaluate(system.under(local), table, 1e-9).mean(system.start)
    assert low - 1e-9 <= fleet.expected_return(fleet.packed(table, local)) <= high + 1e-9
    x = fleet.layout.start([0, 0])
    fleet.dispatcher_policy(x[: fleet.layout.policy_size])[...] = np.eye(2)[table]
    assert np.array_equal(fleet.dispatcher_policy(fleet.greedy(x)).argmax(axis=2), table)


def test_what_cannot_learn_is_refused() -> None:
    with pytest.raises(UserError, match="choose another k"):
        FleetDynamics(GAME, 0, learners(("q", "q")))
    with pytest.raises(UserError, match="choose another k"):
        FleetDynamics(GAME, 2000, learners(("q", "q")))
    with pytest.raises(UserError, match="counterfactual"):
        FleetDynamics(GAME, 2, learners(("q", "counterfactual")))
    with pytest.raises(UserError, match="one for the dispatcher and one for the robots"):
        FleetDynamics(GAME, 2, learners(("q", "q"))[:1])
    stuck = Game(**(ARRAYS | {"P_l": np.broadcast_to(np.eye(2)[:, None, None], (2, 2, 2, 2))}))
    with pytest.raises(UserError, match="under priority 0 no robot comes from zone 0 to zone 1"):
        FleetDynamics(stuck, 2, learners(("q", "q")))
    held = Game(**(ARRAYS | {"P_g": np.broadcast_to(np.eye(2)[:, None], (2, 2, 2))}))
    with pytest.raises(UserError, match="priority 1 is not reached from 0"):
        FleetDynamics(held, 2, learners(("q", "q")))
