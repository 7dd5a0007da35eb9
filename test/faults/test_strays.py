"""Somebody who publishes the priority once and leaves, as `ros2 topic pub --once` does, beside a dispatcher or none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from faults.fleet import Fleet
from rclpy.duration import Duration
from std_msgs.msg import Header

from meanfleet.ros.conversions import zone_header
from meanfleet.ros.node import LATCHED

ODD = 1e6  # [s] stamps of strays begin here
VISITS = 6


def visit(fleet: Fleet, readers: int, number: int) -> None:
    """Publish once and leave within some 20 ms, as soon as all who read the priority are discovered."""
    node = fleet.listener.node
    publisher = node.create_publisher(Header, "priority_zone", LATCHED)
    fleet.await_(lambda: publisher.get_subscription_count() >= readers, "readers of the priority", lambda: None)
    publisher.publish(zone_header(fleet.config.zones[number % len(fleet.config.zones)], ODD + number))
    publisher.wait_for_all_acked(Duration(seconds=0.02))
    node.destroy_publisher(publisher)


def noticed(fleet: Fleet, count: int) -> Callable[[], bool]:
    return lambda: max((values.get("strays", 0) for _, values in fleet.statuses("robots")), default=0) >= count


def test_a_publisher_that_publishes_once_and_leaves_moves_nobody(fleet: Fleet) -> None:
    fleet.start_world()
    fleet.start_robots("robots", fleet.names)
    # They wait for nothing else any more.
    fleet.await_(
        lambda: "still waiting for a priority" in fleet.processes.output(fleet.parts["robots"]), "robots to be ready"
    )
    for number in range(VISITS):
        visit(fleet, 2, number)  # robots and world
        fleet.await_(noticed(fleet, number + 1), f"robots to notice stray {number}")
    fleet.start_dispatcher()
    fleet.await_ticks(2, lambda tick: tick["complete"])
    for number in range(VISITS, 2 * VISITS):
        visit(fleet, 3, number)
        fleet.await_(noticed(fleet, number + 1), f"robots to notice stray {number}")
    count = len(fleet.statuses("robots"))
    last = fleet.await_ticks(3, lambda tick: tick["strays"] >= VISITS)[-1]
    acts = [values for _, values in fleet.statuses("robots") if "moves" in values]
    assert [act for act in acts if act["stamp"] >= ODD] == [], "robots obeyed a stray"
    fleet.await_(
        lambda: any(values.get("stamp") == last["stamp"] for _, values in fleet.statuses("robots")[count:]),
        "robots to go on with the dispatcher",
    )
    said = fleet.processes.output(fleet.parts["robots"])
    assert f"somebody came to publish /priority_zone and left: robots did not obey ({2 * VISITS} so far)" in said
