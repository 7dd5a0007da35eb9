"""A real fleet's file, nodes and processes on stand-ins for robots with Nav2: the same executables as in simulation."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from processes import Processes, wait_for

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from standin.harness import StandIns

from naive.zones import inside

DRIVE = 10.0  # [s, simulated] between two zones, on which the one left still counts
LIMIT = 120.0  # [s, wall] for anything awaited
NOISE, STUCK, KILLED = 0.05, "amr_3", "amr_6"
TIMEOUT = 12.0  # [s, simulated]


def ticks(out: Path) -> list[dict[str, Any]]:
    """The dispatcher's reports in a run's log."""
    path = out / "run.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    values = [entry["values"] for entry in map(json.loads, lines) if entry["name"] == "dispatcher"]
    return [tick for tick in values if "gather_seconds" in tick]


def pid_of(processes: Processes, robot: str) -> int:
    """Of the process of this test that runs a robot's node."""
    for pid in processes.left():
        if f'robots:=["{robot}"]'.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise AssertionError(f"no process runs the node of {robot}")


@pytest.fixture
def standins(processes: Processes) -> StandIns:
    changes = {
        "robot": {"goal_timeout": TIMEOUT, "pose_hold": 10_000.0},
        # Ages count in simulated time, eight times as fast as a busy computer answers.
        "dispatcher": {"gather_timeout": 1.0, "max_age": 24.0},
    }
    return StandIns(processes, changes, factor=8.0)


def test_a_fleet_of_ten_drives_by_its_file_alone(processes: Processes, standins: StandIns, fleet_policy: Path) -> None:
    """Goals, rejections, a stuck robot, a robot's node that dies, noisy poses, and the end: each robot a process.

    One run, because twenty processes take a while to start.
    """
    out = processes.folder / "run"
    flaws = {"noise": NOISE, "dropout": 0.1, "rejection": 0.4}
    robots = standins.start({"": flaws, STUCK: {"stuck": True}, "amr_9": {"noise": NOISE}})
    given = ["--fleet", str(standins.path), "-p", str(fleet_policy), "--use-sim-time", "--out", str(out)]
    up = processes.module("meanfleet", "up", *given)

    def await_(condition: Callable[[], Any], what: str) -> Any:
        try:
            return wait_for(lambda: condition() or up.poll() is not None, LIMIT, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{processes.output(up)}\n{processes.output(robots)}") from None

    await_(lambda: len([tick for tick in ticks(out) if tick["complete"]]) >= 3, "three complete ticks")
    killed = pid_of(processes, KILLED)
    os.kill(killed, signal.SIGKILL)
    await_(lambda: f"robot_{KILLED} was ended by signal 9" in processes.output(up), "the death to be told")
    before = len(ticks(out))
    await_(lambda: any(KILLED in tick["zones"] for tick in ticks(out)[before:]), "the robot to be heard again")
    assert pid_of(processes, KILLED) != killed
    await_(lambda: repeated(standins, STUCK), "a stuck robot's goal to be sent again")
    await_(lambda: recovered(standins), "a goal that was rejected to be taken later")
    seen = ticks(out)

    (told,) = (entry["t"] for entry in standins.log(STUCK) if entry["what"] == "pose")

    check_goals(standins)
    check_zones(standins, seen)
    # It has told its pose once, long ago; its localisation is there, so it is polled all the same.
    await_(lambda: any(STUCK in tick["zones"] for tick in ticks(out) if tick["stamp"] > told + 60.0), "the stuck robot")

    open_goal = standins.goals(STUCK)[-1]
    assert standins.goal_zone(STUCK, open_goal["goal"]) is not None
    up.send_signal(signal.SIGINT)
    assert up.wait(timeout=60) == 0, processes.output(up)
    # The stuck robot still had its goal: it is told to stay where it is.
    last = wait_for(lambda: new_goal(standins, open_goal), 20, "the stuck robot's goal to be cancelled")
    assert last["goal"][:2] == pytest.approx(last["at"][:2], abs=1e-6)
    assert (out / "summary.json").exists()


def new_goal(standins: StandIns, before: dict[str, Any]) -> Any:
    """The stuck robot's latest goal if it is where it stands."""
    last = standins.goals(STUCK)[-1]
    return (
        last
        if last["t"] >= before["t"]
        and standins.goal_zone(STUCK, last["goal"]) != standins.goal_zone(STUCK, before["goal"])
        else None
    )


def repeated(standins: StandIns, robot: str) -> int:
    """How often a robot's goal was the one before."""
    return sum(a["goal"] == b["goal"] for a, b in itertools.pairwise(standins.goals(robot)))


def recovered(standins: StandIns) -> bool:
    """Whether some robot took, on being sent it again, a goal it had rejected."""
    return any(
        not a["taken"] and b["taken"] and a["goal"] == b["goal"]
        for name in standins.config.robots
        for a, b in itertools.pairwise(standins.goals(name))
    )


def check_goals(standins: StandIns) -> None:
    """Every goal is a slot of the robot's own; the same goal comes again after the timeout only."""
    owners: dict[tuple[float, ...], str] = {}
    for name in standins.config.robots:
        goals = standins.goals(name)
        assert all(goal["frame"] == "map" for goal in goals)
        for goal in goals:
            assert standins.goal_zone(name, goal["goal"]) is not None, goal
            assert owners.setdefault(tuple(round(value, 3) for value in goal["goal"][:2]), name) == name
        if name == KILLED:
            continue  # its new node does not know what the old one sent
        for a, b in itertools.pairwise(goals):
            assert a["goal"] != b["goal"] or b["stamp"] - a["stamp"] >= TIMEOUT - 1e-6, (name, a, b)


def check_zones(standins: StandIns, seen: list[dict[str, Any]]) -> None:
    """Every zone the dispatcher heard is one the robot truly was in, or on its way out of, shortly before."""
    zone_of = {name: i for i, name in enumerate(standins.config.zones)}
    pads = [[(float(x), float(y)) for x, y in zone["polygon"]] for zone in standins.content["zones"]]
    heard = 0
    for name in standins.config.robots:
        path = [(entry["t"], entry["at"]) for entry in standins.log(name) if entry["what"] == "pose"]
        for tick in seen:
            if name not in tick["zones"]:
                continue
            zone = tick["zones"][name]
            zone = zone_of[zone] if isinstance(zone, str) else zone
            oldest = tick["stamp"] - standins.config.dispatcher.max_age - DRIVE
            held = [at for t, at in path if t <= oldest][-1:]
            recent = held + [at for t, at in path if oldest < t <= tick["stamp"] + 10.0]
            assert any(near(pads[zone], at) for at in recent), (name, tick["stamp"], zone, recent)
            heard += 1
    assert heard >= len(standins.config.robots)


def near(pad: list[tuple[float, float]], at: list[float]) -> bool:
    """Whether the pad is under the robot or within the noise of it."""
    shifts = [(0.0, 0.0), *((a, b) for a in (-0.3, 0.3) for b in (-0.3, 0.3))]
    return any(inside(pad, (at[0] + a, at[1] + b)) for a, b in shifts)


def test_the_same_bundle_and_executables_run_the_simulated_warehouse(
    processes: Processes, standins: StandIns, fleet_policy: Path
) -> None:
    """Only the file differs: zones by name, so the floor is the ring warehouse."""
    out = processes.folder / "run"
    given = [str(standins.simulated()), "-p", str(fleet_policy), "--duration", "21", "--out", str(out), "--json"]
    up: subprocess.Popen[bytes] = processes.module("meanfleet", "up", *given)
    assert up.wait(timeout=LIMIT) == 0, processes.output(up)
    assert len([tick for tick in ticks(out) if tick["complete"]]) >= 2
