"""Stamps, zone headers and diagnostics: ROS messages to plain values and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

LAST = 2**31 * 10**9 - 1  # [ns] the last time that a stamp can hold
LEVELS = {"ok": DiagnosticStatus.OK, "warn": DiagnosticStatus.WARN, "error": DiagnosticStatus.ERROR}


def to_seconds(stamp: Any) -> float:
    """A builtin_interfaces/Time in seconds."""
    return float(stamp.sec) + float(stamp.nanosec) * 1e-9


def to_stamp(seconds: float) -> Any:
    """Seconds as a builtin_interfaces/Time; times before zero become zero, those after its last (in 2038) that."""
    nanoseconds = min(max(round(seconds * 1e9), 0), LAST)
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def sound_clock(message: Any) -> Any:
    """A rosgraph_msgs/Clock that rclpy can keep.

    Raises:
        ValueError: its time lies before zero, or has a second or more in nanoseconds.
    """
    sec, nanosec = message.clock.sec, message.clock.nanosec
    if sec < 0 or nanosec >= 10**9:
        raise ValueError(f"sec {sec}, nanosec {nanosec} is no time: expected 0 or more, and less than 1e9")
    return message


def zone_header(zone_name: str, seconds: float) -> Any:
    """A zone as std_msgs/Header: its name in `frame_id`, when it was true in `stamp`."""
    return Header(frame_id=zone_name, stamp=to_stamp(seconds))


def diagnostics(name: str, level: str, message: str, values: Mapping[str, Any], seconds: float) -> Any:
    """One status as a DiagnosticArray; every value is JSON, so that it can be read back exactly."""
    status = DiagnosticStatus(
        level=LEVELS[level],
        name=name,
        message=message,
        hardware_id="meanfleet",
        values=[KeyValue(key=key, value=json.dumps(value)) for key, value in values.items()],
    )
    return DiagnosticArray(header=Header(stamp=to_stamp(seconds)), status=[status])


def read_values(status: Any) -> dict[str, Any]:
    """Values of a DiagnosticStatus; what is no JSON, or nested beyond reading, is left out."""
    values = {}
    for item in status.values:
        with suppress(ValueError, RecursionError):
            values[item.key] = json.loads(item.value)
    return values


def read_diagnostics(message: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """(name, message, values) of meanfleet's own statuses in a DiagnosticArray; others are passed over."""
    own = [status for status in message.status if status.hardware_id == "meanfleet"]
    return [(status.name, status.message, read_values(status)) for status in own]
