"""Stand-ins for robots with Nav2, each a process of its own: `python -m standin.robots FLEET.json`.

Every robot offers `<robot>/amcl_pose` (PoseWithCovarianceStamped, latched, when it has moved) or what its entry says,
and takes `<robot>/goal_pose`, or with a script the action `<robot>/navigate_to_pose`. It keeps a log,
<folder>/<robot>.jsonl, of goals taken and rejected, arrivals, and where it truly was. The last
process makes the clock. They share nothing but the import of ROS, before they part.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import rclpy
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from standin.platform import Flaws, Platform, Pose

from meanfleet.ros.transport import by_udp

PERIOD = 0.05  # [s, wall] of a robot's loop
CLOCK_PERIOD = 0.02  # [s, wall]
TRACKED_PERIOD = 1.0  # [s, ROS time] between poses from a tracker, which does not care whether a robot moves
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class RobotStandIn(Node):
    """One robot.

    Args:
        name: of the robot.
        entry: start [m, m, rad], speed [m/s], flaws, seed; `tracked`: origin of the tracker's frame in the map;
            `script`: what becomes of its first goals, which then come as an action; see `Navigation`.
        log: where it tells what happens.
    """

    def __init__(self, name: str, entry: dict[str, Any], log: Path) -> None:
        super().__init__(
            f"{name}_nav2", parameter_overrides=[Parameter("use_sim_time", value=True)], start_parameter_services=False
        )
        self.platform = Platform(
            tuple(entry["start"]), entry["speed"], Flaws(**entry["flaws"]), random.Random(entry["seed"])
        )
        self.log = open(log, "w", buffering=1)  # noqa: SIM115
        self.origin: Pose | None = tuple(entry["tracked"]) if entry.get("tracked") else None
        if self.origin is None:
            self.poses = self.create_publisher(PoseWithCovarianceStamped, f"{name}/amcl_pose", LATCHED)
        else:
            self.poses = self.create_publisher(PoseStamped, f"tracker/{name}/pose", qos_profile_sensor_data)
        self.navigation: Any = None
        if entry.get("script") is None:
            self.create_subscription(PoseStamped, f"{name}/goal_pose", self._command, 10)
        else:
            from standin.navigation import Navigation  # needs nav2_msgs

            self.navigation = Navigation(self, f"{name}/navigate_to_pose", self._command, self._tell, entry["script"])
        self.last, self.tracked_at = 0.0, -math.inf
        self.told: Pose | None = None

    def _now(self) -> float:
        return float(self.get_clock().now().nanoseconds) * 1e-9

    def _tell(self, what: str, **values: Any) -> None:
        self.log.write(json.dumps({"t": self._now(), "what": what, **values}) + "\n")

    def _command(self, message: PoseStamped, able: bool = True) -> bool:
        turn = message.pose.orientation
        goal = (message.pose.position.x, message.pose.position.y, 2 * math.atan2(turn.z, turn.w))
        taken = able and self.platform.command(goal)
        stamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
        frame = message.header.frame_id
        self._tell("goal", goal=goal, taken=taken, frame=frame, stamp=stamp, at=self.platform.pose)
        return taken

    def step(self) -> None:
        """Drive as long as time has passed, and say where it is if there is something to say."""
        if self.navigation is not None:
            self.navigation.work()
        now = self._now()
        if now == 0.0:
            return  # no clock yet
        if self.last and self.platform.drive(max(now - self.last, 0.0)):
            self._tell("arrived")
            if self.navigation is not None:
                self.navigation.arrive()
        self.last = now
        if self.platform.pose != self.told:
            self.told = self.platform.pose
            self._tell("pose", at=self.told)
        if self.origin is not None:
            if now - self.tracked_at >= TRACKED_PERIOD:
                self.tracked_at = now
                self._publish_tracked(self.origin)
        elif (seen := self.platform.localise()) is not None:
            message = PoseWithCovarianceStamped()
            self._publish(message, message.pose.pose, "map", seen)

    def _publish_tracked(self, origin: Pose) -> None:
        x, y = self.platform.pose[0] - origin[0], self.platform.pose[1] - origin[1]
        cos, sin = math.cos(origin[2]), math.sin(origin[2])
        message = PoseStamped()
        pose = (cos * x + sin * y, cos * y - sin * x, self.platform.pose[2] - origin[2])
        self._publish(message, message.pose, "tracker", pose)

    def _publish(self, message: Any, target: Any, frame: str, pose: Pose) -> None:
        message.header.frame_id, message.header.stamp = frame, self.get_clock().now().to_msg()
        target.position.x, target.position.y = pose[0], pose[1]
        target.orientation.z, target.orientation.w = math.sin(pose[2] / 2), math.cos(pose[2] / 2)
        self.poses.publish(message)


def run_robot(name: str, entry: dict[str, Any], log: Path) -> None:
    """Be one robot until a signal comes."""
    with by_udp():
        rclpy.init()
        node = RobotStandIn(name, entry, log)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    due = time.monotonic()
    while rclpy.ok():
        executor.spin_once(timeout_sec=max(due - time.monotonic(), 0.0))
        if time.monotonic() >= due:
            due = time.monotonic() + PERIOD
            node.step()


def run_clock(factor: float) -> None:
    """Be the clock: `factor` seconds per second of wall time, from 100 s on."""
    with by_udp():
        rclpy.init()
        node = Node("clock", start_parameter_services=False)
    publisher = node.create_publisher(Clock, "/clock", QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE))
    began = time.monotonic()
    while rclpy.ok():
        seconds = 100.0 + (time.monotonic() - began) * factor
        message = Clock()
        message.clock.sec, message.clock.nanosec = int(seconds), int(seconds % 1 * 1e9)
        publisher.publish(message)
        time.sleep(CLOCK_PERIOD)


def main(path: Path) -> None:
    """Part into processes and wait for their end."""
    fleet = json.loads(path.read_text())
    children = []
    tasks = [(run_robot, (name, entry, path.parent / f"{name}.jsonl")) for name, entry in fleet["robots"].items()]
    for task, arguments in [*tasks, (run_clock, (fleet["factor"],))]:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
            with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
                task(*arguments)  # type: ignore[operator]
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
