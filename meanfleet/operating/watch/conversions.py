"""Diagnostics as statuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from meanfleet.ros.conversions import LEVELS, read_values

from .statuses import Level, Status, printable

_NAMES: dict[bytes, Level] = {LEVELS["ok"]: "ok", LEVELS["warn"]: "warn"}


def statuses(message: Any) -> Iterator[Status]:
    """meanfleet's own statuses in a diagnostic_msgs/DiagnosticArray; values that are no JSON are left out."""
    for status in message.status:
        if status.hardware_id == "meanfleet":
            level = _NAMES.get(status.level, "error")
            yield Status(printable(status.name), level, printable(status.message), read_values(status))
