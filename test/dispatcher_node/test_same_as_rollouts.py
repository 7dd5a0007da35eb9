"""The dispatcher that is deployed and the compiled rollouts that tuned it are one rule, on the paper's game."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from meanfleet.config import SolverConfig
from meanfleet.dispatcher_node.dispatcher import Dispatcher
from meanfleet.solver import Game
from meanfleet.solver.bundle.filtering import FilterModel, FilterSetting
from meanfleet.solver.bundle.policy import PolicyBundle, Table
from meanfleet.solver.filter_selection import filter_model
from meanfleet.solver.fleet import Estimate, Fleet
from meanfleet.solver.fleet.filtered import Observer, drift
from meanfleet.solver.policies import shortest_way
from meanfleet.solver.selection import Selection

N, HORIZON = 1000, 50
ROBOTS = tuple(f"robot_{i:03d}" for i in range(N))
SETTINGS = {1: FilterSetting(0.98, "interpolated", {}), 5: FilterSetting(0.95, "nearest", {}, adaptive=False)}


@pytest.fixture(scope="module")
def bundle() -> PolicyBundle:
    """The paper's warehouse, robots on the shortest way, Q of κ = 20."""
    game = Game.from_yaml(Path(__file__).parents[2] / "config" / "warehouse.yaml")
    policy = shortest_way(game)
    reference = Selection(game, N, SolverConfig(), 0).reference(policy, 1)
    assert reference is not None
    table = Table(1, np.zeros((game.priorities, game.zones), dtype=np.int64), {})
    return PolicyBundle(game, policy, (table,), {}, filter_model(game, reference, SETTINGS))


def observer_of(bundle: PolicyBundle, k: int) -> Observer:
    model = bundle.filtering
    assert isinstance(model, FilterModel)
    return Observer.of(model, model.setting_for(k), drift(bundle.game, bundle.local_policy))


@pytest.mark.parametrize("k", [1, 5])
def test_same_samples_same_belief_same_decision(bundle: PolicyBundle, k: int) -> None:
    """The dispatcher hears, tick by tick, the histograms that the rollouts polled: it decides as they did, always."""
    zones, observer = bundle.game.zones, observer_of(bundle, k)
    _, log = Fleet(bundle.game, N, k).filtered_log(observer, bundle.local_policy, 8, HORIZON, seed=11)
    assert len(np.unique(log[:, :, 1])) > 1
    for run in log.tolist():
        one = Dispatcher(bundle, ROBOTS, k, "dirichlet", seed=5)
        for s, a, *rest in run:
            one.priority = s
            where = np.repeat(np.arange(zones), rest[:zones]).tolist()
            one.observe(dict(zip(one.sample(), where, strict=True)))
            assert one.decide() == a
            assert one.last is not None
            assert one.last.histogram == tuple(rest[:zones])


def test_they_agree_for_long_in_a_world_that_is_not_the_model(bundle: PolicyBundle) -> None:
    """400 ticks with a ρ that goes down and up: the same decisions, and ρ that the compiled scores give."""
    game, zones, k = bundle.game, bundle.game.zones, 4
    elsewhere = np.random.default_rng(5).dirichlet(np.full(zones, 0.3), game.P_l.shape[:3])
    world = replace(game, P_l=0.7 * game.P_l + 0.3 * elsewhere)
    observer = observer_of(bundle, k)
    _, log = Fleet(world, N, k).filtered_log(observer, bundle.local_policy, 2, 400, seed=2)
    rhos = []
    for run in log.tolist():
        one = Dispatcher(bundle, ROBOTS, k, "dirichlet", seed=5)
        for s, a, *rest in run:
            one.priority = s
            where = np.repeat(np.arange(zones), rest[:zones]).tolist()
            one.observe(dict(zip(one.sample(), where, strict=True)))
            assert one.decide() == a
            rhos.append(one.belief.rho)
    assert min(rhos) < 0.8
    assert max(rhos) > 0.95


@pytest.mark.parametrize("k", [1, 5])
def test_the_dispatcher_earns_what_the_rollouts_promise(bundle: PolicyBundle, k: int) -> None:
    """100 runs of 1000 named robots, each moved on its own, against 8,000 rollouts by counts: within 4 errors."""
    game, moved = bundle.game, np.cumsum(bundle.game.P_l, axis=3)
    chosen = np.cumsum(bundle.local_policy, axis=2)
    index = {name: i for i, name in enumerate(ROBOTS)}
    rng, returns = np.random.default_rng(k), []
    for seed in range(100):
        one = Dispatcher(bundle, ROBOTS, k, "dirichlet", seed=seed)
        robots, total = rng.choice(game.zones, size=N, p=rng.dirichlet(game.start_concentration)), 0.0
        for t in range(HORIZON):
            one.observe({name: int(robots[index[name]]) for name in one.sample()})
            s = one.priority
            a = one.decide()
            moves = (rng.random((N, 1)) > chosen[robots, s]).sum(axis=1)
            total += game.discount**t * (game.r_g[s, a] + game.r_l[robots, s, moves].mean())
            robots = np.minimum((rng.random((N, 1)) > moved[robots, s, moves]).sum(axis=1), game.zones - 1)
        returns.append(total)
    slow = Estimate.of(np.array(returns), HORIZON)
    fleet = Fleet(game, N, k)
    fast = Estimate.of(fleet.filtered_returns(observer_of(bundle, k), bundle.local_policy, 8000, HORIZON, 3), HORIZON)
    assert abs(slow.mean - fast.mean) < 4 * np.hypot(slow.error, fast.error)
