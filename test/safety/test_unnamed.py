"""A stop line where rclpy gives no publisher beside a message, as its releases before 2025: real topics, bare infos."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

import rclpy
from processes import Processes, by_udp, wait_for
from std_msgs.msg import Bool

from meanfleet.ros.estop import StopLine
from meanfleet.ros.managed import ManagedNode
from meanfleet.ros.node import LATCHED
from meanfleet.ros.publishers import UNKNOWN, publisher_of

LIMIT = 20.0


class Bare(StopLine):
    """Of an rclpy that gives times alone beside a message."""

    def _taken(self, kind: Any, *subscriptions: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
        for message, info in super()._taken(kind, *subscriptions):
            yield message, {"source_timestamp": info["source_timestamp"]}


class Idle(ManagedNode):
    """Keeps nothing on disk."""

    def __init__(self) -> None:
        super().__init__("idle", (), lambda: False)  # type: ignore[arg-type]


@pytest.fixture
def node(processes: Processes) -> Iterator[Idle]:
    with by_udp():
        rclpy.init(domain_id=processes.domain)
        made = Idle()
    yield made
    made.release()
    made.destroy_node()
    rclpy.try_shutdown()


@pytest.fixture
def panels(node: Idle) -> Iterator[list[Any]]:
    others = [rclpy.create_node(f"panel_{i}") for i in range(2)]
    yield [other.create_publisher(Bool, "estop", LATCHED) for other in others]
    for other in others:
        other.destroy_node()


def test_the_only_publisher_is_who_published() -> None:
    named = {"publisher_gid": {"data": [1, 2]}}
    assert publisher_of(named, [b"other"]) == bytes([1, 2])
    assert publisher_of({}, [b"other"]) == b"other"
    assert publisher_of({}, [b"one", b"another"]) == UNKNOWN
    assert publisher_of({}, []) == UNKNOWN


def test_panels_that_cannot_be_known_apart_stop_and_the_button_releases(node: Idle, panels: list[Any]) -> None:
    """With two of them a `false` may be of who never pressed; with one it is known whose it is."""
    line = Bare(node, fleet=True)
    wait_for(lambda: node.count_publishers("estop") == 2, LIMIT, "both panels")

    def until(stopped: bool) -> None:
        wait_for(lambda: line.look() or line.stop.stopped == stopped, LIMIT, f"stopped: {stopped}")

    def look_on(seconds: float) -> None:
        end = time.monotonic() + seconds
        wait_for(lambda: line.look() or time.monotonic() > end, LIMIT, "what was published to be taken in")

    panels[0].publish(Bool(data=True))
    until(True)
    assert "call the dispatcher's estop" in line.stop.by
    panels[1].publish(Bool(data=False))
    look_on(1.0)
    assert line.stop.stopped, "a panel's word does not overrule another's"
    line.press(False)
    assert not line.stop.stopped
    panels[0].publish(Bool(data=True))
    until(True)
