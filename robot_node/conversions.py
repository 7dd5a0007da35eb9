"""The robots' messages: poses and priority in, zone, goal and diagnostics out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from std_msgs.msg import Header

from meanfleet.ros.conversions import to_seconds, to_stamp

POSE_TYPES: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "Odometry": (Odometry, lambda message: message.pose.pose),
    "PoseWithCovarianceStamped": (PoseWithCovarianceStamped, lambda message: message.pose.pose),
    "PoseStamped": (PoseStamped, lambda message: message.pose),
}


def position(message: Any, kind: str) -> tuple[float, float, float]:
    """x, y [m] and stamp [s] of a pose message of a type in `POSE_TYPES`."""
    point = POSE_TYPES[kind][1](message).position
    return point.x, point.y, to_seconds(message.header.stamp)


def goal_message(x: float, y: float, yaw: float, stamp: float, frame: str = "map") -> Any:
    """A pose in the plane [m, m, rad] as geometry_msgs/PoseStamped."""
    message = PoseStamped(header=Header(frame_id=frame, stamp=to_stamp(stamp)))
    message.pose.position.x, message.pose.position.y = x, y
    message.pose.orientation.z, message.pose.orientation.w = math.sin(yaw / 2), math.cos(yaw / 2)
    return message
