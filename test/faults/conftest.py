"""A fleet of processes per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import Listener, Processes


@pytest.fixture
def fleet(processes: Processes, demo_path: Path, demo_policy: Path) -> Iterator[Any]:
    """A `faults.fleet.Fleet` of which nothing is started yet."""
    pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")
    from faults.fleet import Fleet

    listener = Listener(processes.domain)
    yield Fleet(processes, listener, demo_path, demo_policy)
    listener.close()
