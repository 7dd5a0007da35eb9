"""Starting, running and ending a node, and the qualities of service of the interface.

The loop is `spin_once` of the EventsExecutor plus the node's own `work()`: callbacks store, `work` decides. What others
publish ends no node: a message that a callback cannot take in is dropped and counted. The executor swallows exceptions
of other callbacks, so they are kept and raised from the loop; it does not end on SIGTERM, so signals are handled here.
"""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

import rclpy
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.time_source import TimeSource

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.solver.bundle.loading import load_policies
from meanfleet.solver.bundle.policy import PolicyBundle

from .conversions import sound_clock, to_seconds
from .transport import by_udp

LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
GOAL = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
DIAGNOSTICS = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)

CLOCK = "/clock"
DISCOVERY_SECONDS = 1.5  # [s, wall] to learn who is there already
BURST = 500  # messages taken in before `work` has its turn
LEASE_SECONDS = 25.0  # [s, wall] after which a killed process has left the graph


class WorkingNode(Node):
    """A node whose callbacks only store and whose `work` decides.

    Parameters of every node: `config` (YAML file), `policy` (bundle), `n` (robots, 0: the configuration's), `seed`.
    """

    def __init__(self, name: str) -> None:
        self._polled: list[Any] = []
        self.dropped: Counter[str] = Counter()  # messages that could not be taken in, by topic
        super().__init__(name)
        self.born = time.monotonic()
        self.failure: BaseException | None = None
        self.events = 0  # callbacks called so far

    def parameter(self, name: str, default: Any) -> Any:
        """Value of a parameter; one that is not declared yet is, with its default.

        Raises:
            UserError: the value given has another type.
        """
        if self.has_parameter(name):
            return self.get_parameter_or(name).value
        try:
            return self.declare_parameter(name, default).value
        except rclpy.exceptions.InvalidParameterTypeException as error:
            raise UserError(f"parameter '{name}' of {self.get_name()}: {error}") from None

    def configuration(self) -> Config:
        """The configuration that the parameters `config` and `n` name."""
        path, n = self.parameter("config", ""), self.parameter("n", 0)
        if not path:
            raise UserError(f"{self.get_name()} needs the parameter 'config': the path of a configuration (YAML)")
        if n < 0:
            raise UserError(f"parameter 'n' of {self.get_name()} is {n}: expected a number of robots, or 0")
        return Config.from_yaml(path).with_robots(n or None)

    def policies(self, config: Config) -> PolicyBundle:
        """The policy bundle that the parameter `policy` names, checked against the configuration's zones or line.

        Raises:
            UserError: the parameter is missing, or the bundle is damaged or for other zones, ways or another line.
        """
        return self.load_policies(self.parameter("policy", ""), config)

    def load_policies(self, path: str, config: Config) -> PolicyBundle:
        """The policy bundle in a file, as `policies`."""
        if not path:
            raise UserError(f"{self.get_name()} needs the parameter 'policy': the path of a policy bundle (.npz)")
        return load_policies(path, config)

    def ros_time(self) -> float:
        """ROS time [s]; 0 until a simulated clock is heard."""
        return float(self.get_clock().now().nanoseconds) * 1e-9

    def guarded(self, callback: Callable[..., None]) -> Callable[..., None]:
        """A callback whose exception ends the node instead of vanishing in the executor."""

        def call(*arguments: Any) -> None:
            self.events += 1
            try:
                callback(*arguments)
            except BaseException as error:
                self.failure = self.failure or error

        return call

    def surviving(self, topic: str, callback: Callable[[Any], None]) -> Callable[[Any], None]:
        """A callback of others' messages: one that it cannot take in is dropped and counted, and now and then said."""

        def call(message: Any) -> None:
            self.events += 1
            try:
                callback(message)
            except Exception as error:
                self.dropped[topic] += 1
                count = self.dropped[topic]
                if count == 10 ** (len(str(count)) - 1):
                    why = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
                    self.get_logger().error(f"a message on {topic} is dropped: {why} ({count} so far)")
            except BaseException as error:
                self.failure = self.failure or error

        return call

    def create_subscription(self, msg_type: Any, topic: str, callback: Any, *arguments: Any, **more: Any) -> Any:
        """As rclpy's; its own one of /clock, which raises at times that it cannot keep, survives them."""
        if topic == CLOCK and getattr(callback, "__func__", None) is TimeSource.clock_callback:
            keep = callback
            callback = self.surviving(topic, lambda message: keep(sound_clock(message)))
        return super().create_subscription(msg_type, topic, callback, *arguments, **more)

    def listen(self, kind: Any, topic: str, callback: Callable[..., None], qos: QoSProfile, events: bool = True) -> Any:
        """Subscribe with a callback that survives whatever others publish.

        Without `events` nobody is told of publishers that offer too little: rclpy's handlers of such events keep some
        0.15 MB for every 1,000 subscriptions, also after these are gone.
        """
        handlers = SubscriptionEventCallbacks(use_default_callbacks=events)
        return self.create_subscription(kind, topic, self.surviving(topic, callback), qos, event_callbacks=handlers)

    @property
    def subscriptions(self) -> Iterator[Any]:
        """Those that an executor takes messages from."""
        return (one for one in super().subscriptions if all(one is not polled for polled in self._polled))

    def poll(self, kind: Any, topic: str, qos: QoSProfile, matched: Callable[[Any], None] | None = None) -> Any:
        """A subscription that lives as long as the node, and whose messages are for `handle.take_message`.

        That yields who published each, which a callback cannot be given: with it the EventsExecutor ends in a
        SystemError. Publishers that offer too little are nobody's mistake: another quality receives them. `matched`
        is called with rmw's matched status when a publisher comes or goes.
        """
        told = None if matched is None else self.guarded(matched)
        silent = SubscriptionEventCallbacks(matched=told, use_default_callbacks=False)
        subscription = self.create_subscription(kind, topic, lambda _: None, qos, event_callbacks=silent)
        self._polled.append(subscription)
        return subscription

    def count_publishers(self, topic_name: str) -> int:
        """Publishers of a topic of this node's: other than rclpy's, under the name that it was remapped to."""
        return int(super().count_publishers(self.resolve_topic_name(topic_name)))

    def start(self) -> None:
        """Called once before the first `work`.

        Raises:
            UserError: the node cannot start.
        """

    def work(self) -> float:
        """Do what is due; return how long to wait for the next event at most [s, wall]."""
        raise NotImplementedError

    def finish(self) -> None:
        """Called once before the node ends, with the context still valid."""


class Signals:
    """SIGINT and SIGTERM ask for the end; the loop looks."""

    def __init__(self) -> None:
        self.received = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = True

    def __call__(self) -> bool:
        return self.received


def run(make: Callable[[Signals], WorkingNode], arguments: Sequence[str] | None = None) -> int:
    """Make a node and let it work until a signal, its own `SystemExit` or an error; returns the exit code."""
    stopped = Signals()
    node: WorkingNode | None = None
    code = 0
    given = list(arguments) if arguments is not None else None
    try:
        with by_udp():
            rclpy.init(args=given, signal_handler_options=SignalHandlerOptions.NO)
            node = make(stopped)
        executor = EventsExecutor()
        executor.add_node(node)
        node.start()
        wait = 0.0
        while not stopped() and node.failure is None:
            executor.spin_once(timeout_sec=wait)
            _take_in(executor, node)
            wait = node.work()
        if node.failure is not None:
            raise node.failure
    except UserError as error:
        print(f"{node.get_name() if node else 'meanfleet'}: {error}", file=sys.stderr, flush=True)
        code = UserError.exit_code
    except SystemExit as end:
        code = int(end.code or 0)
    except rclpy.exceptions.InvalidNodeNameException as error:
        print(f"meanfleet: {error}", file=sys.stderr, flush=True)
        code = UserError.exit_code
    finally:
        if node is not None:
            node.finish()
            node.destroy_node()
        rclpy.try_shutdown()
    return code


def _take_in(executor: Any, node: WorkingNode) -> None:
    """Take in what has already arrived: one `spin_once` is one event, and work between them would starve the rest."""
    for _ in range(BURST):
        before = node.events
        executor.spin_once(timeout_sec=0.0)
        if node.events == before:
            return


__all__ = [
    "DIAGNOSTICS",
    "GOAL",
    "LATCHED",
    "Signals",
    "WorkingNode",
    "run",
    "to_seconds",
]
