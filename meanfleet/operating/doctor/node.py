"""The doctor as a ROS 2 node: looks at the graph and listens to stamps for a while; publishes nothing.

Subscribes, for as long as it looks: clock (rosgraph_msgs/Clock), priority_zone and <robot>/zone (std_msgs/Header), the
robots' poses (nav_msgs/Odometry, geometry_msgs/PoseWithCovarianceStamped or PoseStamped); of at most `LISTENED` robots.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.utilities import get_rmw_implementation_identifier
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Header

from meanfleet.robot_node.conversions import POSE_TYPES as POSE_MESSAGES
from meanfleet.ros.conversions import to_seconds
from meanfleet.ros.node import DISCOVERY_SECONDS, LATCHED, Signals, WorkingNode, run

from ..security import DOCTOR
from .expected import POSE_TYPES, Expected, Topic
from .settings import gather_settings
from .snapshot import Durability, Endpoint, Heard, Reliability, Snapshot

LISTENED = 100  # robots whose stamps are listened to at most
LOOK = 0.5  # [s, wall] between two looks at the graph
WAIT = 0.05  # [s, wall]
SETTLED = 1.5  # [s, wall] without a new publisher before the end
LONGEST = 15.0  # [s, wall] to wait for that beyond the time asked for
DOUBT = 6.0  # [s, wall] to look at least before anybody is called missing: busy computers are found late

RELIABILITY: dict[Any, Reliability] = {
    ReliabilityPolicy.RELIABLE: "reliable",
    ReliabilityPolicy.BEST_EFFORT: "best effort",
}
DURABILITY: dict[Any, Durability] = {
    DurabilityPolicy.TRANSIENT_LOCAL: "transient local",
    DurabilityPolicy.VOLATILE: "volatile",
}
MESSAGES = {full: short for short, full in POSE_TYPES.items()}
ANY = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT, durability=DurabilityPolicy.VOLATILE)

Describe = Callable[[Iterable[Endpoint]], Expected]
Progress = Callable[[float, int], None]
Place = tuple[float, float] | None  # [m, m]


class DoctorNode(WorkingNode):
    """Thin: what it collects is a `Snapshot`, what that means is `examine`'s.

    Args:
        describe: the fleet, from the publishers seen.
        seconds: how long to look [s, wall]; longer while new publishers keep appearing.
        progress: called with the seconds gone and the number of publishers seen.
    """

    def __init__(self, describe: Describe, seconds: float, progress: Progress) -> None:
        super().__init__("meanfleet_doctor")
        self.describe, self.seconds, self.progress = describe, seconds, progress
        self.heard: list[tuple[str, float, float, float | None, str, Place]] = []
        self.clock: list[tuple[float, float]] = []
        self.writers: tuple[Endpoint, ...] = ()
        self.readers: tuple[Endpoint, ...] = ()
        self.listening: dict[str, str] = {}  # topics subscribed to, each with its robot
        self.complete = False  # whether everybody who should be there was seen
        self.looked = self.grown = self.born
        self.listen(Clock, "/clock", self._hear_clock, qos_profile_sensor_data)

    def _hear_clock(self, message: Any) -> None:
        self.clock.append((time.monotonic(), to_seconds(message.clock)))

    def _hear(self, topic: str, header: Any, xy: Place = None) -> None:
        simulated = self.clock[-1][1] if self.clock else None
        self.heard.append((topic, to_seconds(header.stamp), time.time(), simulated, header.frame_id, xy))

    def _see(self, topic: str, kind: str, message: Any) -> None:
        position = POSE_MESSAGES[kind][1](message).position
        self._hear(topic, message.header, (position.x, position.y))

    def work(self) -> float:
        """Look at the graph now and then; end when the time is up."""
        now = time.monotonic()
        if now - self.looked >= LOOK:
            self.looked = now
            self._look(now)
            gone = now - self.born
            self.progress(gone, len(self.writers))
            settled = now - self.grown >= SETTLED and (self.complete or gone >= DOUBT)
            if gone >= self.seconds and (settled or gone >= self.seconds + LONGEST):
                raise SystemExit(0)
        return WAIT

    def _look(self, now: float) -> None:
        before = len(self.writers)
        names = [name for name, _ in self.get_topic_names_and_types()]
        zones = self._endpoints(name for name in names if name.endswith("/zone"))
        fleet = self.describe(zones)
        topics = {topic.name: topic for topic in fleet.topics()}
        self.writers = zones + self._endpoints(n for n in names if n in topics and not n.endswith("/zone"))
        self.readers = self._endpoints((name for name in names if name in topics), readers=True)
        published = {endpoint.topic for endpoint in self.writers}
        zones_there = all(name in published for name, topic in topics.items() if topic.kind == "zone")
        self.complete = zones_there and any(
            topic.kind in ("priority", "shadow") for name, topic in topics.items() if name in published
        )
        if len(self.writers) != before:
            self.grown = now
        if now - self.born >= DISCOVERY_SECONDS:
            self._listen_to(fleet, topics)

    def _endpoints(self, names: Iterable[str], readers: bool = False) -> tuple[Endpoint, ...]:
        look = self.get_subscriptions_info_by_topic if readers else self.get_publishers_info_by_topic
        own = _full(self.get_namespace(), self.get_name())
        found = (_endpoint(name, info) for name in names for info in look(name))
        return tuple(endpoint for endpoint in found if endpoint.node != own)

    def _listen_to(self, fleet: Expected, topics: dict[str, Topic]) -> None:
        chosen = {"", *spread(fleet.robots, LISTENED)}
        offers: dict[str, list[Endpoint]] = {}
        for endpoint in self.writers:
            topic = topics.get(endpoint.topic)
            if topic is not None and topic.type == endpoint.type and topic.robot in chosen:
                offers.setdefault(topic.name, []).append(endpoint)
        for name in offers.keys() - self.listening.keys():
            kind = topics[name].kind
            if kind in ("zone", "priority"):
                self._open(Header, topics[name], offers[name], partial(self._hear, name))
            elif kind == "pose":
                short = MESSAGES[topics[name].type]
                self._open(POSE_MESSAGES[short][0], topics[name], offers[name], partial(self._see, name, short))

    def _open(self, kind: Any, topic: Topic, offers: list[Endpoint], store: Callable[[Any], None]) -> None:
        """Ask for the latched message where all publishers keep one, for new messages of anybody else."""
        latched = all((one.reliability, one.durability) == ("reliable", "transient local") for one in offers)
        self.listening[topic.name] = topic.robot
        # A function of its own: rclpy asks how many arguments a callback takes.
        self.listen(kind, topic.name, lambda message: store(message), LATCHED if latched else ANY)

    def snapshot(self) -> Snapshot:
        """Everything seen so far."""
        simulated = any(endpoint.topic == "/clock" for endpoint in self.writers)
        heard = [
            Heard(topic, stamp, clock if simulated and clock is not None else wall, frame, xy)
            for topic, stamp, wall, clock, frame, xy in self.heard
            if clock is not None or not simulated
        ]
        own = (self.get_namespace(), self.get_name())
        nodes = {
            _full(space, name)
            for name, space in self.get_node_names_and_namespaces()
            if not name.startswith("_") and (space, name) != own
        }
        return Snapshot(
            nodes=tuple(sorted(nodes)),
            publishers=self.writers,
            subscriptions=self.readers,
            heard=tuple(heard),
            clock=tuple(self.clock),
            seconds=time.monotonic() - self.born,
            listened=tuple(sorted(set(self.listening.values()) - {""})),
            settings=replace(gather_settings(), rmw=get_rmw_implementation_identifier()),
        )


def _full(namespace: str, name: str) -> str:
    return f"{namespace.rstrip('/')}/{name}"


def _endpoint(topic: str, info: Any) -> Endpoint:
    profile = info.qos_profile
    return Endpoint(
        topic,
        info.topic_type,
        _full(info.node_namespace, info.node_name),
        RELIABILITY.get(profile.reliability, "unknown"),
        DURABILITY.get(profile.durability, "unknown"),
    )


def spread(names: tuple[str, ...], most: int) -> tuple[str, ...]:
    """At most so many of the names, evenly spread."""
    if len(names) <= most:
        return names
    return tuple(names[i * len(names) // most] for i in range(most))


def look(describe: Describe, seconds: float, namespace: str, progress: Progress) -> tuple[Snapshot | None, int]:
    """Join the domain and look around; returns what was seen (None if that failed or was interrupted), and a code."""
    seen: list[Snapshot] = []

    class Looking(DoctorNode):
        def finish(self) -> None:
            if not stopped[0]():
                seen.append(self.snapshot())

    stopped: list[Signals] = []

    def make(signals: Signals) -> DoctorNode:
        stopped.append(signals)
        return Looking(describe, seconds, progress)

    code = run(make, ["--ros-args", "-r", f"__ns:={namespace or '/'}", "--enclave", DOCTOR])
    return (seen[0] if seen else None), code
