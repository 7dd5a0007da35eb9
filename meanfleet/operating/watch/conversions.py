"""Diagnostics as statuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from meanfleet.ros.conversions import LEVELS

from .statuses import Level, Status

_NAMES: dict[bytes, Level] = {LEVELS["ok"]: "ok", LEVELS["warn"]: "warn"}


def statuses(message: Any) -> Iterator[Status]:
    """meanfleet's own statuses in a diagnostic_msgs/DiagnosticArray; values that are no JSON are left out."""
    for status in message.status:
        if status.hardware_id != "meanfleet":
            continue
        values = {}
        for item in status.values:
            try:
                values[item.key] = json.loads(item.value)
            except ValueError:
                continue
        yield Status(status.name, _NAMES.get(status.level, "error"), status.message, values)
