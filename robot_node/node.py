"""The robots as a ROS 2 node, one or many per process: `ros2 run meanfleet robot --ros-args -p config:=FILE …`.

Each robot reports its zone and, at every tick of the dispatcher, draws a move from its zone and the priority, and goes
to its slot of the zone that the move leads to. Without a priority for `robot.priority_timeout` it holds its zone, and
also while more than one node publishes the priority.

A managed node: inactive, it keeps track of positions but reports no zone and sends no goal, so the dispatcher polls
others instead. With several such processes on one domain give each a node name (`__node:=robots_07`).

Parameters, the one with * changing between two ticks:
    config (string): configuration (YAML).
    policy* (string): policy bundle (.npz); set it again to load a file that was replaced.
    n (int, 0): robots of the fleet; 0: as the configuration says.
    robots (string[], []): names of the robots of this process; empty: the whole fleet.
    seed (int, 0): every robot draws from its own stream of this seed.
    autostart (bool, true): configure and activate itself; false: wait for a lifecycle manager.

Subscribes: priority_zone (std_msgs/Header, latched), <robot>/odom or what robot.pose_topic, pose_type,
    pose_reliability and pose_durability say. A pose in a frame that the configuration does not know is refused. While
    a pose's publisher is there and silent, the pose stays true for robot.pose_hold.
Publishes: <robot>/zone (std_msgs/Header, latched, on change and as heartbeat), <robot>/goal_pose
    (geometry_msgs/PoseStamped, on change, and again every robot.goal_timeout until it is reached; with
    robot.cancel_on_stop a robot's own pose when the node stops while it drives), diagnostics
    (diagnostic_msgs/DiagnosticArray, every tick).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.duration import Duration
from std_msgs.msg import Header

from meanfleet.bundle import PolicyBundle
from meanfleet.errors import UserError, suggestion
from meanfleet.floor import floor_of
from meanfleet.ros.conversions import diagnostics, to_seconds, zone_header
from meanfleet.ros.managed.node import ManagedNode
from meanfleet.ros.node import DIAGNOSTICS, GOAL, LATCHED, Signals, run

from .conversions import POSE_TYPES, goal_message, planar_pose, pose_quality
from .frames import Frames
from .goals import Goals
from .parameters import PARAMETERS
from .team import Team

FLUSH = 0.02  # [s, wall] between two looks at new positions
LOOK = 0.1  # [s, wall] between two looks for a second dispatcher
ACKNOWLEDGED = 1.0  # [s, wall] for a robot to have its last goal before the publisher goes
CLASH_PERIOD = 1.0  # [s, wall] between two reports of one


class RobotNode(ManagedNode):
    """Thin: decisions are `Team`'s."""

    def __init__(self, stopped: Signals) -> None:
        super().__init__("robots", PARAMETERS, stopped)

    def build(self) -> None:
        """Configure: who they are, where their slots lie, all topics."""
        self.config = self.configuration()
        bundle = self.policies(self.config)
        floor = floor_of(self.config)
        self.names = self._own_robots()
        fleet = {name: i for i, name in enumerate(self.config.robots)}
        settings, self.frames = self.config.robot, Frames(self.config.frames)
        slots = floor.slots[[fleet[name] for name in self.names]]
        self.goals, self.sent_again = Goals(slots, settings.goal_timeout, settings.goal_tolerance), 0
        self.team = Team(self.names, floor.zone_map, bundle, self.get_parameter("seed").value, settings.heartbeat)
        self.zone_index = {name: i for i, name in enumerate(self.config.zones)}
        self.zone_publishers = [self.advertise(Header, f"{name}/zone", LATCHED) for name in self.names]
        self.goal_publishers = [self.advertise(PoseStamped, f"{name}/goal_pose", GOAL) for name in self.names]
        self.diagnostics = self.advertise(DiagnosticArray, "diagnostics", DIAGNOSTICS)
        self.heard: tuple[float, str] | None = None  # the latest priority: stamp and zone name
        self.acted, self.heard_at, self.holding = -1.0, 0.0, False
        self.flushed, self.reported = 0.0, 0
        self.looked, self.clash_told, self.clashes = 0.0, 0.0, 0
        self.sources, self.kept = [self.config.pose_source(name) for name in self.names], 0.0
        for index, source in enumerate(self.sources):
            kind = POSE_TYPES[source.type][0]
            self.follow(kind, source.topic, lambda message, i=index: self._see(i, message), pose_quality(source))
        self.follow(Header, "priority_zone", self._hear, LATCHED)

    def _own_robots(self) -> tuple[str, ...]:
        names = tuple(self.values()["robots"] or ())
        for name in names:
            if name not in self.config.robots:
                hint = suggestion(name, self.config.robots)
                raise UserError(f"parameter 'robots': {name!r} is not in the fleet of {self.config.source}{hint}")
        return names or self.config.robots

    def _see(self, index: int, message: Any) -> None:
        frame, pose, stamp = planar_pose(message, self.sources[index].type)
        placed = self.frames.to_map(frame, pose)
        if placed is None:
            self.team.refuse(index, frame)
        else:
            self.team.see(index, placed[0], placed[1], stamp, placed[2])

    def _hear(self, message: Any) -> None:
        self.heard = (to_seconds(message.stamp), message.frame_id)

    def prepare(self, values: Mapping[str, Any], changed: Iterable[str]) -> PolicyBundle:
        """A new bundle, loaded and checked whole."""
        return self.load_policies(values["policy"], self.config)

    def put(self, prepared: PolicyBundle) -> None:
        """Let the robots draw from the new policy."""
        self.team.follow(prepared)
        self.get_logger().info(f"robots act by policy {prepared.digest[:12]} from now on")

    def act(self) -> float:
        """Report zones, act on a new priority, hold when there is none."""
        now = time.monotonic()
        due = self.heard is not None and self.heard[0] != self.acted
        if due or now - self.flushed >= FLUSH:
            self._keep_poses()
            self._report_zones()
            self.flushed = now
        if self._torn(now):
            return FLUSH
        if due:
            self._obey()
        elif self.acted >= 0 and not self.holding:
            self._watch_timeout()
        self._send_again()
        return FLUSH

    def pause(self) -> None:
        """Deactivate: robots that drive are sent to where they are, if the configuration says so."""
        if not self.config.robot.cancel_on_stop:
            return
        self.goals.look(self.team.xy)
        driving = self.goals.drop()
        self.team.forget(driving)
        for robot in driving:
            (x, y), yaw = self.team.xy[robot].tolist(), float(self.team.yaw[robot])
            self.goal_publishers[robot].publish(goal_message(x, y, yaw, self.ros_time(), self.frames.map))
        # The publishers may go next, and with them what has not arrived.
        for robot in driving:
            self.goal_publishers[robot].wait_for_all_acked(Duration(seconds=ACKNOWLEDGED))

    def _keep_poses(self) -> None:
        """Twice a heartbeat, keep the poses of robots whose localisation lives and is silent."""
        now, settings = self.ros_time(), self.config.robot
        if settings.pose_hold and abs(now - self.kept) >= settings.heartbeat / 2:
            self.kept = now
            alive = [self.count_publishers(self.resolve_topic_name(source.topic)) > 0 for source in self.sources]
            self.team.keep(alive, now, settings.pose_hold)

    def _send_again(self) -> None:
        """Goals not reached in time: rejected, lost, or the robot is stuck."""
        if self.config.robot.goal_timeout is None:
            return
        self.goals.look(self.team.xy)
        overdue = self.goals.overdue(self.ros_time())
        self.sent_again += len(overdue)
        self._send(overdue, self.ros_time())

    def _report_zones(self) -> None:
        for robot, zone, stamp in self.team.reports():
            self.zone_publishers[robot].publish(zone_header(self.config.zones[zone], stamp))
            self.reported += 1

    def _torn(self, now: float) -> bool:
        """Whether several dispatchers publish the priority: robots then hold, and obey none until one is left."""
        if now - self.looked >= LOOK:
            self.looked = now
            self.clashes = max(self.count_publishers("priority_zone") - 1, 0)
        if not self.clashes:
            return False
        self.acted = self.heard[0] if self.heard is not None else self.acted
        if now - self.clash_told >= CLASH_PERIOD:
            self.clash_told = now
            text = f"{self.clashes + 1} dispatchers publish the priority: robots hold their zones until one is left"
            self._send(self.team.hold(), self.ros_time())
            self.get_logger().error(text, throttle_duration_sec=5.0)
            self._tell("error", text, {"holding": list(self.names), "clashes": self.clashes})
        return True

    def _obey(self) -> None:
        assert self.heard is not None
        stamp, name = self.heard
        self.acted, self.heard_at, self.holding = stamp, self.ros_time(), False
        priority = self.zone_index.get(name)
        if priority is None:
            self.get_logger().error(f"priority {name!r} is no zone of the configuration: ignored")
            return
        orders = self.team.act(priority)
        self._send(orders.changed, stamp)
        wrong = self.team.complaints(self.ros_time(), self.config.dispatcher.max_age)
        self._tell(
            "warn" if wrong else "ok",
            f"{len(orders.robots)} robots acted on priority {name}" + (f"; {wrong.text}" if wrong else ""),
            {
                "stamp": stamp,
                "priority": name,
                "robots": [self.names[i] for i in orders.robots],
                "zones": orders.zones,
                "moves": orders.moves,
                "goals_sent": len(orders.changed),
                "goals_sent_again": self.sent_again,
                "zone_messages": self.reported,
                "bad_poses": wrong.bad,
                "silent_poses": wrong.silent,
                "strange_frames": wrong.strange,
            },
        )

    def _watch_timeout(self) -> None:
        silent = self.ros_time() - self.heard_at
        if silent > self.config.robot.priority_timeout:
            self.holding = True
            text = f"no priority for {silent:.1f} s: robots hold their zones"
            self._send(self.team.hold(), self.ros_time())
            self.get_logger().warning(text)
            self._tell("warn", text, {"holding": list(self.names)})

    def _send(self, changed: list[tuple[int, int]], stamp: float) -> None:
        now = self.ros_time()
        for robot, zone in changed:
            x, y, yaw = self.goals.send(robot, zone, now)
            self.goal_publishers[robot].publish(goal_message(x, y, yaw, stamp, self.frames.map))

    def _tell(self, level: str, text: str, values: dict[str, Any]) -> None:
        self.diagnostics.publish(diagnostics(f"robots {self.names[0]}", level, text, values, self.ros_time()))


def main() -> None:
    """Entry point of `ros2 run meanfleet robot`."""
    sys.exit(run(RobotNode))


if __name__ == "__main__":
    main()
