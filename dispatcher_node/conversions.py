"""The dispatcher's messages: zone headers in, priority and diagnostics out."""

from __future__ import annotations

from typing import Any

from meanfleet.ros.conversions import diagnostics, to_seconds, zone_header

from .gather import OUT
from .report import TickReport


def zone_sample(message: Any, zones: dict[str, int]) -> tuple[int | None, float]:
    """Zone index (None: no known zone; OUT: out of service) and stamp [s] of a robot's std_msgs/Header."""
    return zones.get(message.frame_id) if message.frame_id else OUT, to_seconds(message.stamp)


def priority_message(zone_name: str, stamp: float) -> Any:
    """The priority as std_msgs/Header."""
    return zone_header(zone_name, stamp)


def report_message(report: TickReport) -> Any:
    """The tick as DiagnosticArray."""
    return diagnostics("dispatcher", report.level, report.message, report.values(), report.stamp)
