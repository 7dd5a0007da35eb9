"""What operators do to nodes that run: stops in every mode and state, by every panel; settings that survive kill -9."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from faults.fleet import Fleet
from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool
from std_srvs.srv import SetBool

from meanfleet.ros.node import LATCHED

KEEPING = QoSProfile(depth=500, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE)
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
PANEL = """
import sys
import rclpy
from std_msgs.msg import Bool
from meanfleet.ros.node import LATCHED
rclpy.init()
node = rclpy.create_node("gui")
publisher = node.create_publisher(Bool, "estop", LATCHED)
for line in sys.stdin:
    publisher.publish(Bool(data=line.strip() == "true"))
"""


class Operator:
    """Whoever watches a fleet of one robot node."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        hear = fleet.listener.hear
        self.goals = {name: hear(PoseStamped, f"{name}/goal_pose", KEEPING) for name in fleet.names}

    def sent(self) -> dict[str, int]:
        """How many goals each robot got."""
        return {name: len(messages) for name, messages in self.goals.items()}

    def await_goals(self, what: str) -> None:
        """One more for each robot."""
        before = self.sent()
        self.fleet.await_(lambda: all(n > before[name] for name, n in self.sent().items()), what)

    def await_status(self, key: str, count: int = 1) -> list[dict[str, Any]]:
        """Statuses of robots with a value from now on."""
        before = len(self.fleet.statuses("robots"))

        def found() -> list[dict[str, Any]]:
            some = [values for _, values in self.fleet.statuses("robots")[before:] if values.get(key)]
            return some if len(some) >= count else []

        statuses: list[dict[str, Any]] = self.fleet.await_(found, f"{count} statuses with {key}")
        return statuses

    def await_stopped_by(self, text: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """A status from now on; what another node knows may come before the panel is discovered, and its name later."""
        before = len(self.fleet.statuses("robots"))

        def found() -> bool:
            return any(v.get("stopped", "").startswith(text) for _, v in self.fleet.statuses("robots")[before:])

        self.fleet.await_(found, f"a stop by {text}", meanwhile)

    def set(self, node: str, name: str, value: Any) -> None:
        result = self.fleet.set_parameter(node, name, value)
        assert result.successful, result.reason

    def press(self, node: str, pressed: bool) -> Any:
        return self.fleet.listener.call(SetBool, f"{node}/estop", data=pressed)


def test_a_stop_halts_robots_by_the_way_they_were_sent_in_mode_shadow_inactive_and_after_a_restart(
    guarded: Fleet,
) -> None:
    fleet, operator = guarded, Operator(guarded)
    fleet.start_world(factor=16.0)
    fleet.start_robots("robots", fleet.names)
    fleet.start_dispatcher(rule="random")
    operator.await_goals("goals in mode run")

    # Robots that drive when the mode becomes shadow are halted for real.
    operator.set("robots", "mode", "shadow")
    before = operator.sent()
    assert operator.press("dispatcher", True).success
    fleet.await_(lambda: all(n > before[name] for name, n in operator.sent().items()), "halts in mode shadow")
    fleet.kill("robots")
    before = operator.sent()
    fleet.start_robots("robots", fleet.names)
    fleet.await_(lambda: all(n > before[name] for name, n in operator.sent().items()), "halts after a restart")
    assert operator.await_status("stopped")[0]["mode"] == "shadow", "set at run time"
    assert operator.press("dispatcher", False).success

    # An inactive node has sent its robots off, and halts them.
    operator.set("robots", "mode", "run")
    operator.await_status("moves")
    operator.await_goals("goals in mode run")
    off = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
    assert fleet.listener.call(ChangeState, "robots/change_state", transition=off.transition).success
    before = operator.sent()
    assert operator.press("robots", True).success
    fleet.await_(lambda: all(n > before[name] for name, n in operator.sent().items()), "halts of an inactive node")
    assert operator.await_status("stopped")


def test_panels_of_every_quality_stop_and_one_that_hangs_is_not_overruled(guarded: Fleet) -> None:
    fleet, operator = guarded, Operator(guarded)
    fleet.start_world(factor=16.0)
    fleet.start_robots("robots", fleet.names)
    fleet.start_dispatcher(rule="random")
    operator.await_status("moves")
    for qos in (LATCHED, 10, BEST_EFFORT):
        panel = fleet.listener.node.create_publisher(Bool, "estop", qos)
        # A volatile word can be lost while DDS still connects the two: then a panel repeats it.
        operator.await_stopped_by(
            f"panel /{fleet.listener.node.get_name()} (it publishes false itself)",
            lambda p=panel: p.publish(Bool(data=True)),
        )
        fleet.await_ticks(1, lambda tick: tick["reason"] == "estop")
        panel.publish(Bool(data=False))
        operator.await_status("moves")
        fleet.listener.node.destroy_publisher(panel)

    # A process that presses and then stands still; another panel says false, and goes on doing so.
    gui = fleet.processes.script(PANEL)
    other = fleet.listener.node.create_publisher(Bool, "estop", LATCHED)
    assert gui.stdin is not None
    gui.stdin.write(b"true\n")
    gui.stdin.flush()
    operator.await_stopped_by("panel /gui (it publishes false itself)")
    gui.send_signal(signal.SIGSTOP)
    other.publish(Bool(data=False))
    stopped = operator.await_status("stopped", 4)
    assert all(status["stopped"].startswith("panel /gui (it publishes false itself)") for status in stopped)
    answer = operator.press("dispatcher", False)
    assert not answer.success
    assert "still stopped by panel /gui" in answer.message

    # It leaves without a release: that releases nothing, and the next false does.
    gui.send_signal(signal.SIGCONT)
    gui.stdin.close()
    gui.wait(timeout=20)
    operator.await_stopped_by("panel /gui (it has left: publish one false on estop")
    other.publish(Bool(data=False))
    operator.await_status("moves")


def names(ticks: Sequence[dict[str, Any]]) -> set[str]:
    return {name for tick in ticks for name in (*tick["sampled"], *tick["replacements"])}


def test_what_was_set_at_run_time_survives_and_the_command_line_wins(guarded: Fleet) -> None:
    fleet, operator = guarded, Operator(guarded)
    out = fleet.names[0]
    fleet.start_world(factor=16.0)
    fleet.start_robots("robots", fleet.names)
    fleet.start_dispatcher(rule="random")
    fleet.await_ticks(1, lambda tick: tick["complete"])
    for node in ("dispatcher", "robots"):
        operator.set(node, "exclude", [out])
    operator.set("dispatcher", "observer", "dirichlet")
    for part in ("robots", "dispatcher"):
        fleet.kill(part)
    fleet.start_robots("robots", fleet.names)
    fleet.start_dispatcher(rule="random")
    ticks = fleet.await_ticks(4)
    assert out not in names(ticks)
    assert {tick["observer"] for tick in ticks} == {"dirichlet"}
    assert operator.await_status("out")[0]["out"] == {out: "excluded"}
    log = fleet.processes.output(fleet.parts["dispatcher"])
    assert "taken over from" in log
    assert "dispatcher.json" in log
    assert f"exclude {out}" in log

    # Given on the command line: that counts; set back to its default: as configured.
    operator.set("dispatcher", "observer", "")
    fleet.kill("dispatcher")
    fleet.start_dispatcher(rule="random", exclude=[fleet.names[1]])
    ticks = fleet.await_ticks(6)
    assert fleet.names[1] not in names(ticks)
    assert out in {name for tick in ticks for name in tick["sampled"]}, "its node says that it is out"
    assert {tick["observer"] for tick in ticks} == {"memoryless"}
