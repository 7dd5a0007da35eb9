"""The recorder as a ROS 2 node: `ros2 run meanfleet recorder --ros-args -p out:=FOLDER`, or `meanfleet record FOLDER`.

Messages are taken as they come over the wire and written to MCAP; twice a second everything is brought to the disk, so
that a killed recorder loses less than a second. SIGINT and SIGTERM close the bag.

Parameters:
    out (string): folder of the bag; must not exist, or be empty.
    topics (string, ""): patterns with commas between them, as in a shell; empty: what a fleet's replay needs.
    all (bool, false): every topic.
    duration (double, 0): [s, wall] until the recording ends; 0: until interrupted.

Subscribes: the chosen topics as they appear, with what their publishers offer; the bag's metadata keeps that.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from meanfleet.base.errors import UserError
from meanfleet.ros.node import Signals, WorkingNode, run

from ..bags.qos import Offer, Request, request
from ..bags.writing import BagWriter, Topic, entries, now
from .choice import is_chosen, patterns

SCAN = 0.1  # [s, wall] between two looks at the graph
FLUSH = 0.5  # [s, wall] between two times everything is brought to the disk
WAIT = 0.02  # [s, wall]
DEPTH = 1000  # messages that may wait for the recorder
OWN = ("/rosout", "/parameter_events")  # also of this very node: only by name


@dataclass
class _Recorded:
    channel: int
    publishers: int
    request: Request
    subscription: Any


class RecorderNode(WorkingNode):
    """Thin: the bag is `BagWriter`'s, the choice of topics `choice`'s."""

    def __init__(self, stopped: Signals) -> None:
        super().__init__("recorder")
        out = self.parameter("out", "")
        if not out:
            raise UserError("recorder needs the parameter 'out': the folder of the bag")
        self.wanted = patterns(self.parameter("topics", ""), self.parameter("all", False))
        self.duration = float(self.parameter("duration", 0.0))
        self.bag = BagWriter(Path(out), os.environ.get("ROS_DISTRO", ""))
        self.recorded: dict[str, _Recorded] = {}
        self.refused: set[str] = set()
        self.waiting: list[tuple[int, int, bytes]] = []
        self.began = self.scanned = self.flushed = self.shown = self.looked = time.monotonic()
        self.scanned -= SCAN
        self.lag = 0.0  # [s, wall] longest pause between two looks at what has come, since the last line
        self.code = 0

    def work(self) -> float:
        """Write what has come, look for topics, bring everything to the disk, show a line."""
        at = time.monotonic()
        self.lag, self.looked = max(self.lag, at - self.looked), at
        self._write()
        if at - self.scanned >= SCAN:
            self._scan()
            self.scanned = at
        if at - self.flushed >= FLUSH:
            self.bag.flush()
            self.flushed = at
        if at - self.shown >= (1.0 if sys.stdout.isatty() else 10.0):
            self._show(at)
        if self.duration and at - self.began >= self.duration:
            raise SystemExit(0)
        return WAIT

    def _write(self) -> None:
        waiting, self.waiting = self.waiting, []
        for channel, received, payload in waiting:
            self.bag.write(channel, received, payload)

    def _scan(self) -> None:
        """Subscribe to topics that have appeared, and again where publishers offer something else by now."""
        for topic, types in self.get_topic_names_and_types():
            chosen = is_chosen(topic, self.wanted) and (topic not in OWN or topic in self.wanted)
            if not chosen or topic in self.refused:
                continue
            known = self.recorded.get(topic)
            publishers = self.count_publishers(topic)
            if publishers and (known is None or known.publishers != publishers):
                self._record(topic, types[0], known)

    def _record(self, topic: str, msgtype: str, known: _Recorded | None) -> None:
        information = self.get_publishers_info_by_topic(topic)
        offers = [offer_of(entry.qos_profile) for entry in information]
        if not offers:
            return  # gone again
        asked = request(offers)
        if known is not None:
            self.bag.reoffer(known.channel, entries(offers))
            known.publishers = len(offers)
            if known.request != asked:
                self.destroy_subscription(known.subscription)
                known.subscription, known.request = self._subscribe(topic, msgtype, known.channel, asked), asked
            return
        if message_class(msgtype) is None:
            self.refused.add(topic)
            self.get_logger().warning(f"{topic} is not recorded: its type {msgtype} is not installed here")
            return
        described = str(getattr(information[0], "topic_type_hash", ""))
        channel = self.bag.add_topic(Topic(topic, msgtype, described, entries(offers)))
        self.recorded[topic] = _Recorded(channel, len(offers), asked, self._subscribe(topic, msgtype, channel, asked))

    def _subscribe(self, topic: str, msgtype: str, channel: int, asked: Request) -> Any:
        profile = QoSProfile(
            depth=DEPTH,
            history=HistoryPolicy.KEEP_LAST,
            reliability=ReliabilityPolicy.RELIABLE if asked.reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if asked.latched else DurabilityPolicy.VOLATILE,
        )
        return self.create_subscription(
            message_class(msgtype), topic, self.guarded(self._storing(channel)), profile, raw=True
        )

    def _storing(self, channel: int) -> Callable[[bytes], None]:
        def store(payload: bytes) -> None:
            self.waiting.append((channel, now(), bytes(payload)))

        return store

    def _show(self, at: float) -> None:
        bag = self.bag
        line = (
            f"recording {len(self.recorded)} topics, {bag.messages} messages, {bag.bytes / 1e6:.1f} MB; "
            f"{len(self.waiting)} waiting, longest pause {1e3 * self.lag:.0f} ms"
        )
        print(f"\r\033[K{line}" if sys.stdout.isatty() else line, end="" if sys.stdout.isatty() else "\n", flush=True)
        self.shown, self.lag = at, 0.0

    def finish(self) -> None:
        """Close the bag; `code` says whether it is whole."""
        if not hasattr(self, "bag") or self.bag.closed:
            return
        try:
            self._write()
            self.bag.close()
        except UserError as error:
            print(f"recorder: {error}", file=sys.stderr, flush=True)
            self.code = UserError.exit_code
            return
        print(
            f"recorded {self.bag.messages} messages on {len(self.recorded)} topics into {self.bag.folder}", flush=True
        )


def message_class(msgtype: str) -> Any:
    """The Python class of a type such as std_msgs/msg/Header, or None if it is not installed."""
    package, kind, name = [*msgtype.split("/"), "", ""][:3]
    try:
        return getattr(import_module(f"{package}.{kind}"), name, None)
    except ImportError:
        return None


def offer_of(profile: Any) -> Offer:
    """A publisher's rclpy profile by rosbag2's names."""
    return Offer(
        history=profile.history.name.lower(),
        depth=profile.depth,
        reliability=profile.reliability.name.lower(),
        durability=profile.durability.name.lower(),
        deadline=profile.deadline.nanoseconds,
        lifespan=profile.lifespan.nanoseconds,
        liveliness=profile.liveliness.name.lower(),
        lease=profile.liveliness_lease_duration.nanoseconds,
        avoid_ros_namespace_conventions=profile.avoid_ros_namespace_conventions,
    )


def main() -> None:
    """Entry point of `ros2 run meanfleet recorder`."""
    made: list[RecorderNode] = []

    def make(stopped: Signals) -> RecorderNode:
        made.append(RecorderNode(stopped))
        return made[0]

    code = run(make)
    sys.exit(code or (made[0].code if made else 0))


if __name__ == "__main__":
    main()
