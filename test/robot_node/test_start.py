"""A robot's computer has rclpy, numpy, pyyaml and pydantic: its node starts and works with everything else blocked."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import ROOT, Listener, Processes, wait_for

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from fleets import hand_made_policy
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Header

from meanfleet.config import Config
from meanfleet.ros.conversions import zone_header
from meanfleet.ros.node import GOAL, LATCHED

EXAMPLE = ROOT / "config" / "fleet.example.yaml"
ALLOWED = {"numpy", "pyyaml", "pydantic"}
BLOCKED = """
import runpy, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ImportError(f"{{name}} is blocked")

sys.meta_path.insert(0, Blocker())
runpy.run_module("meanfleet.robot_node.node", run_name="__main__")
"""


def heavy() -> set[str]:
    """What setup.py installs beyond a robot's four packages, and what those bring along."""
    text = (ROOT / "setup.py").read_text()
    listed = re.findall(r'^        "([A-Za-z]+)[>=]', text, re.MULTILINE)
    assert {"numba", "pybullet", "scipy"} <= set(listed)
    return (set(listed) - ALLOWED) | {"llvmlite", "click", "PIL", "torch"}


def lone_robot(processes: Processes, policy: Path) -> Callable[[], str]:
    """A node of one robot in a process in which nothing but the four packages can be imported; returns its output."""
    (processes.folder / "lone_robot.py").write_text(BLOCKED.format(names=sorted(heavy())))
    processes.environment["PYTHONPATH"] += f":{processes.folder}"
    node = processes.node("lone_robot", config=str(EXAMPLE), policy=str(policy), robots=["amr_1"])
    return lambda: processes.output(node)


def test_a_robots_node_works_with_its_four_packages_alone(
    processes: Processes, record_property: Callable[[str, object], None]
) -> None:
    """From a latched pose to a zone, and from a priority to a goal; memory and start-up are recorded."""
    config = Config.from_yaml(EXAMPLE)
    policy = hand_made_policy(config, processes.folder / "policy.npz")
    listener = Listener(processes.domain)
    try:
        zones = listener.hear(Header, "amr_1/zone", LATCHED)
        goals = listener.hear(PoseStamped, "amr_1/goal_pose", GOAL)
        latched = QoSProfile(
            depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
        )
        localisation = listener.node.create_publisher(PoseWithCovarianceStamped, "amr_1/amcl_pose", latched)
        pose = PoseWithCovarianceStamped()
        pose.header.frame_id, pose.header.stamp = "map", listener.node.get_clock().now().to_msg()
        pose.pose.pose.position.x, pose.pose.pose.position.y = 1.7, 1.0
        localisation.publish(pose)  # before the robot's node is there, and once only
        began = time.monotonic()
        output = lone_robot(processes, policy)
        wait_for(lambda: zones, 60, f"a zone; {output()}", listener.spin)
        seconds = time.monotonic() - began
        assert zones[0].frame_id == "receiving"
        first = zones[0].stamp
        # It says no more; its zone stays fresh as long as it is there.
        wait_for(lambda: zones[-1].stamp.sec >= first.sec + 3, 60, "a renewed stamp", listener.spin)

        dispatcher = listener.node.create_publisher(Header, "priority_zone", LATCHED)
        dispatcher.publish(zone_header("storage", 5.0))
        wait_for(lambda: goals, 60, f"a goal; {output()}", listener.spin)
        goal = goals[0]
        assert goal.header.frame_id == "map"
        own = [slot[:2] for slot in (zone.slots[1] for zone in config.floor.zones)]  # type: ignore[union-attr]
        assert (goal.pose.position.x, goal.pose.position.y) in own
    finally:
        listener.close()
    memory = next(
        int(line.split()[1]) / 1024
        for line in Path(f"/proc/{processes.started[0].pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    record_property("first_zone_seconds", round(seconds, 2))
    record_property("peak_memory_mib", round(memory, 1))
    print(json.dumps({"first_zone_seconds": round(seconds, 2), "peak_memory_mib": round(memory, 1)}))


def test_the_block_is_able_to_fail(processes: Processes) -> None:
    """With numpy blocked too, the node does not start."""
    text = BLOCKED.format(names=["numpy"])
    (processes.folder / "lone_robot.py").write_text(text)
    processes.environment["PYTHONPATH"] += f":{processes.folder}"
    node = processes.node("lone_robot")
    assert node.wait(timeout=60) == 1
    assert "numpy is blocked" in processes.output(node)
