"""A run of robots in zones in one process, without ROS: the dispatcher's and the robots' own decision code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.errors import UserError
from meanfleet.robot_node.robot import Robot, robot_seed
from meanfleet.sim.start import start_zones
from meanfleet.sim.trajectory import Trajectory
from meanfleet.sim.world import make_world

from ..protocol import Recorder, Run


def simulate_zones(run: Run, record: Recorder | None = None, explore: float = 0.0) -> Trajectory:
    """As `Family.simulate`."""
    config, bundle, dispatcher, seed = run.config, run.bundle, run.dispatcher, run.seed
    if record is not None and bundle.game.graph is None:
        raise UserError(f"the game of {config.source} has no ways between zones, which bags are read by: add 'graph'")
    names, game = config.robots, bundle.game
    n = len(names)
    robots = [Robot(bundle, robot_seed(seed, name), kind) for name, kind in zip(names, config.type_of, strict=True)]
    index = {name: i for i, name in enumerate(names)}
    world = make_world(config, game, seed, start_zones(game, n, seed, config.type_of), run.backend, run.gui)
    everyone = np.arange(n)
    choices = np.full(game.zones, game.moves) if game.graph is None else game.graph.allowed.sum(axis=1)
    first = np.array(config.type_of) * len(config.zones)  # state of every robot's type in zone 0
    curious = np.random.default_rng(np.random.SeedSequence([seed, 4]))
    rows: list[tuple[int, int, NDArray[np.int64], NDArray[np.int64], float, int]] = []
    try:
        for tick in range(run.ticks):
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
            if run.on_tick is not None:
                run.on_tick(tick, dispatcher, world)
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
