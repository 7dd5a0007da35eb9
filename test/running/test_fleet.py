"""The graph of a real fleet's processes, and what `meanfleet up --fleet` refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.config.robot import node_name
from meanfleet.operating.security import rights
from meanfleet.running.fleet import fleet_graph

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "config" / "fleet.example.yaml"
ROBOTS = Config.from_yaml(EXAMPLE).robots


def graph(policy: Path, **given: Any) -> list[tuple[str, Any]]:
    """(executable, robots) of the processes."""
    processes = fleet_graph({"fleet": str(EXAMPLE), "policy": str(policy)} | given)
    return [(process.executable, process.parameters.get("robots")) for process in processes]


def test_one_process_per_robot_then_dispatcher_and_monitor(fleet_policy: Path) -> None:
    assert graph(fleet_policy) == [*(("robot", [name]) for name in ROBOTS), ("dispatcher", None), ("monitor", None)]


def test_parts_for_several_computers_make_the_whole(fleet_policy: Path) -> None:
    """The dispatcher's computer and each robot's own: together what one computer would run."""
    dispatcher = graph(fleet_policy, part="dispatcher")
    alone = [process for name in ROBOTS for process in graph(fleet_policy, robot=name)]
    assert alone == graph(fleet_policy, part="robots")
    assert alone + dispatcher == graph(fleet_policy)


def test_robots_may_share_processes(fleet_policy: Path) -> None:
    groups = [robots for kind, robots in graph(fleet_policy, robots_per_process="4") if kind == "robot"]
    assert [len(group) for group in groups] == [4, 4, 2]
    assert [name for group in groups for name in group] == list(ROBOTS)


def test_nodes_have_different_names_and_all_are_started_again(fleet_policy: Path) -> None:
    processes = fleet_graph({"fleet": str(EXAMPLE), "policy": str(fleet_policy)})
    names = [process.name for process in processes if process.executable == "robot"]
    assert len(set(names)) == len(ROBOTS)
    assert [process.executable for process in processes if not process.respawn] == ["monitor"]
    assert node_name(("site_a/amr_1",)) == "robot_site_a_amr_1"


def test_parameters_reach_their_nodes(fleet_policy: Path) -> None:
    given = {"fleet": str(EXAMPLE), "policy": str(fleet_policy), "k": "2", "use_sim_time": "true", "seed": "7"}
    robot, *_, dispatcher, monitor = fleet_graph(given | {"duration": "60"})
    common = {"config": str(EXAMPLE), "policy": str(fleet_policy), "use_sim_time": True}
    for process in (robot, dispatcher, monitor):
        assert common.items() <= process.parameters.items()
    shadow, *_ = fleet_graph(given | {"mode": "shadow"})
    assert (robot.parameters["mode"], shadow.parameters["mode"]) == ("", "shadow")
    assert (robot.parameters["seed"], dispatcher.parameters["k"], monitor.parameters["duration"]) == (7, 2, 60.0)


def test_poses_that_the_policy_of_access_allows_are_those_of_the_overrides() -> None:
    """SROS 2: each robot's enclave hears its own source of poses."""
    granted = {right.node: right for right in rights(Config.from_yaml(EXAMPLE), "/site", each=True)}
    assert "/tracker/amr_9/pose" in granted["robot_amr_9"].subscribe
    assert "/site/amr_1/amcl_pose" in granted["robot_amr_1"].subscribe
    assert not any("amcl_pose" in topic for topic in granted["robot_amr_9"].subscribe)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"fleet": ""}, "argument fleet: name the fleet's configuration"),
        ({"robot": "amr_11"}, "'amr_11' is not in the fleet"),
        ({"robot": "amr_1", "part": "dispatcher"}, "argument robot: with part dispatcher no robot runs here"),
        ({"part": "robot"}, "argument part: 'robot' is unknown: choose from all, dispatcher, robots"),
        ({"mode": "ghost"}, "argument mode: 'ghost' is unknown: choose from shadow, advise, run"),
        ({"part": "robots", "policy": ""}, "argument policy: name the bundle"),
        ({"robot": "amr_1", "policy": ""}, "argument policy: name the bundle"),
        ({"robots_per_process": "0"}, "argument robots_per_process: expected 1 or more"),
        ({"k": "11"}, "k = 11, but the fleet has 10 robots"),
        ({"n": "3"}, "unknown argument 'n'"),
    ],
)
def test_what_does_not_fit_is_refused(fleet_policy: Path, given: dict[str, str], sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        fleet_graph({"fleet": str(EXAMPLE), "policy": str(fleet_policy)} | given)
    assert sentence in str(caught.value)


def test_more_processes_than_a_computer_carries_are_refused(fleet_policy: Path, tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    large = yaml.safe_load(EXAMPLE.read_text())
    large["fleet"] |= {"count": 250, "digits": 1}
    for i, zone in enumerate(large["zones"]):
        west, size = 100.0 * i, 50.0
        zone["polygon"] = [[west, 0.0], [west + size, 0.0], [west + size, size], [west, size]]
        zone["slots"] = [[west + 2.0 + 3.0 * (j % 16), 2.0 + 3.0 * (j // 16), 0.0] for j in range(250)]
    path.write_text(yaml.safe_dump(large))
    given = {"fleet": str(path), "policy": str(fleet_policy)}
    with pytest.raises(UserError, match=r"250 robots by 1 are 250 processes.*expected 3 or more"):
        fleet_graph(given)
    assert len(fleet_graph(given | {"robots_per_process": "3"})) == 84 + 2
    assert len(fleet_graph(given | {"robot": "amr_249"})) == 1
    assert len(fleet_graph(given | {"part": "dispatcher"})) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--fleet", str(EXAMPLE), "--n", "5"], "n is for the simulated warehouse"),
        (["--fleet", str(EXAMPLE), "--robot", "amr_77", "-p", "x.npz"], "did you mean 'amr_7'?"),
        (["--fleet", "nowhere.yaml"], "nowhere.yaml"),
        ([str(EXAMPLE), "--backend", "kinematic"], "measures a real floor"),
    ],
)
def test_up_refuses_in_one_sentence(arguments: list[str], sentence: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "meanfleet", "up", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 2, result.stderr
    assert sentence in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
