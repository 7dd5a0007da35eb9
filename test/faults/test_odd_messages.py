"""Whatever anybody publishes on a topic that nodes read: they drop it, count it, say so once, and go on."""

from __future__ import annotations

import math
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from faults.fleet import LIMIT, Fleet
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.duration import Duration
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Header

from meanfleet.ros.node import DIAGNOSTICS, GOAL, LATCHED

TIMES = (Time(sec=-5), Time(sec=2**31 - 1, nanosec=2**32 - 1), Time(sec=-(2**31)), Time(sec=2**31 - 1))
CLOCKS = TIMES[:3]  # what rclpy cannot keep, or nobody could stamp with
NAMES = ("", "x" * 100_000, "storage\x1b[2J", "[/x]")
NUMBERS = (math.nan, math.inf, 1e308, -1e308)
VALUES = (
    {"tick": "no JSON"},
    {"tick": "[" * 100_000},
    {"gather_seconds": "0.1", "moves": "[]"},
    {"tick": "1", "k": "NaN", "answered": "[]", "gather_seconds": "0.1", "stamp": "Infinity"},
    {"moves": "[1]", "stamp": "{}", "robots": "7", "zones": "null"},
    {"holding": "[[[]]]"},
)


def odd_statuses() -> list[Any]:
    return [
        DiagnosticStatus(
            hardware_id="meanfleet",
            name=name,
            message="[/x]\x1b[2J",
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        for name in ("dispatcher", "robots robot_00", "world", "dispatcher clock", "")
        for values in VALUES
    ]


def odd_odometry() -> list[Any]:
    found = []
    for stamp, number in zip(TIMES, NUMBERS, strict=True):
        message = Odometry(header=Header(stamp=stamp))
        message.pose.pose.position.x = number
        message.pose.pose.orientation.y = message.pose.pose.orientation.z = number
        found.append(message)
    standing = Odometry(header=Header(stamp=TIMES[1]))
    standing.pose.pose.orientation.y = 1e200
    return [*found, standing]


def odd_goals() -> list[Any]:
    found = [PoseStamped(header=Header(stamp=stamp, frame_id=name)) for stamp, name in zip(TIMES, NAMES, strict=True)]
    for message, number in zip(found, NUMBERS, strict=True):
        message.pose.position.y = number
    return found


def test_every_node_and_view_survives_what_anybody_publishes(fleet: Fleet, tmp_path: Any) -> None:
    fleet.start()
    fleet.start_monitor(out=str(tmp_path / "run"))
    fleet.parts["watch"] = fleet.processes.module("meanfleet", "watch")
    fleet.parts["recorder"] = fleet.processes.module("meanfleet", "record", str(tmp_path / "bag"))
    fleet.await_ticks(2, lambda tick: tick["complete"])
    fleet.await_(lambda: (tmp_path / "run" / "run.jsonl").stat().st_size, "the monitor's first line")
    doctor = fleet.processes.module("meanfleet", "doctor", str(fleet.path), "--seconds", "15")
    fleet.await_(lambda: "answered" in fleet.processes.output(fleet.parts["watch"]), "the watch's first line")
    headers = [Header(stamp=stamp, frame_id=name) for stamp in TIMES for name in NAMES]
    victim, node = fleet.names[0], fleet.listener.node
    clock = node.create_publisher(Clock, "/clock", qos_profile_sensor_data)

    def refused_by(part: str) -> bool:
        for time in CLOCKS:
            clock.publish(Clock(clock=time))
        return "a message on /clock is dropped: " in fleet.processes.output(fleet.parts[part])

    for part in ("dispatcher", "robots"):  # best effort reaches those alone that are connected by now
        fleet.await_(lambda part=part: refused_by(part), f"{part} that refuse a clock")
    harm = [
        (DiagnosticArray, "diagnostics", DIAGNOSTICS, [DiagnosticArray(status=[one]) for one in odd_statuses()]),
        (DiagnosticArray, "estop_state", LATCHED, [DiagnosticArray(status=odd_statuses())]),
        (Odometry, f"{victim}/odom", qos_profile_sensor_data, odd_odometry()),
        (PoseStamped, f"{victim}/goal_pose", GOAL, odd_goals()),
        (Header, f"{victim}/zone", LATCHED, headers),
        (Header, "priority_zone", LATCHED, headers),
    ]
    for kind, topic, quality, messages in harm:
        publisher = node.create_publisher(kind, topic, quality)
        readers = node.count_subscribers(topic)
        fleet.await_(lambda p=publisher, n=readers: p.get_subscription_count() >= n, f"readers of {topic}")
        for message in messages:
            publisher.publish(message)
            fleet.listener.spin()
        if quality is not qos_profile_sensor_data:
            assert publisher.wait_for_all_acked(Duration(seconds=LIMIT)), f"{topic} did not reach its readers"
        node.destroy_publisher(publisher)
    last = max(tick["stamp"] for tick in fleet.ticks if isinstance(tick.get("stamp"), float) and tick["stamp"] < 1e9)
    fleet.await_(
        lambda: sum(tick.get("complete") is True and last < tick["stamp"] < 1e9 for tick in fleet.ticks) >= 3,
        "ticks that go on",
    )
    for part, process in fleet.parts.items():
        assert process.poll() is None, f"{part} ended: {fleet.processes.output(process)[-2000:]}"
        assert "Traceback" not in fleet.processes.output(process), part
    for part in ("dispatcher", "robots"):
        said = fleet.processes.output(fleet.parts[part])
        assert 1 <= said.count("a message on /clock is dropped: ") < 10, part  # the first, the tenth, the hundredth, …
    assert "is not one of this version of meanfleet and is left out (10 so far)" in fleet.processes.output(
        fleet.parts["monitor"]
    )
    fleet.await_(lambda: doctor.poll() is not None, "the doctor's findings")
    assert doctor.returncode in (0, 1)
    assert "Traceback" not in fleet.processes.output(doctor)
    watched = fleet.processes.output(fleet.parts["watch"])
    assert "statuses could not be read: is another version of meanfleet running?" in watched
    assert "\x1b" not in watched
