"""The emergency stop in a ROS node: topic `estop` (std_msgs/Bool, latched), service `~/estop` (std_srvs/SetBool)."""

from __future__ import annotations

import time
from typing import Any

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool
from std_srvs.srv import SetBool

from meanfleet.ros.managed.node import ManagedNode
from meanfleet.ros.node import DISCOVERY_SECONDS, LATCHED

from .stop import Stop

# A reader's depth counts over all publishers: with 1, one's latched word would push out another's.
BUTTONS = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class StopLine:
    """Keeps a `Stop` up to date from `build` to `release`; a node calls `look` again and again.

    Args:
        node: to listen and serve.
        stop: outlives this: cleaning a node up releases nothing.
        fleet: the node's service presses the topic, for everybody, not the node's own button.
    """

    def __init__(self, node: ManagedNode, stop: Stop, fleet: bool = False) -> None:
        self._node, self._stop = node, stop
        self._made = time.monotonic()
        self._roll_call: Any = None
        self.said = False  # this node's own word on the topic
        self._publisher = node.advertise(Bool, "estop", LATCHED) if fleet else None
        node.follow(Bool, "estop", self._hear, BUTTONS)
        node.serve(SetBool, "~/estop", self._press)

    @property
    def listening(self) -> bool:
        """Whether the line is so new that somebody's latched word may still be on its way."""
        return time.monotonic() - self._made < DISCOVERY_SECONDS

    def look(self) -> None:
        """End a roll call whose time is up."""
        self._stop.look(time.monotonic())
        if self._roll_call is not None and not self._stop.asking:
            self._node.unfollow(self._roll_call)
            self._roll_call = None

    def say(self, pressed: bool) -> None:
        """Press or release the topic, of a node that may."""
        assert self._publisher is not None
        self._publisher.publish(Bool(data=pressed))
        self.said = pressed
        if pressed:  # not a moment later than everybody else
            self._stop.hear(True, time.monotonic())

    def _hear(self, message: Any) -> None:
        if self._stop.hear(message.data, time.monotonic()) and self._node.configured:
            if self._roll_call is not None:
                self._node.unfollow(self._roll_call)
            self._roll_call = self._node.follow(Bool, "estop", self._answer, BUTTONS)

    def _answer(self, message: Any) -> None:
        self._stop.answer(message.data)

    def _press(self, request: Any) -> tuple[bool, str]:
        if self._publisher is not None:
            self.say(request.data)
            return True, "stop told to all nodes" if request.data else "released, unless another publisher stops"
        self._stop.press(request.data)
        if request.data:
            return True, "stopped"
        return not self._stop.line, "still stopped by topic estop" if self._stop.line else "released"
