"""A run in one process recorded as the nodes would publish it, so that a bag of it is read like any other.

Written are the topics that replay and fit read: `<robot>/zone` on change and as heartbeat, `<robot>/odom`,
`priority_zone`, `diagnostics` of dispatcher and robots, and `clock`. Times are simulated ones, one tick late, as a
stamp of 0 means none; they are receive times too, so the same seed writes the same bag.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfleet.config import Config
from meanfleet.dispatcher_node.dispatcher import Dispatcher
from meanfleet.dispatcher_node.gather import Gather
from meanfleet.dispatcher_node.report import Ledger, tick_report
from meanfleet.sim.backends.protocol import Backend
from meanfleet.sim.bags import messages
from meanfleet.sim.bags.qos import LATCHED, Offer
from meanfleet.sim.bags.writing import BagWriter, Topic, entries
from meanfleet.sim.odometry import Turns

FOREVER = 2**63 - 1  # [ns] as rosbag2 writes a duration that was not set
VOLATILE = {"history": "keep_last", "depth": 10, "reliability": "reliable", "durability": "volatile"}
SENSOR = {"history": "keep_last", "depth": 5, "reliability": "best_effort", "durability": "volatile"}


class RunBag:
    """A bag that a run writes.

    Args:
        folder: of the bag; must not exist, or be empty.
        config: of the run.
        poses: also write odometry, at the configuration's rate.

    Raises:
        UserError: as `BagWriter`.
    """

    def __init__(self, folder: Path, config: Config, poses: bool = True) -> None:
        self.config, self.poses = config, poses
        self.writer = BagWriter(folder)
        settings = config.world
        self.quantum = max(round(1 / settings.odom_rate / settings.step), 1) * settings.step
        self.turns = Turns(len(config.robots), settings.odom_rate, config.robot.heartbeat / 2)
        self.ledger = Ledger()
        self.told: NDArray[np.int64] = np.full(len(config.robots), -1, dtype=np.int64)
        self.told_at: NDArray[np.float64] = np.full(len(config.robots), -np.inf)
        self._zone = [self._topic(f"/{name}/zone", messages.HEADER, LATCHED) for name in config.robots]
        self._odom = [self._topic(f"/{name}/odom", messages.ODOMETRY, SENSOR) for name in config.robots if poses]
        self._priority = self._topic("/priority_zone", messages.HEADER, LATCHED)
        self._diagnostics = self._topic("/diagnostics", messages.DIAGNOSTICS, VOLATILE)
        self._clock = self._topic("/clock", messages.CLOCK, SENSOR)

    def _topic(self, name: str, msgtype: str, offered: dict[str, Any]) -> int:
        offer = Offer(**offered, deadline=FOREVER, lifespan=FOREVER, liveliness="automatic", lease=FOREVER)
        return self.writer.add_topic(Topic(name, msgtype, "", entries([offer])))

    def _stamp(self, world: Backend) -> int:
        return round((world.time + self.config.dispatcher.tick) * 1e9)

    def see(self, world: Backend, passed: float) -> None:
        """Write clock, zones and poses as they are now, `passed` [s] after the last time."""
        now = self._stamp(world)
        self.writer.write(self._clock, now, messages.clock(now))
        zones = world.zones
        due = (zones != self.told) | (now * 1e-9 - self.told_at >= self.config.robot.heartbeat - 1e-6)
        for robot in np.flatnonzero(due).tolist():
            self.writer.write(self._zone[robot], now, messages.header(self.config.zones[zones[robot]], now))
        self.told[due], self.told_at[due] = zones[due], now * 1e-9
        if not self.poses:
            return
        poses = world.poses
        robots = self.turns.due(passed, world.time, poses)
        rows = zip(robots.tolist(), poses[robots].tolist(), world.velocities[robots].tolist(), strict=True)
        for robot, pose, velocity in rows:
            child = f"{self.config.robots[robot]}/base_link"
            self.writer.write(self._odom[robot], now, messages.odometry(child, pose, velocity, now))

    def tell(self, world: Backend, dispatcher: Dispatcher, heard: dict[str, int], moves: NDArray[np.int64]) -> None:
        """Write what a tick decided on the zones heard (all that were asked), and what the robots drew."""
        decision, config, now = dispatcher.last, self.config, self._stamp(world)
        assert decision is not None
        if not world.time:
            self.see(world, 1 / config.world.odom_rate)
        settings = config.dispatcher
        gather = Gather(list(heard), 0.0, settings.gather_timeout, settings.max_age, dispatcher.more)
        for name, zone in heard.items():
            gather.receive(name, zone, 0.0)
        stamp, priority = now * 1e-9, config.zones[decision.priority]
        report = tick_report(gather, decision, dispatcher, config.zones, stamp, 0.0, self.ledger, 0)
        said = messages.diagnostics("dispatcher", report.level, report.message, report.values(), now)
        acted = {
            "stamp": stamp,
            "priority": priority,
            "robots": list(config.robots),
            "zones": world.zones.tolist(),
            "moves": moves.tolist(),
        }
        text = f"{len(config.robots)} robots acted on priority {priority}"
        did = messages.diagnostics(f"robots {config.robots[0]}", "ok", text, acted, now)
        self.writer.write(self._priority, now, messages.header(priority, now))
        self.writer.write(self._diagnostics, now, said)
        self.writer.write(self._diagnostics, now, did)

    def advance(self, world: Backend, seconds: float) -> None:
        """Let the world advance, and write what it shows on the way."""
        left = seconds
        while left > 1e-9:
            step = min(self.quantum, left)
            world.advance(step)
            left -= step
            self.see(world, step)

    def close(self) -> None:
        """The bag is whole."""
        self.writer.close()
