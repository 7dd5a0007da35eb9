"""Five simulated minutes of a real fleet's file on stand-ins for robots with Nav2: shadow, run, estop, run.

Ten robots, every one's navigation and every one's node a process of its own. What is asserted is read afterwards, from
the log that each stand-in kept of the goals it was sent and of where it truly was, and from the run's own log.
"""

from __future__ import annotations

import itertools
import json
import math
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import Listener, Processes, wait_for

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import BatteryState
from standin.harness import StandIns
from std_srvs.srv import SetBool

from meanfleet.config.robot import node_name
from meanfleet.robot_node.halt import STRAY
from meanfleet.ros.conversions import to_seconds

LIMIT = 120.0  # [s, wall] for anything awaited
FACTOR = 8.0  # simulated seconds per second of wall time
TICK, MIN_HOLD = 10.0, 20.0  # [s, simulated]
MINUTES = 5 * 60.0  # [s, simulated]
LAG = 16.0  # [s, simulated]; two seconds for what was under way, to nodes and to robots, on a busy computer
SPEED, NOISE = 2.0, 0.05  # [m/s], [m]
STUCK, EXCLUDED, EMPTY = "amr_3", "amr_2", "amr_4"


class Operator:
    """Whoever watches the fleet, and leads it through its modes."""

    def __init__(self, processes: Processes, standins: StandIns, listener: Listener, out: Path) -> None:
        self.processes, self.standins, self.listener, self.out = processes, standins, listener, out
        self.names = standins.config.robots
        self.nodes = ["dispatcher", *(node_name([name]) for name in self.names)]
        self.clock = listener.hear(Clock, "/clock", qos_profile_sensor_data)
        self.battery = listener.node.create_publisher(BatteryState, f"{EMPTY}/battery_state", qos_profile_sensor_data)

    def now(self) -> float:
        """[s, simulated]"""
        self.clock.clear()
        wait_for(lambda: self.clock, LIMIT, "the clock", self.listener.spin)
        return to_seconds(self.clock[-1].clock)

    def ticks(self) -> list[dict[str, Any]]:
        """The dispatcher's reports in the run's log."""
        path = self.out / "run.jsonl"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        values = [entry["values"] for entry in map(json.loads, lines) if entry["name"] == "dispatcher"]
        return [tick for tick in values if "gather_seconds" in tick]

    def await_(self, condition: Callable[[], Any], what: str) -> None:
        def between() -> None:
            self.battery.publish(BatteryState(percentage=0.1))
            self.listener.spin()

        try:
            wait_for(condition, LIMIT, what, between)
        except AssertionError as error:
            said = "\n".join(self.processes.output(one) for one in self.processes.started)
            raise AssertionError(f"{error}\n{said}") from None

    def await_ticks(self, count: int) -> None:
        before = len(self.ticks())
        self.await_(lambda: len(self.ticks()) >= before + count, f"{count} ticks")

    def set(self, name: str, value: str | list[str]) -> float:
        """Set a parameter of all nodes; when that was done."""
        for node in self.nodes:
            result = self.listener.set_parameter(node, name, value)
            assert result.successful, result.reason
        return self.now()

    def press(self, pressed: bool) -> float:
        before = self.now()
        assert self.listener.call(SetBool, "dispatcher/estop", data=pressed).success
        return before


@pytest.fixture
def operator(processes: Processes) -> Iterator[Operator]:
    changes = {
        "robot": {"goal_timeout": 12.0, "pose_hold": 10_000.0},
        "dispatcher": {"gather_timeout": 1.0, "max_age": 24.0},
        "safety": {"min_hold": MIN_HOLD, "battery_low": 0.2},
    }
    standins = StandIns(processes, changes, factor=FACTOR)
    listener = Listener(processes.domain)
    yield Operator(processes, standins, listener, processes.folder / "run")
    listener.close()


def test_shadow_run_estop_run(operator: Operator, processes: Processes, fleet_policy: Path) -> None:
    standins = operator.standins
    flaws = {"noise": NOISE, "dropout": 0.1, "rejection": 0.4}
    standins.start({"": flaws, STUCK: {"stuck": True}}, speed=SPEED)
    given = ["--fleet", str(standins.path), "-p", str(fleet_policy), "--use-sim-time", "--out", str(operator.out)]
    up = processes.module("meanfleet", "up", *given, "--mode", "shadow", "--rule", "random")

    operator.await_ticks(6)
    run = operator.now()
    operator.set("mode", "run")
    operator.await_ticks(5)
    out = operator.set("exclude", [EXCLUDED])
    operator.await_ticks(7)
    stop = operator.press(True)
    operator.await_ticks(6)
    release = operator.press(False)
    operator.await_ticks(6)
    end = operator.now()
    operator.await_(lambda: operator.now() - operator.ticks()[0]["stamp"] >= MINUTES, "five minutes")
    up.send_signal(signal.SIGINT)
    assert up.wait(timeout=60) == 0, processes.output(up)

    ticks = operator.ticks()
    goals = {name: standins.goals(name) for name in operator.names}
    check_shadow(ticks, goals, run)
    check_holding(ticks, stop, release)
    check_out_of_service(ticks, goals, out, (stop, release))
    check_stop(operator, goals, stop, release)
    # Under way in both stretches of mode run, to slots alone.
    for begin, over in ((run, stop), (release, end)):
        sent = {name: between(goals[name], begin + LAG, over) for name in operator.names}
        assert sum(map(bool, sent.values())) >= 4
        assert all(standins.goal_zone(name, goal["goal"]) is not None for name, some in sent.items() for goal in some)


def between(entries: list[dict[str, Any]], begin: float, end: float) -> list[dict[str, Any]]:
    return [entry for entry in entries if begin <= entry["t"] < end]


def check_shadow(ticks: list[dict[str, Any]], goals: dict[str, list[dict[str, Any]]], run: float) -> None:
    """All was decided, and nobody was sent anything."""
    shadow = [tick for tick in ticks if tick["mode"] == "shadow"]
    assert len(shadow) >= 6
    assert {tick["mode"] for tick in ticks if tick["stamp"] > run + TICK + LAG} == {"run"}
    assert len({tick["dispatch"] for tick in shadow}) >= 2, "it steered, on topics of its own"
    assert not any(between(some, 0.0, run) for some in goals.values())


def check_holding(ticks: list[dict[str, Any]], stop: float, release: float) -> None:
    """A priority stays for `min_hold`, and throughout the stop."""
    changes = [after["stamp"] for before, after in itertools.pairwise(ticks) if after["priority"] != before["priority"]]
    assert len(changes) >= 4
    assert all(after - before >= MIN_HOLD - 1e-6 for before, after in itertools.pairwise(changes))
    stopped = [tick for tick in ticks if stop + LAG < tick["stamp"] < release]
    assert len(stopped) >= 3
    assert {tick["reason"] for tick in stopped} == {"estop"}
    assert len({tick["priority"] for tick in stopped}) == 1


def check_out_of_service(
    ticks: list[dict[str, Any]], goals: dict[str, list[dict[str, Any]]], out: float, stop: tuple[float, float]
) -> None:
    """Who is excluded is not polled, whose battery is low is not counted, and neither is sent anywhere."""
    later = [tick for tick in ticks if tick["stamp"] > out + TICK]
    assert later
    assert not any(EXCLUDED in (*tick["sampled"], *tick["replacements"], *tick["zones"]) for tick in later)
    asked = [tick for tick in ticks[3:] if EMPTY in (*tick["sampled"], *tick["replacements"])]
    assert asked
    assert all(tick["stale"].get(EMPTY) == "out of service" for tick in asked)
    for name, since in ((EXCLUDED, out + LAG), (EMPTY, 0.0)):
        assert all(stop[0] <= goal["t"] < stop[1] for goal in goals[name] if goal["t"] > since), name


def check_stop(operator: Operator, goals: dict[str, list[dict[str, Any]]], stop: float, release: float) -> None:
    """Everybody is told to stay where it is, again if it rejected that; then all stand."""
    for name in operator.names:
        path = [entry for entry in operator.standins.log(name) if entry["what"] == "pose"]
        sent = between(goals[name], stop + LAG, release)
        assert between(goals[name], stop, release), f"{name} was not told"
        assert all(
            operator.standins.goal_zone(name, goal["goal"]) is None
            or math.dist(goal["goal"][:2], goal["at"][:2]) < STRAY
            for goal in sent
        ), f"{name} was told to go on"
        late = between(path, release - 2 * TICK, release)
        assert late == [], f"{name} moved to the end"
