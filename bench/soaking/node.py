"""The soak's own ROS node: hears ticks, robots and the clock, asks services, does harm by publishing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState, GetState
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Header

from meanfleet.ros.conversions import read_diagnostics, to_seconds, to_stamp, zone_header
from meanfleet.ros.node import LATCHED, WorkingNode
from meanfleet.ros.transport import by_udp

from .ledger import Report

DEEP = QoSProfile(depth=1000)  # reliable: a report that is missed here would look like a lost tick


class SoakNode(WorkingNode):
    """Callbacks store; the soak looks.

    Attributes:
        reports: of all ticks, in the order heard.
        clock: the latest time heard [s, ROS time]; `last_clock`: the latest before it went back.
        spoken: when each process of robots was heard of last [s, wall], by its first robot.
        refused: samples that the dispatcher refused, by reason.
        crowded: most messages one robot sent into one tick.
        clashes: ticks in which the dispatcher saw another publisher of the priority.
        bad_poses: robots' reports of poses that are no numbers.
    """

    def __init__(self) -> None:
        super().__init__("soak")
        self.reports: list[Report] = []
        self.clock, self.last_clock = 0.0, 0.0
        self.spoken: dict[str, float] = {}
        self.refused: dict[str, int] = {}
        self.crowded, self.clashes, self.bad_poses = 0, 0, 0
        self._callers: dict[str, Any] = {}
        self.listen(DiagnosticArray, "diagnostics", self._store, DEEP)
        self.listen(Clock, "/clock", self._hear_clock, qos_profile_sensor_data)

    def _store(self, message: Any) -> None:
        now = time.monotonic()
        for name, _, values in read_diagnostics(message):
            if name == "dispatcher" and "ledger" in values:
                self._take(values, now)
            elif name.startswith("robots "):
                self.spoken[name.removeprefix("robots ")] = now
                self.bad_poses += len(values.get("bad_poses", {}))

    def _take(self, values: dict[str, Any], now: float) -> None:
        self.reports.append(Report.of(values, now))
        for reason in values["stale"].values():
            self.refused[reason] = self.refused.get(reason, 0) + 1
        self.crowded = max(self.crowded, *values["messages"].values(), 0)
        self.clashes += values["clashes"] > 0

    def _hear_clock(self, message: Any) -> None:
        now = to_seconds(message.clock)
        if now < self.clock:
            self.last_clock = self.clock
        self.clock = now

    # Asking

    def set_parameters(self, node: str, **values: Any) -> Any:
        """The future answer to setting parameters of a node at once; None while nobody offers the service."""
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        request = SetParametersAtomically.Request(parameters=parameters)
        return self._ask(SetParametersAtomically, f"/{node}/set_parameters_atomically", request)

    def change_state(self, node: str, transition: str) -> Any:
        """The future answer to a transition of a managed node; None while nobody offers the service."""
        request = ChangeState.Request()
        request.transition.label = transition
        return self._ask(ChangeState, f"/{node}/change_state", request)

    def get_state(self, node: str) -> Any:
        """The future answer to what state a managed node is in; None while nobody offers the service."""
        return self._ask(GetState, f"/{node}/get_state", GetState.Request())

    def _ask(self, kind: Any, service: str, request: Any) -> Any:
        caller = self._callers.get(service) or self.create_client(kind, service)
        self._callers[service] = caller
        return caller.call_async(request) if caller.service_is_ready() else None

    # Doing harm: each returns a call that sends once, and one that ends it

    def zones(self, robot: str) -> tuple[Callable[[str, float], None], Callable[[], None]]:
        """A second publisher of a robot's zone: takes zone and stamp [s, ROS time]."""
        return self._headers(f"{robot}/zone")

    def priorities(self) -> tuple[Callable[[str, float], None], Callable[[], None]]:
        """A second publisher of the priority."""
        return self._headers("priority_zone")

    def _headers(self, topic: str) -> tuple[Callable[[str, float], None], Callable[[], None]]:
        publisher = self.create_publisher(Header, topic, LATCHED)
        return (
            lambda zone, stamp: publisher.publish(zone_header(zone, stamp)),
            lambda: self.destroy_publisher(publisher),
        )

    def broken_odometry(self, robot: str) -> tuple[Callable[[], None], Callable[[], None]]:
        """A second publisher of a robot's odometry, whose positions are no numbers."""
        publisher = self.create_publisher(Odometry, f"{robot}/odom", qos_profile_sensor_data)

        def send() -> None:
            message = Odometry(header=Header(stamp=to_stamp(self.clock), frame_id="map"))
            message.pose.pose.position.x = message.pose.pose.position.y = float("nan")
            publisher.publish(message)

        return send, lambda: self.destroy_publisher(publisher)


class Ears:
    """A `SoakNode` on a domain, and the loop that feeds it."""

    def __init__(self, domain: int) -> None:
        with by_udp():
            rclpy.init(args=[], domain_id=domain, signal_handler_options=SignalHandlerOptions.NO)
            self.node = SoakNode()
        self.executor = EventsExecutor()
        self.executor.add_node(self.node)

    def spin(self, seconds: float) -> None:
        """Take in what comes for so long [s, wall]."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.executor.spin_once(timeout_sec=left)
        if self.node.failure is not None:
            raise self.node.failure

    def close(self) -> None:
        """Leave the domain."""
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown()
