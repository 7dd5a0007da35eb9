"""The emergency stop in a ROS node.

Topic `estop` (std_msgs/Bool): panels, whatever quality of service they offer. Service `~/estop` (std_srvs/SetBool): the
node's button. Topic `estop_state` (diagnostic_msgs/DiagnosticArray, latched): what each node knows of all sources, one
status each, for people, and for nodes that start.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool, Header
from std_srvs.srv import SetBool

from meanfleet.safety.stop import BUTTON, PANEL, Stop, Word

from .conversions import to_stamp
from .managed import ManagedNode
from .node import DISCOVERY_SECONDS, LATCHED, LEASE_SECONDS
from .publishers import UNKNOWN, publisher_of

ESTOP, STATE = "estop", "estop_state"
DEPTH = 100  # a reader's depth counts over all publishers: with 1, one's latched word would push out another's
MOST_NODES = 2000  # that publish what they know
FRESH = 5.0  # [s] old at most is a word of now
LOOK = 0.1  # [s, wall] between two looks at the graph
# A latched panel's last word reaches who starts; a reader that asks for so much does not match a default publisher, and
# one that asks for reliability none of best effort.
PANELS = tuple(
    QoSProfile(depth=DEPTH, reliability=reliability, durability=durability)
    for reliability, durability in (
        (ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL),
        (ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE),
        (ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE),
    )
)
NODES = QoSProfile(
    depth=MOST_NODES, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


class StopLine:
    """Keeps a `Stop` up to date, on disk and among nodes, for as long as the node lives; call `look` again and again.

    Args:
        node: to publish, receive and serve; its operator state holds what is known.
        fleet: the node's button stops everybody.
    """

    def __init__(self, node: ManagedNode, fleet: bool = False) -> None:
        self._node = node
        self.stop = Stop(node.get_fully_qualified_name(), fleet, node.operator.stops)
        self._informed, self._began = False, time.time()
        self._received: set[bytes] = set()  # publishers of `estop_state`
        self.odd = 0  # statuses on `estop_state` that no node of this kind wrote
        self._looked = 0.0
        self._names: dict[bytes, str] = {}  # node of every panel in the graph, by its publisher
        self._panels = [node.poll(Bool, ESTOP, quality) for quality in PANELS]
        self._nodes = node.poll(DiagnosticArray, STATE, NODES)
        self._publisher = node.create_publisher(DiagnosticArray, STATE, LATCHED)
        self._publish()
        if self.stop.stopped:
            node.get_logger().warning(f"emergency stop kept in {node.operator.path}: {self.stop.by}")

    def serve(self) -> None:
        """Offer the button, from `build` to `release`."""
        self._node.serve(SetBool, "~/estop", self._press)

    @property
    def listening(self) -> bool:
        """Whether the node is so new that what others know may still be on its way."""
        if self._informed:
            return False
        age = time.monotonic() - self._node.born
        missing = self._publishers() - self._received
        self._informed = age > LEASE_SECONDS or (age > DISCOVERY_SECONDS and not missing)
        return not self._informed

    def press(self, pressed: bool) -> None:
        """The node's button; that of the fleet also releases who has left."""
        self._see(time.monotonic())
        self.stop.press(pressed)
        if self.stop.fleet and not pressed:
            self.stop.clear(buttons=True)
        self._keep()

    def look(self) -> None:
        """Take in what has arrived, and who has come and gone."""
        now = time.monotonic()
        changed = False
        if now - self._looked >= LOOK and (self.stop.words or not self._informed):
            self._looked = now
            changed = self._see(now)
        for message, info in self._taken(Bool, *self._panels):
            changed = self._receive(message.data, info, now) or changed
        for message, info in self._taken(DiagnosticArray, self._nodes):
            self._received.add(publisher_of(info, self._publishers()))
            words, odd = read_state(message)
            self.odd += odd
            changed = self.stop.join(words) or changed
        if changed:
            self._keep()

    def _see(self, now: float) -> bool:
        node = self._node
        panels = node.get_publishers_info_by_topic(node.resolve_topic_name(ESTOP))
        self._names = {bytes(one.endpoint_gid): _full_name(one) for one in panels}
        present = {f"{PANEL}:{gid.hex()}" for gid in self._names}
        present |= {f"{BUTTON}:{space.rstrip('/')}/{name}" for name, space in node.get_node_names_and_namespaces()}
        for gid, name in self._names.items():
            self.stop.call(gid.hex(), name)
        return self.stop.see(present, now)

    def _receive(self, pressed: bool, info: dict[str, Any], now: float) -> bool:
        changed = self._see(now)  # who has left is judged by now, not by a tenth of a second ago
        publisher = publisher_of(info, self._names)
        number = info.get("publication_sequence_number", time.time_ns())
        if publisher == UNKNOWN:
            if not pressed:
                return changed  # it may be of a panel that never pressed
            number = time.time_ns()  # numbers of publishers that are not known apart do not compare
        published = info["source_timestamp"] * 1e-9  # [s, system time]
        # By the panel's clock: one that is off cannot act for others, and can for itself.
        fresh = published > self._began and abs(time.time() - published) < FRESH
        name = self._names.get(publisher, "")
        return self.stop.receive(publisher.hex(), pressed, number, name, now, fresh) or changed

    def _publishers(self) -> set[bytes]:
        node = self._node
        own = (node.get_name(), node.get_namespace())
        found = node.get_publishers_info_by_topic(node.resolve_topic_name(STATE))
        return {bytes(one.endpoint_gid) for one in found if (one.node_name, one.node_namespace) != own}

    def _taken(self, kind: Any, *subscriptions: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
        for subscription in subscriptions:
            while (taken := subscription.handle.take_message(kind, False)) is not None:
                yield taken

    def _press(self, request: Any) -> tuple[bool, str]:
        """Answered once it is on disk: a node that is killed now, and starts again, knows it."""
        self.press(request.data)
        kept = f"; {self._node.operator.wrong}" if self._node.operator.wrong else ""
        if request.data:
            return True, f"{'everybody' if self.stop.fleet else 'robots of this node'} stopped{kept}"
        if self.stop.stopped:
            return False, f"still stopped by {self.stop.by}{kept}"
        return True, f"released{kept}"

    def _keep(self) -> None:
        operator = self._node.operator
        operator.stops = self.stop.words
        operator.write()
        if operator.wrong:
            self._node.get_logger().error(operator.wrong, throttle_duration_sec=5.0)
        self._publish()

    def _publish(self) -> None:
        self._publisher.publish(write_state(self.stop, self._node.ros_time()))


def _full_name(publisher: Any) -> str:
    """Of its node; empty while that is not known yet."""
    if "UNKNOWN" in publisher.node_name:
        return ""
    return f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}"


def write_state(stop: Stop, seconds: float) -> Any:
    """What a node knows, one status for each source."""
    statuses = [
        DiagnosticStatus(
            level=DiagnosticStatus.ERROR if word.stops else DiagnosticStatus.OK,
            name=f"estop {word.name or 'panel'}",
            message=stop.release_of(key) if word.stops else "stops nobody",
            hardware_id=key,
            values=[KeyValue(key="word", value=json.dumps(asdict(word)))],
        )
        for key, word in stop.words.items()
    ]
    return DiagnosticArray(header=Header(stamp=to_stamp(seconds)), status=statuses)


def read_state(message: Any) -> tuple[dict[str, Word], int]:
    """Words by key, and how many statuses are none."""
    words, odd = {}, 0
    for status in message.status:
        try:
            words[status.hardware_id] = Word.read(json.loads(status.values[0].value))
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError):
            odd += 1
    return words, odd
