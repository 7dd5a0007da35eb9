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


def stop_message(message: Any, kind: str, stamp: float, frame: str = "map") -> Any:
    """The goal to stay where a pose message of a type in `POSE_TYPES` says, as geometry_msgs/PoseStamped.

    A heading that is none, as some drivers send it, becomes yaw 0: Nav2 refuses goals without one.
    """
    pose = POSE_TYPES[kind][1](message)
    goal = PoseStamped(header=Header(frame_id=frame, stamp=to_stamp(stamp)))
    goal.pose.position.x, goal.pose.position.y = pose.position.x, pose.position.y
    turn = pose.orientation
    norm = math.hypot(turn.x, turn.y, turn.z, turn.w)
    if math.isfinite(norm) and norm > 0.5:
        goal.pose.orientation = turn
    return goal


def goal_message(x: float, y: float, yaw: float, stamp: float, frame: str = "map") -> Any:
    """A pose in the plane [m, m, rad] as geometry_msgs/PoseStamped."""
    message = PoseStamped(header=Header(frame_id=frame, stamp=to_stamp(stamp)))
    message.pose.position.x, message.pose.position.y = x, y
    message.pose.orientation.z, message.pose.orientation.w = math.sin(yaw / 2), math.cos(yaw / 2)
    return message
