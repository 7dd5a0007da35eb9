"""The goals of a process' robots on their way out, each by the topic `goal_pose` or the action `navigate_to_pose`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from geometry_msgs.msg import PoseStamped
from numpy.typing import NDArray
from rclpy.duration import Duration

from meanfleet.config.robot import GOAL_ACTION, GoalWay
from meanfleet.floors.frames import PlanarPose
from meanfleet.ros.managed import ManagedNode
from meanfleet.ros.node import GOAL
from meanfleet.safety import SHADOW

from .action_sender import ActionOutlet, action_kind
from .conversions import goal_message
from .goal_outcome import Outcome

ACKNOWLEDGED = 1.0  # [s, wall] for robots to have their last goals before the node goes
LOOK = 0.1  # [s, wall] between two looks at what navigations say


class Outlet(Protocol):
    """One robot's goals on their way out.

    Attributes:
        blind: whether it can make the robot stand without knowing where it is.
    """

    blind: bool

    def send(self, goal: Any) -> None:
        """Send a goal, in the place of the one before."""

    def halt(self, here: Any) -> None:
        """Make the robot stand, whoever sent it; `here` is its own pose as a goal."""

    def stay(self, here: Any) -> None:
        """Make the robot stand that follows a goal of this outlet."""

    def withdraw(self) -> None:
        """Take the goal back, where that can be done without sending another."""

    def keep_back(self) -> None:
        """Do not send what has not been sent yet."""

    def forget(self) -> None:
        """What was sent does not count any more: outcomes of it are not told."""

    def listeners(self) -> int:
        """How many take goals."""

    def look(self) -> Outcome | None:
        """What the navigation has said since the last look about the goal that counts."""

    def settle(self, deadline: float) -> None:
        """Wait until the last word has arrived, until `deadline` [s, wall] at most."""


class TopicOutlet:
    """Goals on a topic: nobody answers, and standing is a goal too."""

    blind = False

    def __init__(self, node: ManagedNode, topic: str) -> None:
        self._publisher = node.advertise(PoseStamped, topic, GOAL)

    def send(self, goal: Any) -> None:
        """Publish it."""
        self._publisher.publish(goal)

    def halt(self, here: Any) -> None:
        """Publish where it is."""
        self._publisher.publish(here)

    def stay(self, here: Any) -> None:
        """Publish where it is."""
        self._publisher.publish(here)

    def withdraw(self) -> None:
        """A topic takes nothing back."""

    def keep_back(self) -> None:
        """Nothing waits."""

    def forget(self) -> None:
        """Nothing is told anyway."""

    def listeners(self) -> int:
        """Subscriptions."""
        return int(self._publisher.get_subscription_count())

    def look(self) -> Outcome | None:
        """Nothing is said."""
        return None

    def settle(self, deadline: float) -> None:
        """Wait for the subscribers' acknowledgements."""
        self._publisher.wait_for_all_acked(Duration(seconds=max(deadline - time.monotonic(), 0.0)))


class Outlets:
    """Those of all robots of a process, and in mode shadow the topics in their place.

    Args:
        node: has the publishers and clients, until it is cleaned up.
        names: of the robots, in order.
        ways: topic or action, by robot.
        frame: of goals.
        drove: whether robots may follow a goal that an earlier process of this node sent them.

    Raises:
        UserError: the action's type cannot be imported.
    """

    def __init__(
        self, node: ManagedNode, names: Sequence[str], ways: Sequence[GoalWay], frame: str, drove: bool = False
    ) -> None:
        self._node, self._names, self._frame = node, tuple(names), frame
        acting = [name for name, way in zip(names, ways, strict=True) if way == "action"]
        kind = action_kind(acting) if acting else None
        self._real: list[Outlet] = [
            ActionOutlet(node, f"{name}/{GOAL_ACTION}", kind)
            if way == "action"
            else TopicOutlet(node, f"{name}/goal_pose")
            for name, way in zip(names, ways, strict=True)
        ]
        self._shadow: list[Outlet] = []
        self._now = self._real
        self._driven = np.full(len(names), drove)  # robots that may follow a goal which was sent for real
        self._looked = 0.0

    def cast(self, shadow: bool) -> None:
        """Whether goals go to shadow topics; these are made when first needed: a graph is large enough without."""
        if shadow and not self._shadow:
            self._shadow = [TopicOutlet(self._node, f"{name}/goal_pose{SHADOW}") for name in self._names]
        self._now = self._shadow if shadow else self._real

    def send(self, robot: int, pose: PlanarPose, stamp: float) -> None:
        """Send a goal [m, m, rad]."""
        self._driven[robot] |= self._now is self._real
        self._now[robot].send(self._goal(pose, stamp))

    def halt(self, robot: int, pose: PlanarPose, stamp: float) -> None:
        """Make a robot stand where it is, whoever sent it; the pose may be unknown (nan) to one that is `blind`.

        A robot that was sent anywhere for real still drives when the mode becomes shadow: it is halted for real.
        """
        self._halting(robot).halt(self._goal(pose, stamp))

    def stay(self, robot: int, pose: PlanarPose, stamp: float) -> None:
        """Make a robot stand that follows a goal of this node."""
        self._now[robot].stay(self._goal(pose, stamp))

    def withdraw(self, robots: Iterable[int]) -> None:
        """Take goals back, where navigations can be told so: also those sent in another mode."""
        for robot in robots:
            self._real[robot].withdraw()

    def keep_back(self, robots: Iterable[int]) -> None:
        """Do not send goals that still wait for their navigation."""
        for robot in robots:
            self._real[robot].keep_back()

    def forget(self) -> None:
        """What was sent to anybody does not count any more."""
        for outlet in self._real:
            outlet.forget()

    def settle(self, robots: Iterable[int]) -> None:
        """Wait until these have their last word: the outlets may go next, and with them what has not arrived."""
        deadline = time.monotonic() + ACKNOWLEDGED
        for robot in robots:
            self._now[robot].settle(deadline)

    def look(self) -> list[tuple[int, Outcome]]:
        """What navigations have said about the goals that count, now and then."""
        now = time.monotonic()
        if now - self._looked < LOOK:
            return []
        self._looked = now
        said = ((robot, outlet.look()) for robot, outlet in enumerate(self._real))
        return [(robot, outcome) for robot, outcome in said if outcome is not None]

    @property
    def listeners(self) -> NDArray[np.int64]:
        """How many would be reached by a halt, by robot."""
        robots = range(len(self._names))
        return np.array([self._halting(robot).listeners() for robot in robots], dtype=np.int64)

    @property
    def blind(self) -> NDArray[np.bool_]:
        """Who can be made to stand without knowing where, by robot."""
        return np.array([self._halting(robot).blind for robot in range(len(self._names))], dtype=np.bool_)

    @property
    def unserved(self) -> list[str]:
        """Robots whose goal waits for their navigation to offer the action."""
        outlets = zip(self._names, self._real, strict=True)
        return [name for name, outlet in outlets if isinstance(outlet, ActionOutlet) and outlet.waiting]

    def _halting(self, robot: int) -> Outlet:
        return (self._real if self._driven[robot] else self._now)[robot]

    def _goal(self, pose: PlanarPose, stamp: float) -> Any:
        return goal_message(*pose, stamp, self._frame)
