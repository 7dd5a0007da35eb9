"""A whole run in one process, without ROS: the dispatcher's and the robots' own decision code on any world."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from meanfleet.bundle import PolicyBundle
from meanfleet.config import Config
from meanfleet.continuous_bundle import ContinuousBundle
from meanfleet.dispatcher_node.dispatcher import Dispatcher, Rule
from meanfleet.dispatcher_node.steering import Steering
from meanfleet.errors import UserError
from meanfleet.loading import require_fit
from meanfleet.robot_node.robot import Robot, robot_seed
from meanfleet.sim.backends.protocol import Backend
from meanfleet.sim.start import start_zones
from meanfleet.sim.world import check_world, make_world

from .line import simulate_line
from .recording import RunBag
from .trajectory import Trajectory

__all__ = ["Trajectory", "check_fit", "simulate"]


def check_fit(config: Config, bundle: PolicyBundle, steering: Steering, by_number: bool = False) -> None:
    """Raise UserError unless the bundle can run this fleet with this dispatcher; `by_number` as `require_fit`."""
    require_fit(bundle, config, by_number)
    steering.check(config, bundle)


def simulate(
    config: Config,
    bundle: PolicyBundle,
    *,
    k: int | None = None,
    observer: str = "",
    sampling: str = "",
    rho: float | None = None,
    ticks: int = 100,
    seed: int = 0,
    rule: Rule = "learned",
    backend: str | None = None,
    gui: bool = False,
    record: RunBag | None = None,
    explore: float = 0.0,
    on_tick: Callable[[int, Dispatcher, Backend], None] | None = None,
) -> Trajectory:
    """Run dispatcher, robots and world for `ticks` ticks.

    k, observer, sampling and rho take the place of the configuration's where they are given. `record` is written, and
    closed at the end. A share `explore` of the robots' moves is drawn evenly instead of from π_l, for what a policy
    alone never shows to a fit.

    Raises:
        UserError: the bundle does not fit the configuration, or k has no table or exceeds the fleet.
    """
    steering = Steering(k, observer, sampling, rho)
    check_fit(config, bundle, steering, by_number=check_world(config, backend, gui) == "model")
    dispatcher = steering.dispatcher(config, bundle, seed, rule)
    if isinstance(bundle, ContinuousBundle):
        if record is not None or explore:
            raise UserError("robots on a line are simulated without a bag and without exploring: record 'meanfleet up'")
        return simulate_line(config, bundle, dispatcher, ticks, seed, backend, gui, on_tick)
    if record is not None and bundle.game.graph is None:
        raise UserError(f"the game of {config.source} has no ways between zones, which bags are read by: add 'graph'")
    names, game = config.robots, bundle.game
    n = len(names)
    robots = [Robot(bundle, robot_seed(seed, name), kind) for name, kind in zip(names, config.type_of, strict=True)]
    index = {name: i for i, name in enumerate(names)}
    world = make_world(config, game, seed, start_zones(game, n, seed, config.type_of), backend, gui)
    everyone = np.arange(n)
    choices = np.full(game.zones, game.moves) if game.graph is None else game.graph.allowed.sum(axis=1)
    first = np.array(config.type_of) * len(config.zones)  # state of every robot's type in zone 0
    curious = np.random.default_rng(np.random.SeedSequence([seed, 4]))
    rows: list[tuple[int, int, NDArray[np.int64], NDArray[np.int64], float, int]] = []
    try:
        for tick in range(ticks):
            zones = world.zones
            heard = {name: int(zones[index[name]]) for name in dispatcher.sample()}
            dispatcher.observe(heard)
            priority = dispatcher.priority
            dispatch = dispatcher.decide()
            moves = np.array([robot.move(z, priority) for robot, z in zip(robots, zones.tolist(), strict=True)])
            if explore:
                odd = curious.random(n) < explore
                moves[odd] = curious.integers(choices[zones[odd]])
            goals = zones  # of moves that lead nowhere in particular the world knows the numbers
            if game.graph is not None:
                goals = np.array([r.goal(z, a) for r, z, a in zip(robots, zones.tolist(), moves.tolist(), strict=True)])
            world.hear(priority)
            world.send(everyone, goals, moves)
            reward = float(game.r_g[priority, dispatch] + game.r_l[first + zones, priority, moves].mean())
            rows.append((priority, dispatch, zones, moves, reward, len(heard)))
            if record is None:
                world.advance(config.dispatcher.tick)
            else:
                record.tell(world, dispatcher, heard, moves)
                record.advance(world, config.dispatcher.tick)
            if on_tick is not None:
                on_tick(tick, dispatcher, world)
        statistics = world.statistics()
    finally:
        world.close()
        if record is not None:
            record.close()
    priority_, dispatch_, zones_, moves_, reward_, samples_ = zip(*rows, strict=True)
    return Trajectory(
        np.array(priority_),
        np.array(dispatch_),
        np.array(zones_),
        np.array(moves_),
        np.array(reward_),
        np.array(samples_),
        statistics,
    )
