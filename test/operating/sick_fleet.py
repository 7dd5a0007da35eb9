"""A small fleet of bare publishers over real DDS, each robot healthy or with one illness; stamps are wall time."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from typing import Any

from nav_msgs.msg import Odometry
from processes import Listener
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from std_msgs.msg import Header, String

from meanfleet.ros.conversions import to_stamp, zone_header
from meanfleet.ros.node import LATCHED

VOLATILE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE)


def printed_object(text: str) -> dict[str, Any]:
    """The JSON object in a command's output; Fast DDS writes complaints of its own around it."""
    match = re.search(r"^\{", text, re.MULTILINE)
    assert match, text
    value: dict[str, Any] = json.JSONDecoder().raw_decode(text[match.start() :])[0]
    return value


class SickFleet:
    """Publishers of the test's own, told again and again by `say`.

    Args:
        domain: ROS domain of the test.
        robots: names of those that are there.
        volatile, mistyped: of them, those that publish their zone so.
        offsets: [s] how far a robot's clock is ahead.
        dispatchers: how many publish the priority.
    """

    def __init__(
        self,
        domain: int,
        robots: Sequence[str],
        volatile: Sequence[str] = (),
        mistyped: Sequence[str] = (),
        offsets: dict[str, float] | None = None,
        dispatchers: int = 1,
    ) -> None:
        self.listener = Listener(domain)
        self.offsets = offsets or {}
        node = self.listener.node
        self.zones: dict[str, Any] = {}
        self.poses: dict[str, Any] = {}
        for name in robots:
            kind = String if name in mistyped else Header
            qos = VOLATILE if name in volatile else LATCHED
            self.zones[name] = node.create_publisher(kind, f"{name}/zone", qos)
            self.poses[name] = node.create_publisher(Odometry, f"{name}/odom", qos_profile_sensor_data)
        self.priorities = [node.create_publisher(Header, "priority_zone", LATCHED) for _ in range(dispatchers)]
        self.mistyped, self.said = set(mistyped), 0.0

    def say(self) -> None:
        """Everybody's present zone, pose and priority, ten times a second at most."""
        now = time.time()
        if now - self.said < 0.1:
            self.listener.spin()
            return
        self.said = now
        for name, publisher in self.zones.items():
            stamp = now + self.offsets.get(name, 0.0)
            self.poses[name].publish(Odometry(header=Header(stamp=to_stamp(stamp))))
            publisher.publish(String(data="storage") if name in self.mistyped else zone_header("storage", stamp))
        for publisher in self.priorities:
            publisher.publish(zone_header("packing", now))

    def close(self) -> None:
        """Leave the domain."""
        self.listener.close()
