"""A fleet whose configuration has rules of safety."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import Listener, Processes

SAFETY = "safety: {min_hold: 20.0, battery_low: 0.2, battery_topic: battery}\nworld:"


@pytest.fixture
def guarded(processes: Processes, demo_path: Path, demo_policy: Path) -> Iterator[Any]:
    """A `faults.fleet.Fleet` of which nothing is started yet."""
    pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")
    from faults.fleet import Fleet

    lines = demo_path.read_text().split("\nsafety:")
    path = demo_path.with_name("guarded.yaml")
    path.write_text(lines[0] + "\n" + SAFETY + lines[1].partition("\nworld:")[2])
    listener = Listener(processes.domain)
    yield Fleet(processes, listener, path, demo_policy)
    listener.close()
