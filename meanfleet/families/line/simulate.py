"""Robots on a line in one process, without ROS, and what a tick of theirs earns."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfleet.base.errors import UserError
from meanfleet.sim.trajectory import Trajectory
from meanfleet.solver.continuous.warehouse import ContinuousWarehouse

from ..protocol import Recorder, Run
from .bundle import ContinuousBundle
from .making import line_world
from .team import LineTeam


def simulate_line(run: Run, record: Recorder | None = None, explore: float = 0.0) -> Trajectory:
    """As `Family.simulate`.

    Raises:
        UserError: a bag or exploring is asked for.
    """
    if record is not None or explore:
        raise UserError("robots on a line are simulated without a bag and without exploring: record 'meanfleet up'")
    config, bundle, dispatcher, seed = run.config, run.bundle, run.dispatcher, run.seed
    assert isinstance(bundle, ContinuousBundle)
    names, line = config.robots, bundle.warehouse()
    world = line_world(config, seed, run.backend, run.gui)
    team = LineTeam(names, world.tracks, bundle, seed, config.robot.heartbeat)
    index = {name: i for i, name in enumerate(names)}
    rows: list[tuple[int, int, NDArray[np.int64], list[int], float, int]] = []
    try:
        for tick in range(run.ticks):
            for robot, (x, y, yaw) in enumerate(world.poses.tolist()):
                team.see(robot, x, y, world.time, yaw)
            team.reports()
            zones = team.zones.copy()
            dispatcher.observe({name: int(zones[index[name]]) for name in dispatcher.sample()})
            dispatch = dispatcher.decide()
            decision = dispatcher.last
            assert decision is not None
            assert decision.place is not None
            orders = team.act(decision.place)
            assert orders.places is not None
            goals = world.tracks.poses(orders.robots, [goal for _, goal in orders.changed])
            world.send_to(np.array(orders.robots), goals[:, :2])
            reward = line_reward(line, decision.place, dispatch, orders.places, orders.moves)
            rows.append((decision.priority, dispatch, zones, orders.moves, reward, len(decision.heard)))
            world.advance(config.dispatcher.tick)
            if run.on_tick is not None:
                run.on_tick(tick, dispatcher, world)
        statistics = world.statistics()
    finally:
        world.close()
    priority, dispatches, bins, moves, rewards, samples = map(np.array, zip(*rows, strict=True))
    return Trajectory(priority, dispatches, bins, moves, rewards, samples, statistics)


def line_reward(
    line: ContinuousWarehouse, priority: float, dispatch: int, places: ArrayLike, moves: ArrayLike
) -> float:
    """r of a tick with s_g = priority, a_g = dispatch, robots at places [robot] that make moves [robot]."""
    s, where = np.array([priority]), np.array(places, dtype=np.float64)
    own = line.robot_reward(where[None], s, np.asarray(moves, dtype=np.int64)[None])
    return float(line.dispatch_reward(s, np.array([dispatch]))[0] + own.mean())
