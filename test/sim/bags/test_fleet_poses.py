"""Poses in a bag are read as a robot node would have heard them: own topics, frames, margins, silent localisation."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from bag_files import Said, pose_message, write_bag

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.floors.floor import floor_of
from meanfleet.floors.frames import Frames
from meanfleet.sim.bags.poses import read_poses
from meanfleet.sim.bags.reading import Source, read_fleet
from naive.bags import samples, zone_at

AMCL, TRACKED = "geometry_msgs/msg/PoseWithCovarianceStamped", "geometry_msgs/msg/PoseStamped"
ORIGIN = (3.0, -1.0, 0.7)  # of the tracker's frame in the map
TRACKER = "/tracker/carl"
FLOOR = f"""
zones:  # three rooms that touch
  - {{name: west, polygon: [[0, 0], [4, 0], [4, 4], [0, 4]], slots: [[1, 1, 0], [1, 2, 0], [1, 3, 0]]}}
  - {{name: middle, polygon: [[4, 0], [8, 0], [8, 4], [4, 4]], slots: [[5, 1, 0], [5, 2, 0], [5, 3, 0]]}}
  - {{name: east, polygon: [[8, 0], [12, 0], [12, 4], [8, 4]], slots: [[9, 1, 0], [9, 2, 0], [9, 3, 0]]}}
fleet:
  names: [anna, ben, carl]
  overrides: {{carl: {{pose_topic: {TRACKER}, pose_type: PoseStamped}}}}
frames: {{map: hall, static: {{tracker: {list(ORIGIN)}}}}}
robot: {{pose_topic: amcl_pose, pose_type: PoseWithCovarianceStamped, zone_margin: 0.5, heartbeat: 1.0}}
dispatcher: {{tick: 1.0, max_age: 3.0}}
"""


def fleet(folder: Path, **robot: float) -> Config:
    content = yaml.safe_load(FLOOR)
    content["robot"] |= robot
    path = folder / "fleet.yaml"
    path.write_text(yaml.safe_dump(content))
    return Config.from_yaml(path)


def tracked(x: float, y: float) -> tuple[float, float]:
    """A point of the map as the tracker sees it."""
    turn = np.array([[math.cos(ORIGIN[2]), math.sin(ORIGIN[2])], [-math.sin(ORIGIN[2]), math.cos(ORIGIN[2])]])
    seen = turn @ (np.array([x, y]) - ORIGIN[:2])
    return float(seen[0]), float(seen[1])


def said(robot: str, stamp: float, x: float, y: float) -> Said:
    if robot == "carl":
        return TRACKER, TRACKED, round(stamp * 1e9), pose_message(TRACKED, stamp, *tracked(x, y), frame="tracker")
    return f"/{robot}/amcl_pose", AMCL, round(stamp * 1e9), pose_message(AMCL, stamp, x, y, frame="hall")


def walks(seed: int) -> list[Said]:
    """Three robots that wander to and fro, often across the borders between rooms by less than the margin."""
    rng = np.random.default_rng(seed)
    messages = []
    for number, robot in enumerate(("anna", "ben", "carl")):
        x = 4.0 * (number + 0.5)
        for step in range(160):
            x = float(np.clip(x + rng.normal(0, 0.6), 0.1, 11.9))
            messages.append(said(robot, 100.0 + 0.25 * step + 0.01 * number, x, 2.0))
    return sorted(messages, key=lambda item: item[2])


def test_zones_are_those_that_robot_nodes_would_have_told(tmp_path: Path) -> None:
    config = fleet(tmp_path)
    bag = write_bag(tmp_path / "bag", walks(3))
    log = read_fleet(bag, config)
    zone_map, frames = floor_of(config).zone_map, Frames(config.frames)
    assert log.robots == config.robots
    assert log.counts == {}

    def zone_of(message: Any, before: int) -> int:
        pose = getattr(message.pose, "pose", message.pose)
        placed = frames.to_map(message.header.frame_id, (pose.position.x, pose.position.y, 0.0))
        assert placed is not None
        return int(zone_map.locate([placed[:2]], [before])[0])

    topics = {name: f"/{config.pose_source(name).topic}".replace("//", "/") for name in config.robots}
    for robot, past in samples(bag, topics.__getitem__, config.robots).items():
        expected = [zone_at(past, stamp, 3.0, zone_of) for stamp in log.stamps]
        assert log.zones[:, log.robots.index(robot)].tolist() == expected
        assert len(set(expected)) >= 2
        bare = [zone_at(past, stamp, 3.0, lambda message, before: zone_of(message, -1)) for stamp in log.stamps]
        assert robot != "ben" or bare != expected, "the margin made a difference"


def test_positions_for_pictures_are_in_the_map_frame_too(tmp_path: Path) -> None:
    config = fleet(tmp_path)
    bag = write_bag(tmp_path / "bag", [said("anna", 10.0, 1.0, 2.0), said("carl", 10.0, 9.0, 3.0)])
    found = read_poses(bag, config, np.array([10.0, 11.0]))
    assert found[1, [0, 2]] == pytest.approx(np.array([(1.0, 2.0), (9.0, 3.0)]), abs=1e-9)
    assert np.isnan(found[:, 1]).all()


def test_silent_localisation_is_believed_for_the_hold_of_robot_nodes(tmp_path: Path) -> None:
    bag = write_bag(
        tmp_path / "b", [said("anna", 10.0, 1.0, 2.0), *(said("ben", 10.0 + t, 5.0, 2.0) for t in range(9))]
    )
    seen = {hold: read_fleet(bag, fleet(tmp_path, pose_hold=hold)).zones[:, 0].tolist() for hold in (0.0, 6.0)}
    assert seen == {0.0: [0, 0, 0, -1, -1, -1, -1, -1], 6.0: [0, 0, 0, 0, 0, 0, -1, -1]}
    strict = read_fleet(bag, fleet(tmp_path, pose_hold=6.0), Source(max_age=1.0))
    assert strict.zones[:, 0].tolist() == [0, *[-1] * 7]


def test_poses_in_other_frames_are_refused_and_the_remedy_is_told(tmp_path: Path) -> None:
    config = fleet(tmp_path)
    strange = [("/anna/amcl_pose", AMCL, t * 10**9, pose_message(AMCL, t, 1.0, 2.0, frame="odom")) for t in range(1, 9)]
    with pytest.raises(UserError, match=r"8 poses are in frame 'odom', which is neither frames.map nor in frames.stat"):
        read_fleet(write_bag(tmp_path / "odd", strange), config)
    mixed = sorted([*strange, *(said("ben", float(t), 5.0, 2.0) for t in range(1, 9))], key=lambda item: item[2])
    log = read_fleet(write_bag(tmp_path / "mixed", mixed), config)
    assert log.counts == {"silent robots": 1, "unknown frames": 8}
    assert set(log.zones[:, log.robots.index("ben")].tolist()) == {1}


def test_a_robot_with_a_topic_of_its_own_is_not_looked_for_on_the_common_one(tmp_path: Path) -> None:
    config = fleet(tmp_path)
    other = [("/carl/amcl_pose", AMCL, t * 10**9, pose_message(AMCL, t, 1.0, 2.0, frame="hall")) for t in range(1, 9)]
    log = read_fleet(
        write_bag(tmp_path / "b", [*other, said("ben", 8.5, 5.0, 2.0), said("ben", 9.6, 5.0, 2.0)]), config
    )
    assert log.robots == ("ben",)
