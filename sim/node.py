"""The simulated warehouse as a ROS 2 node: `ros2 run meanfleet world --ros-args -p config:=FILE`.

Parameters:
    config (string): configuration (YAML).
    n (int, 0): robots; 0: as the configuration says.
    backend (string, ""): bullet, kinematic or model (on a line bullet or model); empty: as the configuration says.
    real_time_factor (double, -1): simulated per wall seconds; 0: as fast as possible; -1: as the configuration says.
    gui (bool, false): open PyBullet's window.
    seed (int, 0): where robots start, the jumps of the model backend, the noise on a line.

Subscribes: <robot>/goal_pose (geometry_msgs/PoseStamped), priority_zone (std_msgs/Header).
Publishes: clock (rosgraph_msgs/Clock), <robot>/odom (nav_msgs/Odometry; of robots that stand every half
    `robot.heartbeat`), fleet_markers (visualization_msgs/MarkerArray, latched), diagnostics
    (diagnostic_msgs/DiagnosticArray, once per wall second).
"""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from meanfleet.base.errors import UserError
from meanfleet.floors.floor import floor_of
from meanfleet.floors.priorities import priorities_of
from meanfleet.ros.conversions import diagnostics, to_stamp
from meanfleet.ros.exclusive import SolePublisher
from meanfleet.ros.node import DIAGNOSTICS, GOAL, LATCHED, Signals, WorkingNode, run

from .conversions import OdometryWriter, clock_message, fleet_markers
from .odometry import Turns
from .world import world_of

MARKER_PERIOD = 0.5  # [s, wall]
STATUS_PERIOD = 1.0  # [s, wall]
DEBT = 0.25  # [s, wall] the simulation may lag its factor before the lag is forgiven
LONGEST = 80  # characters of an unknown name that are repeated
CLOCK_QOS = qos_profile_sensor_data


class WorldNode(WorkingNode):
    """Thin: bodies are the backend's."""

    def __init__(self, stopped: Signals) -> None:
        super().__init__("world")
        self.config = self.configuration()
        settings = self.config.world
        factor = float(self.parameter("real_time_factor", -1.0))
        if factor < 0 and factor != -1.0:
            raise UserError(f"parameter 'real_time_factor' of world is {factor}: expected 0 or more")
        self.factor = settings.real_time_factor if factor == -1.0 else factor
        seed, backend, gui = self.parameter("seed", 0), self.parameter("backend", ""), self.parameter("gui", False)
        names = self.config.robots
        self.pads = floor_of(self.config).pads
        self.world = world_of(self.config, seed, backend or None, gui)
        self.clock = SolePublisher(self, Clock, "/clock", CLOCK_QOS, "another simulation or bag", stopped)
        self.clock.take()
        self.odom_publishers = [
            self.create_publisher(Odometry, f"{name}/odom", qos_profile_sensor_data) for name in names
        ]
        self.markers = self.create_publisher(MarkerArray, "fleet_markers", LATCHED)
        self.diagnostics = self.create_publisher(DiagnosticArray, "diagnostics", DIAGNOSTICS)
        self.goals: deque[tuple[int, float, float]] = deque()
        self.priority: int | None = None
        self.priorities = priorities_of(self.config)
        for index, name in enumerate(names):
            self.listen(PoseStamped, f"{name}/goal_pose", lambda message, i=index: self._store_goal(i, message), GOAL)
        self.listen(Header, "priority_zone", self._hear, LATCHED)
        self.quantum = max(round(1 / settings.clock_rate / settings.step), 1) * settings.step
        self.began = self.status_at = self.marked_at = time.monotonic()
        self.schedule = self.began
        self.odometry = OdometryWriter(names)
        # Robot nodes renew a zone's stamp by odometry: it gets at most half a heartbeat and one turn older by this.
        self.turns = Turns(len(names), settings.odom_rate, self.config.robot.heartbeat / 2)
        self.status_time = 0.0

    def _store_goal(self, robot: int, message: Any) -> None:
        self.goals.append((robot, message.pose.position.x, message.pose.position.y))

    def _hear(self, message: Any) -> None:
        if not message.frame_id:  # an emergency stop: what was told last stays
            return
        priority = self.priorities.read(message.frame_id)
        if priority is None:
            kind = self.priorities.kind
            self.get_logger().error(
                f"priority {message.frame_id[:LONGEST]!r} is no {kind} of the configuration: ignored"
            )
            return
        self.priority = self.priorities.zone(priority)
        self.world.hear(self.priority)

    def work(self) -> float:
        """Advance by one clock period when it is due."""
        now = time.monotonic()
        if self.factor > 0:
            if now < self.schedule:
                return self.schedule - now
            self.schedule = max(self.schedule + self.quantum / self.factor, now - DEBT)
        self.clock.give_way()
        self._drive()
        self.world.advance(self.quantum)
        self.clock.publish(clock_message(self.world.time))
        self._publish_odometry()
        if now - self.marked_at >= MARKER_PERIOD and self.markers.get_subscription_count() > 0:
            self.marked_at = now
            self._publish_markers()
        if now - self.status_at >= STATUS_PERIOD:
            self._publish_status(now)
        return 0.0

    def _drive(self) -> None:
        """Send the goals that came in since the last step; only the latest of a robot counts."""
        if not self.goals:
            return
        latest = {robot: (x, y) for robot, x, y in self.goals}
        self.goals.clear()
        robots = np.fromiter(latest, dtype=np.int64)
        known = self.world.send_to(robots, np.array(list(latest.values())))
        for robot in robots[~known].tolist():
            self.get_logger().warning(f"goal of {self.config.robots[robot]} lies on no pad: ignored")

    def _publish_odometry(self) -> None:
        poses = self.world.poses
        robots = self.turns.due(self.quantum, self.world.time, poses)
        if not len(robots):
            return
        stamp = to_stamp(self.world.time)
        rows = zip(robots.tolist(), poses[robots].tolist(), self.world.velocities[robots].tolist(), strict=True)
        for robot, pose, velocity in rows:
            self.odom_publishers[robot].publish(self.odometry.write(robot, pose, velocity, stamp))

    def _publish_markers(self) -> None:
        radius = self.config.world.layout.robot_radius
        stamp = to_stamp(self.world.time)
        message = fleet_markers(self.pads, self.world.poses, self.world.zones, radius, self.priority, stamp)
        self.markers.publish(message)

    def _publish_status(self, now: float) -> None:
        factor = (self.world.time - self.status_time) / (now - self.status_at)
        self.status_at, self.status_time = now, self.world.time
        clashes = max(self.count_publishers("priority_zone") - 1, 0)
        values = {
            "time": self.world.time,
            "wall": now - self.began,
            "real_time_factor": factor,
            "statistics": self.world.statistics(),
            "clashes": clashes,
        }
        text = f"{self.world.time:.1f} s simulated, {factor:.2f} x real time"
        if clashes:
            text += f"; {clashes + 1} dispatchers publish the priority"
        level = "error" if clashes else "ok"
        self.diagnostics.publish(diagnostics("world", level, text, values, self.world.time))

    def finish(self) -> None:
        """Close the world's window and connection."""
        if hasattr(self, "world"):
            self.world.close()


def main() -> None:
    """Entry point of `ros2 run meanfleet world`."""
    sys.exit(run(WorldNode))


if __name__ == "__main__":
    main()
