"""Dispatcher, robots and world as processes over DDS: the loop closes, and parts may fail."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import Listener, Processes, wait_for

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from meanfleet.config import Config
from meanfleet.floors.ring import RingLayout
from meanfleet.ros.conversions import read_diagnostics, to_seconds
from meanfleet.ros.node import DIAGNOSTICS, GOAL, LATCHED
from meanfleet.running.record import RunRecord
from meanfleet.solver.bundle.policy import PolicyBundle

N, K, LONER = 20, 5, "robot_07"
KEEPING = QoSProfile(depth=200, reliability=LATCHED.reliability, durability=LATCHED.durability)
WORLD, ROBOT, DISPATCHER = "meanfleet.sim.node", "meanfleet.robot_node.node", "meanfleet.dispatcher_node.node"


@pytest.fixture
def listener(processes: Processes) -> Iterator[Listener]:
    """The test's own node on the processes' domain."""
    own = Listener(processes.domain)
    yield own
    own.close()


def start_loop(processes: Processes, config: Path, policy: Path) -> dict[str, Any]:
    """World, robots (one of them in a process of its own) and dispatcher."""
    others = [name for name in Config.from_yaml(config).with_robots(N).robots if name != LONER]
    common = {"config": str(config), "n": N, "seed": 3}
    acting = common | {"policy": str(policy), "use_sim_time": True}
    return {
        "world": processes.node(WORLD, real_time_factor=8.0, **common),
        "robots": processes.node(ROBOT, robots=others, **acting),
        "loner": processes.node(ROBOT, robots=[LONER], **acting),
        "dispatcher": processes.node(DISPATCHER, k=K, **acting),
    }


def test_the_loop_closes_and_a_killed_robot_is_replaced(
    processes: Processes, listener: Listener, demo_path: Path, demo_policy: Path, demo_bundle: PolicyBundle
) -> None:
    config = Config.from_yaml(demo_path).with_robots(N)
    told = listener.hear(DiagnosticArray, "diagnostics", DIAGNOSTICS)
    priorities = listener.hear(Header, "priority_zone", KEEPING)
    goals = {name: listener.hear(PoseStamped, f"{name}/goal_pose", GOAL) for name in config.robots}
    running = start_loop(processes, demo_path, demo_policy)

    def record() -> RunRecord:
        found = RunRecord()
        for message in told:
            for name, _, values in read_diagnostics(message):
                found.add(name, values)
        return found

    def logs() -> str:
        return "\n".join(processes.output(process) for process in running.values())

    wait_for(lambda: len(record().ticks) >= 8, 90, f"eight ticks; {logs()}", listener.spin)
    before = record()

    # Every tick publishes its priority, and ticks are one tick apart.
    stamps = [tick["stamp"] for tick in before.ticks]
    gaps = [after - stamp for stamp, after in itertools.pairwise(stamps)]
    assert gaps == pytest.approx([config.dispatcher.tick] * len(gaps))
    expected = {round(tick["stamp"], 6): tick["priority"] for tick in before.ticks}

    def published() -> dict[float, str]:
        heard = {round(to_seconds(message.stamp), 6): message.frame_id for message in priorities}
        return {stamp: name for stamp, name in heard.items() if stamp in expected}

    # Topics are not ordered among each other: what a report speaks of may arrive after it.
    wait_for(lambda: len(published()) == len(expected), 20, "every tick's priority", listener.spin)
    assert published() == expected

    # The dispatcher hears exactly the robots it asked.
    for tick in before.ticks:
        assert len(tick["sampled"]) == K
        assert set(tick["messages"]) <= {*tick["sampled"], *tick["replacements"]}
        assert set(tick["zones"]) <= {*tick["sampled"], *tick["replacements"]}
        # On a busy machine a robot may answer together with the one that was asked in its place.
        assert K <= len(tick["zones"]) == tick["answered"] <= K + len(tick["replacements"])

    # Robots' moves have positive probability under π_l, and their goals are where the moves lead.
    what = "a goal for every robot whose moves led elsewhere than before"
    wait_for(lambda: not goals_missing(before, goals, config, demo_bundle), 20, what, listener.spin)

    # A robot process that is killed is reported and replaced; ticks stay complete.
    running["loner"].send_signal(signal.SIGKILL)
    running["loner"].wait(timeout=10)
    count = len(before.ticks)

    def replaced() -> list[dict[str, Any]]:
        later = record().ticks[count + 1 :]
        return [tick for tick in later if LONER in tick["sampled"] and LONER in [*tick["missing"], *tick["stale"]]]

    tick = wait_for(replaced, 90, f"a tick that samples the dead robot; {logs()}", listener.spin)[0]
    assert tick["replacements"], "nobody was asked instead"
    assert tick["complete"]
    assert LONER not in tick["zones"]

    # Both signals end a node cleanly.
    running["dispatcher"].send_signal(signal.SIGINT)
    running["robots"].send_signal(signal.SIGTERM)
    running["world"].send_signal(signal.SIGTERM)
    for name in ("dispatcher", "robots", "world"):
        assert running[name].wait(timeout=20) == 0, processes.output(running[name])
    assert processes.left() == []


def goals_missing(
    record: RunRecord, goals: dict[str, list[Any]], config: Config, bundle: PolicyBundle
) -> list[tuple[str, float]]:
    """Compare what robots did at each tick with π_l, and the goals sent with their moves.

    Returns robots and stamps at which the goal changed but no message has arrived yet.
    """
    layout, zone_of = RingLayout.from_config(config), {name: i for i, name in enumerate(config.zones)}
    sent = {
        name: {round(to_seconds(message.header.stamp), 6): message.pose.position for message in messages}
        for name, messages in goals.items()
    }
    standing: dict[str, int] = {}
    checked = 0
    missing: list[tuple[str, float]] = []
    for stamp in sorted(record.acts):
        for act in record.acts[stamp]:
            priority = zone_of[act["priority"]]
            for name, zone, move in zip(act["robots"], act["zones"], act["moves"], strict=True):
                assert bundle.local_policy[zone, priority, move] > 0
                goal = (zone + (0, 1, -1)[move]) % len(config.zones)
                position = sent[name].get(round(stamp, 6))
                if position is not None:
                    slot = layout.slots[config.robots.index(name), goal]
                    assert (position.x, position.y) == pytest.approx(tuple(slot[:2]))
                    checked += 1
                elif standing.get(name, goal) != goal:
                    missing.append((name, stamp))
                standing[name] = goal
    assert missing or checked >= N
    return missing


def test_a_second_dispatcher_and_a_second_clock_are_refused(
    processes: Processes, demo_path: Path, demo_policy: Path
) -> None:
    common = {"config": str(demo_path), "n": N}
    acting = common | {"policy": str(demo_policy), "use_sim_time": True}
    world = processes.node(WORLD, real_time_factor=8.0, **common)
    processes.node(ROBOT, **acting)
    first = processes.node(DISPATCHER, k=K, **acting)
    wait_for(lambda: "first tick follows" in processes.output(first), 60, lambda: processes.output(first))
    second = processes.node(DISPATCHER, k=K, **acting)
    clock = processes.node(WORLD, **common)
    for late in (second, clock):
        wait_for(lambda late=late: late.poll() is not None, 90, lambda late=late: processes.output(late))
        assert late.returncode == 2, processes.output(late)
    assert "another dispatcher already publishes '/priority_zone'" in processes.output(second)
    assert "another simulation or bag already publishes '/clock'" in processes.output(clock)
    assert "Traceback" not in processes.output(second) + processes.output(clock)
    assert world.poll() is None
    assert first.poll() is None


def test_a_second_dispatcher_is_refused_under_remapped_names_too(
    processes: Processes, demo_path: Path, demo_policy: Path
) -> None:
    """The first waits for its robots: its publisher is there, and has said nothing that could give it away."""
    names = {"priority_zone": "site/steering"}
    given = {"config": str(demo_path), "n": N, "policy": str(demo_policy), "k": K}
    first = processes.node(DISPATCHER, names, startup_timeout=600.0, **given)
    wait_for(lambda: "waiting for robots" in processes.output(first), 60, lambda: processes.output(first))
    second = processes.node(DISPATCHER, names, **given)
    wait_for(lambda: second.poll() is not None, 90, lambda: f"the second to give up; {processes.output(second)}")
    assert second.returncode == 2, processes.output(second)
    assert "another dispatcher already publishes '/site/steering'" in processes.output(second)
    assert first.poll() is None


def test_of_two_that_start_at_once_one_stays(processes: Processes, demo_path: Path, demo_policy: Path) -> None:
    """Neither finds the other when it looks, and both publish: then both give way, and one comes back."""
    given = {"config": str(demo_path), "n": N, "policy": str(demo_policy), "k": K, "startup_timeout": 0.0}
    both = [processes.node(DISPATCHER, **given) for _ in range(2)]

    def said() -> str:
        return "\n".join(processes.output(one) for one in both)

    wait_for(lambda: any(one.poll() is not None for one in both), 120, said)
    codes = [one.poll() for one in both]
    assert sorted(codes, key=str) == [2, None], said()
    assert "another dispatcher already publishes '/priority_zone'" in processes.output(both[codes.index(2)])
    stays = both[codes.index(None)]
    before = processes.output(stays).count("tick ")
    wait_for(lambda: processes.output(stays).count("tick ") > before, 60, said)


@pytest.mark.parametrize(
    ("module", "parameters", "sentence"),
    [
        (DISPATCHER, {"k": 50}, "k = 50, but the fleet has 20 robots"),
        (DISPATCHER, {"k": 3}, "no table for k = 3, only for k = 1, 2, 5"),
        (ROBOT, {"robots": ["robot_7"]}, "'robot_7' is not in the fleet"),
        (WORLD, {"backend": "bulet"}, "backend 'bulet' is unknown"),
        (DISPATCHER, {"k": "five"}, "parameter 'k'"),
    ],
)
def test_nodes_refuse_wrong_parameters_in_one_sentence(
    processes: Processes, demo_path: Path, demo_policy: Path, module: str, parameters: dict[str, Any], sentence: str
) -> None:
    given = {"config": str(demo_path), "n": N} | ({} if module == WORLD else {"policy": str(demo_policy)})
    node = processes.node(module, **(given | parameters))
    assert node.wait(timeout=60) == 2
    assert sentence in processes.output(node)
    assert "Traceback" not in processes.output(node)


def test_up_ends_by_itself_and_leaves_a_summary(processes: Processes, demo_path: Path, demo_policy: Path) -> None:
    out = processes.folder / "run"
    up = processes.module(
        "meanfleet", "up", str(demo_path), "-p", str(demo_policy), "-n", str(N), "-k", str(K),
        "--duration", "40", "--out", str(out), "--json",
    )  # fmt: skip
    assert up.wait(timeout=120) == 0, processes.output(up)
    record = RunRecord.load(out)
    assert len(record.ticks) >= 4
    assert (out / "summary.json").exists()
    assert processes.left() == []


@pytest.mark.parametrize("how", ["interrupt", "a child's death", "the parent's death"])
def test_up_leaves_nothing_running(processes: Processes, demo_path: Path, demo_policy: Path, how: str) -> None:
    out = processes.folder / "run"
    up = processes.module(
        "meanfleet", "up", str(demo_path), "-p", str(demo_policy), "-n", str(N), "-k", str(K), "--out", str(out)
    )
    wait_for(lambda: "tick" in processes.output(up) or up.poll() is not None, 60, "the first tick")
    assert up.poll() is None, processes.output(up)
    children = [pid for pid in processes.left() if pid != up.pid]
    assert len(children) == 4
    if how == "interrupt":
        up.send_signal(signal.SIGINT)
        assert up.wait(timeout=30) == 0
        assert (out / "summary.json").exists()
    elif how == "a child's death":
        robots = next(pid for pid in children if b"robot_node" in Path(f"/proc/{pid}/cmdline").read_bytes())
        os.kill(robots, signal.SIGKILL)
        assert up.wait(timeout=30) == 1
        assert "the robot was ended by signal 9" in processes.output(up)
    else:
        up.kill()
        up.wait(timeout=10)
    wait_for(lambda: not processes.left(), 20, "all processes to end")
