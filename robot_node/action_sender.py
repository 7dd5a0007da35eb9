"""One robot's goals as an action: nav2_msgs/action/NavigateToPose, which need not be installed otherwise.

    send ──► (no server yet: waiting) ──► asked ──► accepted ──► reached, failed, or cancelled by somebody
                          ▲                 │ └─► rejected: failed
                          └── server gone ──┘

A new goal takes the place of the one before, as Nav2 has it, without a cancel in between: robots need not brake.
Standing is a cancel. In an emergency it is one of all goals of that action server, whoever sent them; that reaches also
those of a process before this one. A goal that was under way to the server meanwhile is cancelled once it is accepted.
Nothing here is called back: answers are looked at.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from action_msgs.msg import GoalStatus
from action_msgs.srv import CancelGoal
from rclpy.action.graph import get_action_client_names_and_types_by_node
from rclpy.type_support import check_for_type_support
from rosidl_generator_py.import_type_support_impl import UnsupportedTypeSupport
from unique_identifier_msgs.msg import UUID

from meanfleet.base.errors import UserError
from meanfleet.ros.managed import ManagedNode

from .goal_outcome import Outcome

ASKED = 8  # requests remembered at most: those to a server that died are never answered
WAIT = 0.005  # [s, wall] between two looks for an answer while nothing spins
OUTCOMES = {GoalStatus.STATUS_SUCCEEDED: Outcome.REACHED, GoalStatus.STATUS_ABORTED: Outcome.FAILED}


def action_kind(robots: Sequence[str]) -> Any:
    """The type of the action.

    Raises:
        UserError: it cannot be imported.
    """
    try:
        from nav2_msgs.action import NavigateToPose

        check_for_type_support(NavigateToPose)
    except (ImportError, UnsupportedTypeSupport) as error:
        raise UserError(
            f"goals: action, of {robots[0]}, needs the ROS package nav2_msgs ({error}): install it "
            "(apt install ros-$ROS_DISTRO-nav2-msgs) and source its setup.bash, or set robot.goals: topic"
        ) from None
    return NavigateToPose


class ActionOutlet:
    """See `meanfleet.robot_node.goal_senders.Outlet`.

    Args:
        node: has the clients, until it is cleaned up.
        action: its name.
        kind: its type.
    """

    blind = True

    def __init__(self, node: ManagedNode, action: str, kind: Any) -> None:
        self._kind = kind
        self._client = node.act_on(kind, action)
        self._canceller = node.ask(CancelGoal, f"{self._name(node, action)}/_action/cancel_goal")
        self._latest = b""  # id of the goal sent last, until it is cancelled
        self._cancelled: Any = None  # the answer to the last cancel
        self._last: Any = None  # what it asked for
        self._asked: deque[tuple[bytes, Any]] = deque(maxlen=ASKED)  # goals without an answer yet
        self._rest()

    @staticmethod
    def _name(node: ManagedNode, action: str) -> str:
        """The name the client really has: not every rcl remaps actions, and all remap the services they consist of."""
        known = {
            name for name, _ in get_action_client_names_and_types_by_node(node, node.get_name(), node.get_namespace())
        }
        remapped = node.resolve_topic_name(action)
        return remapped if remapped in known else node.resolve_topic_name(action, only_expand=True)

    def _rest(self, unwanted: bool = False) -> None:
        self._goal: Any = None  # waits for the server
        self._sent: Any = None  # the goal that counts, until its outcome is known
        self._own = b""  # id of the goal that counts
        self._handle: Any = None  # the same once it is accepted
        self._result: Any = None  # its result's future
        self._unwanted = unwanted  # whatever is accepted from now on

    @property
    def waiting(self) -> bool:
        """Whether a goal waits for the action to be offered."""
        return self._goal is not None

    def send(self, goal: Any) -> None:
        """Ask the server to take the goal, as soon as there is one."""
        self._rest()
        self._goal = goal
        self._ask()

    def halt(self, here: Any) -> None:
        """Cancel all goals of the server: those of an id and a time of zero."""
        self._rest(unwanted=True)
        self._cancel(CancelGoal.Request())

    def stay(self, here: Any) -> None:
        """Cancel the goal that counts."""
        self.withdraw()

    def withdraw(self) -> None:
        """Cancel the goal that was sent last, whether it still counts or not."""
        latest, self._latest = self._latest, b""
        self._rest(unwanted=True)
        if latest:
            self._cancel_one(latest)

    def keep_back(self) -> None:
        """What has not been sent will not be."""
        self._goal = self._sent = None

    def forget(self) -> None:
        """No goal counts; what was sent goes on."""
        self._rest()

    def listeners(self) -> int:
        """1 if there is a server."""
        return int(self._canceller.service_is_ready())

    def look(self) -> Outcome | None:
        """Send what waits, hear what was answered."""
        self._ask()
        outcome = None
        for _ in range(len(self._asked)):
            goal, answer = self._asked.popleft()
            if not answer.done():
                self._asked.append((goal, answer))
            else:
                outcome = self._hear(goal, answer.result()) or outcome
        if self._result is not None and self._result.done():
            outcome = OUTCOMES.get(self._result.result().status, outcome)
            self._result = self._handle = self._sent = None
            self._latest = b""
        if self._sent is not None and not self._client.server_is_ready():
            self.send(self._sent)  # it died with the goal, and will not answer: the goal waits for the next
        return outcome

    def settle(self, deadline: float) -> None:
        """Wait for the answer to the last cancel; cancel again what the server does not know yet."""
        while self._cancelled is not None and time.monotonic() < deadline:
            header, response = self._canceller.handle.take_response(CancelGoal.Response)
            if header is None:
                time.sleep(WAIT)
            elif response.return_code == CancelGoal.Response.ERROR_UNKNOWN_GOAL_ID and self._asked:
                time.sleep(WAIT)
                self._cancel(self._last)
            else:
                return

    def _ask(self) -> None:
        if self._goal is None or not self._client.server_is_ready():
            return
        self._own = self._latest = uuid4().bytes
        request = self._kind.Goal(pose=self._goal)
        self._asked.append((self._own, self._client.send_goal_async(request, goal_uuid=UUID(uuid=list(self._own)))))
        self._sent, self._goal = self._goal, None

    def _hear(self, goal: bytes, handle: Any) -> Outcome | None:
        """An answer to a request: of the goal that counts, or of one whose time has passed."""
        if goal != self._own:
            if handle.accepted and self._unwanted:
                self._cancel_one(goal)
            return None
        if not handle.accepted:
            self._sent = None
            return Outcome.FAILED
        self._handle, self._result = handle, handle.get_result_async()
        return None

    def _cancel_one(self, goal: bytes) -> None:
        request = CancelGoal.Request()
        request.goal_info.goal_id = UUID(uuid=list(goal))
        self._cancel(request)

    def _cancel(self, request: Any) -> None:
        self._last = request
        self._cancelled = self._canceller.call_async(request) if self._canceller.service_is_ready() else None
