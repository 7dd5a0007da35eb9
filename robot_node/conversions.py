"""The robots' messages: poses and priority in, zone, goal and diagnostics out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from std_msgs.msg import Header

from meanfleet.config.robot import PoseSource
from meanfleet.ros.conversions import to_seconds, to_stamp

POSE_TYPES: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "Odometry": (Odometry, lambda message: message.pose.pose),
    "PoseWithCovarianceStamped": (PoseWithCovarianceStamped, lambda message: message.pose.pose),
    "PoseStamped": (PoseStamped, lambda message: message.pose),
}
RELIABILITY = {"reliable": ReliabilityPolicy.RELIABLE, "best_effort": ReliabilityPolicy.BEST_EFFORT}


def planar_pose(message: Any, kind: str) -> tuple[str, tuple[float, float, float], float]:
    """Frame, (x [m], y [m], yaw [rad]) and stamp [s] of a pose message of a type in `POSE_TYPES`."""
    pose = POSE_TYPES[kind][1](message)
    turn = pose.orientation
    # Yaw of a quaternion in general (REP 103: about z, counter-clockwise); of none, as some drivers send it, 0.
    yaw = math.atan2(2 * (turn.w * turn.z + turn.x * turn.y), 1 - 2 * (turn.y * turn.y + turn.z * turn.z))
    yaw = yaw if math.isfinite(yaw) else 0.0
    return message.header.frame_id, (pose.position.x, pose.position.y, yaw), to_seconds(message.header.stamp)


def pose_quality(source: PoseSource) -> QoSProfile:
    """Quality of service of the subscription to a robot's pose."""
    latched = source.durability == "transient_local"
    return QoSProfile(
        depth=1 if latched else qos_profile_sensor_data.depth,
        reliability=RELIABILITY[source.reliability],
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def goal_message(x: float, y: float, yaw: float, stamp: float, frame: str = "map") -> Any:
    """A pose in the plane [m, m, rad] as geometry_msgs/PoseStamped."""
    message = PoseStamped(header=Header(frame_id=frame, stamp=to_stamp(stamp)))
    message.pose.position.x, message.pose.position.y = x, y
    message.pose.orientation.z, message.pose.orientation.w = math.sin(yaw / 2), math.cos(yaw / 2)
    return message
