"""The fleet's messages as CDR, without ROS: what a simulation in one process writes into a bag."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .definitions import typestore

HEADER, CLOCK = "std_msgs/msg/Header", "rosgraph_msgs/msg/Clock"
ODOMETRY, DIAGNOSTICS = "nav_msgs/msg/Odometry", "diagnostic_msgs/msg/DiagnosticArray"
LEVELS = {"ok": 0, "warn": 1, "error": 2}


def header(frame: str, nanoseconds: int) -> bytes:
    """A std_msgs/Header, such as a zone or a priority."""
    return _packed(_header(frame, nanoseconds), HEADER)


def clock(nanoseconds: int) -> bytes:
    """A rosgraph_msgs/Clock."""
    return _packed(_made(CLOCK, _time(nanoseconds)), CLOCK)


def odometry(child: str, pose: Sequence[float], velocity: Sequence[float], nanoseconds: int) -> bytes:
    """A nav_msgs/Odometry from pose (x, y, yaw) and velocity (vx, vy, yaw rate) in frame `map`, [m, rad, s].

    The twist is in the child's frame (REP 105), as the world node gives it.
    """
    (x, y, yaw), (vx, vy, rate) = pose, velocity
    cos, sin = math.cos(yaw), math.sin(yaw)
    turn = _made("geometry_msgs/msg/Quaternion", 0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2))
    linear = _made("geometry_msgs/msg/Vector3", cos * vx + sin * vy, cos * vy - sin * vx, 0.0)
    angular = _made("geometry_msgs/msg/Vector3", 0.0, 0.0, rate)
    here = _made("geometry_msgs/msg/Pose", _made("geometry_msgs/msg/Point", x, y, 0.0), turn)
    twist = _made("geometry_msgs/msg/Twist", linear, angular)
    message = _made(
        ODOMETRY,
        _header("map", nanoseconds),
        child,
        _made("geometry_msgs/msg/PoseWithCovariance", here, np.zeros(36)),
        _made("geometry_msgs/msg/TwistWithCovariance", twist, np.zeros(36)),
    )
    return _packed(message, ODOMETRY)


def diagnostics(name: str, level: str, text: str, values: Mapping[str, Any], nanoseconds: int) -> bytes:
    """One status of meanfleet's as a diagnostic_msgs/DiagnosticArray, every value JSON."""
    entries = [_made("diagnostic_msgs/msg/KeyValue", key, json.dumps(value)) for key, value in values.items()]
    status = _made("diagnostic_msgs/msg/DiagnosticStatus", LEVELS[level], name, text, "meanfleet", entries)
    return _packed(_made(DIAGNOSTICS, _header("", nanoseconds), [status]), DIAGNOSTICS)


def _made(msgtype: str, *fields: Any) -> Any:
    return typestore().types[msgtype](*fields)


def _header(frame: str, nanoseconds: int) -> Any:
    return _made(HEADER, _time(nanoseconds), frame)


def _time(nanoseconds: int) -> Any:
    return _made("builtin_interfaces/msg/Time", nanoseconds // 10**9, nanoseconds % 10**9)


def _packed(message: Any, msgtype: str) -> bytes:
    return bytes(typestore().serialize_cdr(message, msgtype))
