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
from meanfleet.sim.bags.writing import BagWriter, Topic, entries, require_free
from meanfleet.sim.odometry import Turns

FOREVER = 2**63 - 1  # [ns] as rosbag2 writes a duration that was not set
VOLATILE = {"history": "keep_last", "depth": 10, "reliability": "reliable", "durability": "volatile"}
SENSOR = {"history": "keep_last", "depth": 5, "reliability": "best_effort", "durability": "volatile"}


class _Topics:
    """The bag on disk, with its topics' channels; those of robots in the order of the fleet."""

    def __init__(self, folder: Path, config: Config, poses: bool) -> None:
        self.writer = BagWriter(folder)
        self.zone = [self._topic(f"/{name}/zone", messages.HEADER, LATCHED) for name in config.robots]
        self.odom = [self._topic(f"/{name}/odom", messages.ODOMETRY, SENSOR) for name in config.robots if poses]
        self.priority = self._topic("/priority_zone", messages.HEADER, LATCHED)
        self.diagnostics = self._topic("/diagnostics", messages.DIAGNOSTICS, VOLATILE)
        self.clock = self._topic("/clock", messages.CLOCK, SENSOR)

    def _topic(self, name: str, msgtype: str, offered: dict[str, Any]) -> int:
        offer = Offer(**offered, deadline=FOREVER, lifespan=FOREVER, liveliness="automatic", lease=FOREVER)
        return self.writer.add_topic(Topic(name, msgtype, "", entries([offer])))


class RunBag:
    """A bag that a run writes, from its first tick on: a run that is refused leaves nothing.

    Args:
        folder: of the bag; must not exist, or be empty.
        config: of the run.
        poses: also write odometry, at the configuration's rate.

    Raises:
        UserError: the folder is taken; later, as `BagWriter`.
    """

    def __init__(self, folder: Path, config: Config, poses: bool = True) -> None:
        require_free(folder)
        self.folder, self.config, self.poses = folder, config, poses
        self._bag: _Topics | None = None
        settings = config.world
        self.quantum = max(round(1 / settings.odom_rate / settings.step), 1) * settings.step
        self.turns = Turns(len(config.robots), settings.odom_rate, config.robot.heartbeat / 2)
        self.ledger = Ledger()
        self.told: NDArray[np.int64] = np.full(len(config.robots), -1, dtype=np.int64)
        self.told_at: NDArray[np.float64] = np.full(len(config.robots), -np.inf)

    @property
    def _topics(self) -> _Topics:
        if self._bag is None:
            self._bag = _Topics(self.folder, self.config, self.poses)
        return self._bag

    def _stamp(self, world: Backend) -> int:
        return round((world.time + self.config.dispatcher.tick) * 1e9)

    def see(self, world: Backend, passed: float) -> None:
        """Write clock, zones and poses as they are now, `passed` [s] after the last time."""
        now, topics = self._stamp(world), self._topics
        topics.writer.write(topics.clock, now, messages.clock(now))
        zones = world.zones
        due = (zones != self.told) | (now * 1e-9 - self.told_at >= self.config.robot.heartbeat - 1e-6)
        for robot in np.flatnonzero(due).tolist():
            topics.writer.write(topics.zone[robot], now, messages.header(self.config.zones[zones[robot]], now))
        self.told[due], self.told_at[due] = zones[due], now * 1e-9
        if not self.poses:
            return
        poses = world.poses
        robots = self.turns.due(passed, world.time, poses)
        rows = zip(robots.tolist(), poses[robots].tolist(), world.velocities[robots].tolist(), strict=True)
        for robot, pose, velocity in rows:
            child = f"{self.config.robots[robot]}/base_link"
            topics.writer.write(topics.odom[robot], now, messages.odometry(child, pose, velocity, now))

    def tell(self, world: Backend, dispatcher: Dispatcher, heard: dict[str, int], moves: NDArray[np.int64]) -> None:
        """Write what a tick decided on the zones heard (all that were asked), and what the robots drew."""
        decision, config, now, topics = dispatcher.last, self.config, self._stamp(world), self._topics
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
        topics.writer.write(topics.priority, now, messages.header(priority, now))
        topics.writer.write(topics.diagnostics, now, said)
        topics.writer.write(topics.diagnostics, now, did)

    def advance(self, world: Backend, seconds: float) -> None:
        """Let the world advance, and write what it shows on the way."""
        left = seconds
        while left > 1e-9:
            step = min(self.quantum, left)
            world.advance(step)
            left -= step
            self.see(world, step)

    def close(self) -> None:
        """The bag is whole, if there is one."""
        if self._bag is not None:
            self._bag.writer.close()
