"""The world's messages: clock, odometry and markers out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from geometry_msgs.msg import Point
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rosgraph_msgs.msg import Clock
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from meanfleet.ros.conversions import to_stamp

VARIANCE = 1e-6  # [m², rad²] a millimetre: poses are exact, and to readers a covariance of zeros says unknown
COLOURS = ((0.12, 0.47, 0.71), (1.0, 0.5, 0.05), (0.17, 0.63, 0.17), (0.58, 0.4, 0.74), (0.55, 0.34, 0.29))


def clock_message(seconds: float) -> Any:
    """Simulated time as rosgraph_msgs/Clock."""
    return Clock(clock=to_stamp(seconds))


class OdometryWriter:
    """One nav_msgs/Odometry filled anew for every robot: `publish` copies it, so it need not be made again."""

    def __init__(self, names: Sequence[str]) -> None:
        self._frames = [f"{name}/base_link" for name in names]
        self._message = Odometry(header=Header(frame_id="map"))
        for told in (self._message.pose, self._message.twist):
            told.covariance = [VARIANCE if row == column else 0.0 for row in range(6) for column in range(6)]
        self._position, self._turn = self._message.pose.pose.position, self._message.pose.pose.orientation
        self._linear, self._angular = self._message.twist.twist.linear, self._message.twist.twist.angular

    def write(self, robot: int, pose: Sequence[float], velocity: Sequence[float], stamp: Any) -> Any:
        """Pose (x, y, yaw) and velocity (vx, vy, yaw rate) in frame `map`; what is returned holds until the next call.

        The frame is `map` and no drifting `odom` (REP 105): these poses do not drift, so the transform between the two
        would be the identity for ever, and its type, tf2_msgs/TFMessage, is in no wheel.
        The twist is given in the child frame `<robot>/base_link`, as REP 105 and the message's definition ask.
        """
        x, y, yaw = pose
        vx, vy, rate = velocity
        cos, sin = math.cos(yaw), math.sin(yaw)
        self._message.header.stamp, self._message.child_frame_id = stamp, self._frames[robot]
        self._position.x, self._position.y = x, y
        self._turn.z, self._turn.w = math.sin(yaw / 2), math.cos(yaw / 2)
        self._linear.x, self._linear.y = cos * vx + sin * vy, cos * vy - sin * vx
        self._angular.z = rate
        return self._message


def fleet_markers(
    pads: Sequence[NDArray[np.float64]],
    poses: NDArray[np.float64],
    zones: NDArray[np.int64],
    radius: float,
    priority: int | None,
    stamp: Any,
) -> Any:
    """Pads as outlines (thick for the priority zone) and robots as discs coloured by zone, in frame `map`."""
    header = Header(frame_id="map", stamp=stamp)
    markers = []
    for zone, pad in enumerate(pads):
        outline = Marker(header=header, ns="pads", id=zone, type=Marker.LINE_STRIP, action=Marker.ADD)
        outline.pose.orientation.w = 1.0
        outline.scale.x = 0.3 if zone == priority else 0.08
        outline.color = _colour(zone)
        outline.points = [Point(x=x, y=y) for x, y in [*pad.tolist(), pad[0].tolist()]]
        markers.append(outline)
    robots = Marker(header=header, ns="robots", id=0, type=Marker.SPHERE_LIST, action=Marker.ADD)
    robots.pose.orientation.w = 1.0
    robots.scale.x = robots.scale.y = robots.scale.z = 2 * radius
    robots.points = [Point(x=x, y=y, z=radius) for x, y, _ in poses.tolist()]
    robots.colors = [_colour(zone) for zone in zones.tolist()]
    return MarkerArray(markers=[*markers, robots])


def _colour(zone: int) -> Any:
    red, green, blue = COLOURS[zone % len(COLOURS)]
    return ColorRGBA(r=red, g=green, b=blue, a=1.0)
