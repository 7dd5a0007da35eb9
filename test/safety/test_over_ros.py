"""A fleet of real processes led through its modes, an emergency stop, and robots that go out of service.

The dispatcher steers at random, so that it wants another priority in four of five ticks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from faults.fleet import Fleet
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import BatteryState
from std_msgs.msg import Bool, Header
from std_srvs.srv import SetBool, Trigger

from meanfleet.ros.node import LATCHED

KEEPING = QoSProfile(depth=500, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE)
WATCHED = 3  # robots whose odometry the test hears; of all of them it would be more than it can take in


class Watch:
    """All that could move the fleet, as it was published."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        hear = fleet.listener.hear
        self.priority = hear(Header, "priority_zone", KEEPING)
        self.shadow_priority = hear(Header, "priority_zone/shadow", KEEPING)
        self.goals = {name: hear(PoseStamped, f"{name}/goal_pose", KEEPING) for name in fleet.names}
        self.shadow_goals = {name: hear(PoseStamped, f"{name}/goal_pose/shadow", KEEPING) for name in fleet.names}
        self.odometry = {
            name: hear(Odometry, f"{name}/odom", qos_profile_sensor_data) for name in fleet.names[:WATCHED]
        }

    def panel(self) -> Callable[[bool], None]:
        """Somebody's button on the topic `estop`; it is not heard of before it is pressed."""
        publisher = self.fleet.listener.node.create_publisher(Bool, "estop", LATCHED)
        return lambda pressed: publisher.publish(Bool(data=pressed))

    def call(self, kind: Any, service: str, **request: Any) -> Any:
        return self.fleet.listener.call(kind, service, **request)

    def set(self, name: str, value: str | list[str], *nodes: str) -> None:
        for node in nodes:
            result = self.fleet.set_parameter(node, name, value)
            assert result.successful, result.reason

    def told(self, what: str, count: int = 1) -> None:
        """Wait until robots have said something so many times more."""
        before = len(self.said(what))
        self.fleet.await_(lambda: len(self.said(what)) >= before + count, f"{count} statuses with {what!r}")

    def said(self, what: str) -> list[dict[str, Any]]:
        return [values for _, values in self.fleet.statuses("robots") if values.get(what)]


def count(topics: dict[str, list[Any]]) -> dict[str, int]:
    return {name: len(messages) for name, messages in topics.items()}


def stands(goal: Any, poses: list[Any]) -> bool:
    """Whether a goal is where a robot was when its odometry told; samples may be lost on the way to the test."""
    at = goal.pose.position
    return min(math.dist((at.x, at.y), (p.pose.pose.position.x, p.pose.pose.position.y)) for p in poses) < 0.5


def test_shadow_run_stop_run(guarded: Fleet) -> None:
    fleet, watch = guarded, Watch(guarded)
    fleet.start_world(factor=16.0)
    fleet.start_robots("robots", fleet.names, mode="shadow")
    fleet.start_dispatcher(rule="random", mode="shadow")

    # Shadow: everything is decided, on topics of its own; nobody is moved.
    fleet.await_ticks(2, lambda tick: tick["complete"] and tick["mode"] == "shadow")
    fleet.await_(lambda: all(watch.shadow_goals.values()) and watch.shadow_priority, "what would have been done")
    assert watch.priority == []
    assert not any(watch.goals.values())
    assert fleet.listener.node.count_publishers("priority_zone") == 0, "nobody's rival"

    # Run: the same on the real topics, and no more of the shadow.
    watch.set("mode", "run", "robots", "dispatcher")
    fleet.await_(lambda: all(watch.goals.values()) and watch.priority, "goals and a priority")
    shadow = count(watch.shadow_goals), len(watch.shadow_priority)
    fleet.await_ticks(2, lambda tick: tick["mode"] == "run")
    assert (count(watch.shadow_goals), len(watch.shadow_priority)) == shadow

    # Stop: every robot is told its present pose, once, and nothing else; the priority is held.
    press, other = watch.panel(), watch.panel()
    fleet.await_(lambda: fleet.listener.node.count_subscribers("estop") >= 2, "both nodes on the line")
    before = count(watch.goals)
    press(True)
    fleet.await_(lambda: all(len(watch.goals[name]) > before[name] for name in fleet.names), "stop goals")
    watch.told("stopped", 2)  # a second later: what was sent before has arrived
    sent = count(watch.goals)
    stopped = fleet.await_ticks(2, lambda tick: tick["reason"] == "estop")
    assert len({tick["priority"] for tick in stopped}) == 1
    assert watch.priority[-1].frame_id == "", "who starts now and finds the dispatcher first, stands too"
    assert {tick["next_priority"] for tick in stopped} == {stopped[0]["priority"]}
    assert count(watch.goals) == sent
    assert all(stands(watch.goals[name][-1], poses) for name, poses in watch.odometry.items())

    # Another panel's false releases nobody, and a process that is killed and comes back finds the stop again.
    other(False)
    watch.told("stopped", 3)
    fleet.kill("robots")
    fleet.start_robots("robots", fleet.names)
    fleet.await_(lambda: all(n > sent[name] for name, n in count(watch.goals).items()), "stop goals again")
    watch.told("stopped", 2)
    # A listener that the new process finds later is told as well, so there may be a second one; all are to stand.
    assert all(n <= sent[name] + 2 for name, n in count(watch.goals).items())
    assert all(stands(g, poses) for name, poses in watch.odometry.items() for g in watch.goals[name][sent[name] :])

    # The panel that pressed releases: both nodes go on as they were.
    again = count(watch.goals)
    press(False)
    fleet.await_ticks(2, lambda tick: tick["reason"] != "estop")
    fleet.await_(lambda: all(n > again[name] for name, n in count(watch.goals).items()), "goals again")

    # The dispatcher's service is a button for the fleet, a robot node's one for its own robots.
    for node in ("dispatcher", "robots"):
        assert watch.call(SetBool, f"{node}/estop", data=True).success
        watch.told("stopped", 2)
        assert watch.call(SetBool, f"{node}/estop", data=False).success
        watch.told("moves")


def test_out_of_service_hold_and_advise(guarded: Fleet) -> None:
    fleet, watch = guarded, Watch(guarded)
    fleet.start_world(factor=16.0)
    fleet.start_robots("robots", fleet.names)
    fleet.start_dispatcher(rule="random")
    away, empty = fleet.names[:3], fleet.names[3]
    fleet.await_ticks(1, lambda tick: tick["complete"])

    # Excluded robots are neither asked nor sent goals; nor is one with a low battery, whose answer says so.
    watch.set("exclude", list(away), "dispatcher", "robots")
    charge = [0.1]
    send = fleet.publish(
        BatteryState, f"{empty}/battery", qos_profile_sensor_data, lambda: BatteryState(percentage=charge[0])
    )
    fleet.await_(lambda: empty in (watch.said("out") or [{"out": {}}])[-1]["out"], "a robot out of service", send)
    assert watch.said("out")[-1]["out"] == dict.fromkeys(away, "excluded") | {empty: "battery at 10 %"}
    before = count(watch.goals)
    ticks = fleet.await_ticks(4, lambda tick: empty in (*tick["sampled"], *tick["replacements"]))
    for tick in ticks:
        assert tick["excluded"] == list(away)
        assert not {*tick["sampled"], *tick["replacements"], *tick["messages"]} & set(away)
        assert tick["stale"] == {empty: "out of service"}
        assert tick["complete"], "another robot was asked instead"
    fleet.await_(lambda: any(n > before[name] for name, n in count(watch.goals).items()), "goals of the others", send)
    unsent = {name: len(watch.goals[name]) - before[name] for name in (*away, empty)}
    assert set(unsent.values()) == {0}
    charge[0] = 0.9
    watch.set("exclude", [""], "dispatcher", "robots")
    back = {*away, empty}
    fleet.await_(lambda: back <= {name for t in fleet.ticks[-12:] for name in t["zones"]}, "all of them back", send)

    # Every priority has stayed for 20 s, that is three ticks of 8 s.
    changes = [b["stamp"] for a, b in itertools.pairwise(fleet.ticks) if a["priority"] != b["priority"]]
    assert len(changes) >= 2
    assert all(after - before >= 24.0 - 1e-6 for before, after in itertools.pairwise(changes))
    held = [tick for tick in fleet.ticks if tick["reason"] == "min_hold"]
    assert held
    assert all(tick["dispatch"] == tick["next_priority"] == tick["priority"] for tick in held)

    # Advise: no goal without a confirm; one lasts while the priority stays.
    assert not watch.call(Trigger, "robots/confirm").success, "nothing awaits one in mode run"
    watch.set("mode", "advise", "robots")
    watch.told("awaiting", 2)
    before = count(watch.goals)
    watch.told("awaiting", 2)
    assert count(watch.goals) == before
    answer = watch.call(Trigger, "robots/confirm")
    assert answer.success
    assert watch.said("awaiting")[-1]["awaiting"] in answer.message
    fleet.await_(lambda: all(n > before[name] for name, n in count(watch.goals).items()), "goals of a confirmed tick")
    watch.told("awaiting")
