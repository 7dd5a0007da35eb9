"""Stamps, zone headers and diagnostics: ROS messages to plain values and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

LEVELS = {"ok": DiagnosticStatus.OK, "warn": DiagnosticStatus.WARN, "error": DiagnosticStatus.ERROR}


def to_seconds(stamp: Any) -> float:
    """A builtin_interfaces/Time in seconds."""
    return float(stamp.sec) + float(stamp.nanosec) * 1e-9


def to_stamp(seconds: float) -> Any:
    """Seconds as a builtin_interfaces/Time; times before zero become zero."""
    nanoseconds = max(round(seconds * 1e9), 0)
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


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


def read_diagnostics(message: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """(name, message, values) of meanfleet's own statuses in a DiagnosticArray; others are passed over."""
    found = []
    for status in message.status:
        if status.hardware_id == "meanfleet":
            found.append((status.name, status.message, {item.key: json.loads(item.value) for item in status.values}))
    return found
