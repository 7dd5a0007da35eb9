"""The only publisher of a topic: refused where somebody else publishes, and given up to who is discovered late.

And a reader of such a topic, which looks at who published a message when it comes.

On a busy machine DDS may take seconds to discover a publisher that was there all along: looking once, before
publishing, is not enough.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from rclpy.event_handler import PublisherEventCallbacks
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from meanfleet.base.errors import UserError

from .exclusive_choice import Choice
from .node import DISCOVERY_SECONDS, LEASE_SECONDS, WorkingNode
from .publishers import publisher_of

LOOK = 0.02  # [s, wall] between two looks for somebody else
GLANCE = 0.05  # [s, wall] between two looks at who publishes while nothing comes
NEW = 10.0  # [s, wall] after taking a topic: whoever is discovered until then may have been there first
APART = 2.0  # [s, wall] within which two that gave way to each other look again

# A reader's depth counts over all publishers: with 1, a stray message would push out the one that counts.
LATCHED_BY_MANY = QoSProfile(
    depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


class SolePublisher:
    """Publishes `topic`, if nobody else does.

    Args:
        node: that publishes.
        kind: of message.
        topic: its name.
        qos: quality of service offered.
        what: somebody else who publishes it, in messages for users.
        stopped: whether a signal asked for the end: then nothing is waited for.
    """

    def __init__(
        self, node: WorkingNode, kind: Any, topic: str, qos: QoSProfile, what: str, stopped: Callable[[], bool]
    ) -> None:
        self._node, self._kind, self.topic, self._qos, self._what, self._stopped = node, kind, topic, qos, what, stopped
        self._publisher: Any = None
        self._since = self._contested = 0.0

    def take(self, patience: float = LEASE_SECONDS) -> None:
        """Become the publisher.

        Raises:
            UserError: as `look_for_others`.
        """
        self.look_for_others(self.topic, patience)
        self._create()

    def move(self, topic: str) -> None:
        """Publish another topic from now on, at which `look_for_others` found nobody; nothing if it is the same."""
        if self._publisher is not None and topic != self.topic:
            self.leave()
            self.topic = topic
            self._create()
        self.topic = topic

    def _create(self) -> None:
        # An executor keeps a publisher's event handlers, and the publisher with them, until it spins again.
        silent = PublisherEventCallbacks(use_default_callbacks=False)
        self._publisher = self._node.create_publisher(self._kind, self.topic, self._qos, event_callbacks=silent)
        self._since, self._contested = time.monotonic(), 0.0

    def leave(self) -> None:
        """Be no publisher any more."""
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)
            self._publisher = None

    def publish(self, message: Any) -> None:
        """Publish."""
        self._publisher.publish(message)

    def others(self) -> int:
        """How many others publish the topic as well."""
        return max(self._node.count_publishers(self.topic) - 1, 0)

    def give_way(self) -> None:
        """Leave the topic to whoever was discovered late, and take it again only if he vanishes.

        The older a publisher is, the longer it waits for the other one to leave first. Two that began at the same
        moment both leave, and look again at different times: one stays. To be called often; does nothing once the
        topic was this node's for some seconds, nor for a node of another name: whatever intrudes there shall not end
        this one.

        Raises:
            UserError: as `look_for_others`.
        """
        now = time.monotonic()
        age = now - self._since
        if self._publisher is None or age > 2 * NEW or not self.others() or not self._doubled():
            self._contested = 0.0
            return
        self._contested = self._contested or now
        seen = self._contested - self._since
        if seen > NEW or age < 2 * seen:
            return
        self._node.get_logger().warning(f"{self._what} appeared on '{self._name(self.topic)}': looking again")
        self.leave()
        time.sleep(random.uniform(0, APART))
        self.look_for_others(self.topic, LEASE_SECONDS)
        self._create()

    def _doubled(self) -> bool:
        """Whether another node of the same name publishes the topic as well."""
        own = (self._node.get_namespace(), self._node.get_name())
        found = self._node.get_publishers_info_by_topic(self._name(self.topic))
        return sum((one.node_namespace, one.node_name) == own for one in found) > 1

    def look_for_others(self, topic: str, patience: float) -> None:
        """See that nobody publishes `topic`.

        A publisher that is seen but silent may be the ghost of a killed process: it is given `patience` [s, wall] to
        vanish. No executor takes part, so a callback may call this.

        Raises:
            UserError: somebody does.
        """
        node = self._node
        volatile = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        listener = node.create_subscription(self._kind, topic, lambda _: None, volatile)
        began = time.monotonic()
        try:
            while not self._stopped() and listener.handle.take_message(self._kind, False) is None:
                now = time.monotonic()
                if now - node.born > DISCOVERY_SECONDS and node.count_publishers(topic) == 0:
                    return
                if now - began > patience:
                    break
                time.sleep(LOOK)
        finally:
            node.destroy_subscription(listener)
        if not self._stopped():
            raise UserError(
                f"{self._what} already publishes '{self._name(topic)}' on this ROS domain: stop it, "
                "or choose another ROS_DOMAIN_ID"
            )

    def _name(self, topic: str) -> str:
        return str(self._node.resolve_topic_name(topic))


class SoleReader:
    """What `Choice` makes of a topic; lives as long as the node, which calls `look` again and again.

    Args:
        node: that reads.
        kind: of message.
        topic: its name, latched.
    """

    def __init__(self, node: WorkingNode, kind: Any, topic: str) -> None:
        self._node, self._kind, self.topic = node, kind, topic
        self._choice: Choice[Any] = Choice()
        self._subscription = node.poll(kind, topic, LATCHED_BY_MANY, self._match)
        self._looked = 0.0

    @property
    def latest(self) -> Any:
        """The message that counts; None before the first."""
        return self._choice.latest

    @property
    def publishers(self) -> int:
        """How many there are."""
        return self._choice.publishers

    @property
    def strays(self) -> int:
        """Publishers that came and left, and of which no message ever counted."""
        return self._choice.strays

    def look(self) -> bool:
        """Take in what has arrived, and who is there; True if a stray was noticed."""
        now, before = time.monotonic(), self.strays
        taken = list(self._taken())
        if taken or now - self._looked >= GLANCE:
            self._looked = now
            node = self._node
            found = node.get_publishers_info_by_topic(node.resolve_topic_name(self.topic))
            present = {bytes(one.endpoint_gid) for one in found}
            received = [(publisher_of(info, present), message) for message, info in taken]
            self._choice.look(present, received, now)
        return self.strays > before

    def _match(self, change: Any) -> None:
        self._choice.came = change.total_count

    def _taken(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        while (taken := self._subscription.handle.take_message(self._kind, False)) is not None:
            yield taken
