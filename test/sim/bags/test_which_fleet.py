"""Bags of several fleets, of robots that are not in the configuration, and what `fit` and `replay` say of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from bag_files import Said, header, pose_message, write_bag
from recorded import bundle
from typer.testing import CliRunner

from meanfleet.base.errors import UserError
from meanfleet.cli.app import app
from meanfleet.config import Config
from meanfleet.sim.bags.reading import Source, list_robots, read_fleet

HEADER, ODOMETRY = "std_msgs/msg/Header", "nav_msgs/msg/Odometry"
EXAMPLE = Path(__file__).resolve().parents[3] / "config" / "fleet.example.yaml"
ZONES = ("north", "east", "south")
TICKS = 40


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("which") / "three.yaml"
    content = {"zones": list(ZONES), "fleet": {"prefix": "r", "count": 4}, "dispatcher": {"k": 1, "tick": 1.0}}
    path.write_text(yaml.safe_dump(content))
    return path


def fleet(space: str, robots: int, seed: int) -> list[Said]:
    """Zones and priorities of a fleet in a namespace."""
    rng, said = np.random.default_rng(seed), []
    for tick in range(TICKS):
        at = 100 * 10**9 + tick * 10**9
        said.append((f"{space}/priority_zone", HEADER, at, header(at * 1e-9, ZONES[int(rng.integers(3))])))
        for robot in range(robots):
            name = f"{space}/r{robot}/zone"
            said.append((name, HEADER, at + 5, header(at * 1e-9, ZONES[int(rng.integers(3))])))
    return said


def merged(folder: Path, *fleets: list[Said]) -> Path:
    return write_bag(folder, sorted((item for said in fleets for item in said), key=lambda item: item[2]))


@pytest.mark.parametrize("spaces", [("/site_a", "/site_b"), ("", "/site_b"), ("/site_a", "/site_a/annex")])
def test_one_of_two_fleets_is_read_as_if_it_were_alone(tmp_path: Path, setup: Path, spaces: tuple[str, str]) -> None:
    config = Config.from_yaml(setup)
    both = merged(tmp_path / "both", fleet(spaces[0], 4, 1), fleet(spaces[1], 3, 2))
    with pytest.raises(UserError) as caught:
        read_fleet(both, config)
    assert f"namespaces {spaces[0] or '/'}, {spaces[1]}: choose one with --namespace" in str(caught.value)
    for space, robots, seed in ((spaces[0], 4, 1), (spaces[1], 3, 2)):
        alone = read_fleet(merged(tmp_path / f"alone{seed}", fleet(space, robots, seed)), config)
        log = read_fleet(both, config, Source(namespace=space or "/"))
        assert log.robots == alone.robots == tuple(f"r{i}" for i in range(robots))
        assert np.array_equal(log.zones, alone.zones)
        assert log.priority.tolist() == alone.priority.tolist()
        assert log.priority.min() >= 0
        assert list(list_robots(both, config, Source(namespace=space or "/"))) == list(alone.robots)
    with pytest.raises(UserError, match="no fleet in namespace /site_x: choose from"):
        read_fleet(both, config, Source(namespace="/site_x"))


def test_a_fleet_without_dispatcher_is_found_by_the_configurations_names(tmp_path: Path, setup: Path) -> None:
    config = Config.from_yaml(setup)
    zones = [item for item in fleet("/site_a", 4, 1) if not item[0].endswith("priority_zone")]
    assert read_fleet(merged(tmp_path / "one", zones), config).robots == config.robots
    with pytest.raises(UserError, match="namespaces /site_a, /site_b"):
        read_fleet(merged(tmp_path / "two", zones, fleet("/site_b", 4, 1)), config)


def test_poses_below_a_namespace_and_topics_of_single_robots(tmp_path: Path) -> None:
    config = Config.from_yaml(EXAMPLE)
    kind, own = "geometry_msgs/msg/PoseWithCovarianceStamped", "geometry_msgs/msg/PoseStamped"
    said = []
    for t in range(1, 40):
        said.append(("/hall/amr_1/amcl_pose", kind, t * 10**9, pose_message(kind, t, 3.0, 2.0)))
        said.append(("/tracker/amr_9/pose", own, t * 10**9 + 1, pose_message(own, t, 2.0, 4.0, frame="tracker")))
        said.append(("/hall/priority_zone", HEADER, t * 10**9 + 2, header(float(t), "storage")))
    log = read_fleet(write_bag(tmp_path / "b", said), config, Source(tick=1.0))
    assert log.robots == ("amr_1", "amr_9")
    assert log.zones[-1].tolist() == [0, 3]
    assert log.priority.tolist() == [1] * 39


def test_robots_that_are_missing_or_not_known_are_named(tmp_path: Path, setup: Path) -> None:
    config = Config.from_yaml(setup)
    said = fleet("", 3, 1) + [("/ghost/zone", HEADER, item[2], item[3]) for item in fleet("", 1, 2) if "r0" in item[0]]
    log = read_fleet(merged(tmp_path / "b", said), config)
    assert log.remarks == (
        f"1 robot of {config.source} is not in the bag: r3",
        f"1 robot of the bag is not in {config.source}: ghost",
    )
    assert read_fleet(tmp_path / "b", config, Source(include=("r0", "r1"))).remarks == ()


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_fit_says_and_keeps_what_it_dropped(tmp_path: Path) -> None:
    kind = "geometry_msgs/msg/PoseWithCovarianceStamped"
    centres = ((3.0, 2.0), (11.0, 2.0), (18.0, 2.0), (15.0, 10.0), (7.0, 10.0))
    rng, said = np.random.default_rng(0), []
    for t in range(1, 300):
        for robot in range(3):
            frame = f"amr_{robot}/map" if robot == 2 else "/map"
            place = (300.0, 0.0) if robot == 1 and t > 250 else centres[int(rng.integers(5))]
            at = t * 10**9
            said.append((f"/amr_{robot}/amcl_pose", kind, at, pose_message(kind, t, *place, frame=frame)))
    bag, out = write_bag(tmp_path / "b", said), tmp_path / "fitted.yaml"
    printed = run("fit", str(bag), "-c", str(EXAMPLE), "--moves", "way", "-k", "0", "-o", str(out))
    kept = json.loads(out.with_suffix(".fit.json").read_text())["read"]
    page = out.with_suffix(".fit.html").read_text()
    for name, count in {"unknown frames": 299, "outside all zones": 49, "silent robots": 1}.items():
        assert f"{name}: {count}" in printed
        assert f"{name}: {count}" in page
        assert kept["counts"][name] == count
    assert "'amr_2/map'" in printed
    assert "7 robots of" in printed
    assert len(kept["remarks"]) == 2


def test_replay_names_ks_that_cannot_be_served_and_takes_a_namespace(tmp_path: Path, setup: Path) -> None:
    policy = tmp_path / "p.npz"
    bundle(ks=(1, 2)).save(policy)
    bag = merged(tmp_path / "b", fleet("/a", 4, 1), fleet("/b", 4, 2))
    command = ("replay", str(bag), "-c", str(setup), "-p", str(policy), "--seeds", "2", "--rollouts", "0")
    end = ("-o", str(tmp_path / "out"), "--observer", "memoryless")
    printed = run(*command, "-k", "1,3,9", "--namespace", "/b", *end)
    assert "k = 9: there are 4 robots" in printed
    assert "k = 3, 4 with observer memoryless: the policy has no table for it (it has 1, 2)" in printed
    assert "k = 3, 4 with observer" in (tmp_path / "out" / "report.html").read_text()
    refused = CliRunner().invoke(app, [*command, "-k", "1", *end])
    assert isinstance(refused.exception, UserError)
    assert "/a, /b" in str(refused.exception)
