"""A robot's goals as Nav2 takes them by action: rejected, given up, cancelled, or replaced by the next one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nav2_msgs.action import NavigateToPose
from rclpy.action import ActionServer, CancelResponse, GoalResponse


class Navigation:
    """The action server of one robot.

    Args:
        node: has it.
        action: its name.
        command: takes a goal (geometry_msgs/PoseStamped) and whether the navigation is able to; whether it is taken.
        tell: writes the robot's log.
        script: for each of the first goals reject, abort or drive; whoever has those after them stands and goes on
            following, until he is told otherwise.
    """

    def __init__(
        self,
        node: Any,
        action: str,
        command: Callable[[Any, bool], bool],
        tell: Callable[..., None],
        script: Sequence[str],
    ) -> None:
        self.node, self.command, self.tell, self.script = node, command, tell, list(script)
        self.present: Any = None  # the goal that is followed
        self.over: list[tuple[Any, str]] = []  # goals that have come to an end, and to which
        self.ends: dict[bytes, str] = {}
        self.server = ActionServer(
            node,
            NavigateToPose,
            action,
            self._conclude,
            goal_callback=self._judge,
            handle_accepted_callback=self._follow,
            cancel_callback=self._cancel,
        )

    def work(self) -> None:
        """Conclude what has come to an end; not in callbacks, in which goals are still what they were."""
        over, self.over = self.over, []
        for handle, end in over:
            self.ends[bytes(handle.goal_id.uuid)] = end
            handle.execute()

    def arrive(self) -> None:
        """The goal is reached."""
        self._end("succeed")

    def _judge(self, goal: Any) -> Any:
        taken = self.command(goal.pose, self.script[:1] != ["reject"])
        if not taken:
            self.script = self.script[1:]
        return GoalResponse.ACCEPT if taken else GoalResponse.REJECT

    def _follow(self, handle: Any) -> None:
        self._end("replaced")  # the goal before
        self.present, fate, self.script = handle, self.script[:1], self.script[1:]
        if not fate:
            self.node.platform.goal = None
        elif fate == ["abort"]:
            self.node.platform.goal = None
            self._end("abort")
        elif self.node.platform.goal is None:  # it stood there already
            self._end("succeed")

    def _cancel(self, handle: Any) -> Any:
        if self.present is not None and self.present.goal_id == handle.goal_id:
            self.node.platform.goal = None
            self._end("canceled")
        return CancelResponse.ACCEPT

    def _end(self, end: str) -> None:
        if self.present is not None:
            self.over.append((self.present, end))
            self.present = None

    def _conclude(self, handle: Any) -> Any:
        end = self.ends.pop(bytes(handle.goal_id.uuid))
        self.tell(end)
        getattr(handle, {"replaced": "abort"}.get(end, end))()
        return NavigateToPose.Result()
