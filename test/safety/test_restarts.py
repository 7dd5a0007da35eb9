"""Emergency stops of real processes that are killed and started again: nobody gets a goal before the release."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from faults.fleet import Fleet
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from std_msgs.msg import Bool
from std_srvs.srv import SetBool

from meanfleet.robot_node.halt import STRAY
from meanfleet.ros.node import LATCHED

KEEPING = QoSProfile(depth=500, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE)
PARTS = ("dispatcher", "robots_a", "robots_b")
ROUNDS = 12  # of a stop, up to three kills and restarts, and its release: 30 events and more


class Stopped:
    """A fleet of one dispatcher and two robot nodes, and what its robots are sent."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.robots = {"robots_a": fleet.names[:6], "robots_b": fleet.names[6:]}
        self.goals = {name: fleet.listener.hear(PoseStamped, f"{name}/goal_pose", KEEPING) for name in fleet.names}
        self.poses = {
            name: fleet.listener.hear(Odometry, f"{name}/odom", qos_profile_sensor_data) for name in fleet.names
        }
        self._read: dict[str, int] = {}
        self.said = self.events = 0

    def start(self, part: str) -> None:
        self.events += 1
        if part == "dispatcher":
            self.fleet.start_dispatcher(rule="random", startup_timeout=5.0)
        else:
            self.fleet.start_robots(part, self.robots[part])

    def kill(self, part: str) -> None:
        self.events += 1
        self.fleet.kill(part)

    def forget(self, part: str) -> None:
        """The node's disk is lost."""
        for path in (self.fleet.processes.folder / "state").rglob(f"{part}.json"):
            path.unlink()

    def panel(self, qos: Any = LATCHED) -> Callable[[bool], None]:
        """A panel of its own; None leaves the graph."""
        node = self.fleet.listener.node
        publisher = node.create_publisher(Bool, "estop", qos)

        def say(pressed: bool | None) -> None:
            if pressed is None:
                node.destroy_publisher(publisher)
            else:
                publisher.publish(Bool(data=pressed))

        return say

    def button(self, part: str, pressed: bool) -> Any:
        """The answer; asked again, as people do, since DDS may take a killed node's service for that of the new one."""
        self.events += pressed
        for _ in range(10):
            with suppress(AssertionError):
                return self.fleet.listener.call(SetBool, f"{part}/estop", seconds=5.0, data=pressed)
        raise AssertionError(f"no answer of {part}\n{self.fleet.logs()}")

    def release(self, first: str) -> None:
        """Call one node's button, then the others', until each says that nothing stops it."""
        for part in sorted(PARTS, key=lambda part: part != first):
            self.fleet.await_(lambda p=part: self.button(p, False).success, f"{part} released")

    def mark(self) -> None:
        """What arrives from now on is looked at; where robots are is known a little longer."""
        for poses in self.poses.values():
            del poses[:-5]
        for _ in range(6):
            self.fleet.listener.spin()
        self._read = {name: len(messages) for name, messages in self.goals.items()}
        self.said = len(self.fleet.statuses("robots"))

    def check(self, names: Any) -> None:
        """Since the mark each of these was told to stay where it was, if anything."""
        for name in names:
            path = [(p.pose.pose.position.x, p.pose.pose.position.y) for p in self.poses[name]]
            for goal in self.goals[name][self._read[name] :]:
                at = (goal.pose.position.x, goal.pose.position.y)
                assert min(math.dist(at, one) for one in path) < STRAY, f"{name} was sent to {at}, and came by {path}"
        statuses = self.fleet.statuses("robots")
        assert not [values["stamp"] for _, values in statuses[self.said :] if {*values.get("robots", ())} & {*names}]

    def await_stopped(self, part: str) -> None:
        """A status of a stop since now."""
        first = f"robots {self.robots[part][0]}"
        before = len(self.fleet.statuses(first))
        self.fleet.await_(
            lambda: any(values.get("stopped") for _, values in self.fleet.statuses(first)[before:]), f"{part} stopped"
        )


def test_no_order_of_presses_kills_and_restarts_lets_a_robot_go_before_the_release(guarded: Fleet) -> None:
    stopped, draw = Stopped(guarded), random.Random(7)
    guarded.start_world(factor=8.0)
    for part in PARTS:
        stopped.start(part)
    guarded.await_ticks(1, lambda tick: tick["complete"])
    other = stopped.panel()
    for _ in range(ROUNDS):
        source = draw.choice([*PARTS, "panel"])
        halted = [stopped.robots[source]] if source.startswith("robots") else list(stopped.robots.values())
        names = [name for some in halted for name in some]
        panel: Any = None
        if source == "panel":
            stopped.events += 1
            panel = stopped.panel()
            panel(True)
            stopped.await_stopped("robots_a")
        else:
            assert stopped.button(source, True).success
        down = draw.sample(PARTS, draw.randint(1, 3))
        for part in down:
            stopped.kill(part)
        stopped.mark()
        left = panel is not None and draw.random() < 0.6
        if left:
            panel(None)
        if len(down) < len(PARTS):
            stopped.forget(draw.choice(down))
        for part in draw.sample(down, len(down)):
            stopped.start(part)
        for part in stopped.robots:
            if stopped.robots[part] in halted:
                stopped.await_stopped(part)
        guarded.await_ticks(1)
        stopped.check(names)
        if panel is None:
            stopped.release(source)
        else:
            (other if left else panel)(False)
            stopped.release("robots_a")
    assert stopped.events >= 30
