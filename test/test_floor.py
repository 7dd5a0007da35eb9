"""A real floor: zones as polygons with slots, refused whole when something in them cannot be."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.floors.floor import PolygonFloor, floor_of
from meanfleet.solver import Game
from meanfleet.space.zone_map import NOWHERE, ZoneMap

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "config" / "fleet.example.yaml"
CONTENT: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())


def read(folder: Path, content: dict[str, Any]) -> Config:
    path = folder / "fleet.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return Config.from_yaml(path)


def set_(*keys: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    """A change of a configuration: the value under these keys becomes another."""

    def change(content: dict[str, Any]) -> None:
        for key in keys[:-1]:
            content = content.setdefault(key, {}) if isinstance(content, dict) else content[key]
        content[keys[-1]] = to

    return change


def test_the_example_describes_a_floor_on_which_everybody_has_a_place() -> None:
    config = Config.from_yaml(EXAMPLE)
    floor = floor_of(config)
    assert isinstance(floor, PolygonFloor)
    assert config.zones == tuple(zone["name"] for zone in CONTENT["zones"])
    assert floor.slots.shape == (10, 5, 3)
    for robot in range(10):
        for zone in range(5):
            assert floor.slots[robot, zone].tolist() == CONTENT["zones"][zone]["slots"][robot]
            assert floor.zone_map.pad_of(floor.slots[robot, zone, :2]).tolist() == [zone]
    places = {tuple(pose[:2]) for pose in floor.slots.reshape(-1, 3).tolist()}
    assert len(places) == 50, "two robots share a place"


def test_the_examples_priority_is_the_dispatch_for_certain() -> None:
    """Direct dynamics on the floor, so the game that is solved has them too."""
    game = Game.from_yaml(EXAMPLE)
    assert Config.from_yaml(EXAMPLE).dispatcher.priority_dynamics == "direct"
    assert (game.P_g == np.eye(5)).all()


def test_a_robots_own_pose_topic_quality_and_slot(tmp_path: Path) -> None:
    content = copy.deepcopy(CONTENT)
    content["fleet"]["overrides"] |= {"amr_0": {"slot": 3}, "amr_3": {"slot": 0}, "amr_4": {"pose_topic": "odom"}}
    config = read(tmp_path, content)
    assert config.slots == (3, 1, 2, 0, 4, 5, 6, 7, 8, 9)
    assert floor_of(config).slots[0, 2].tolist() == CONTENT["zones"][2]["slots"][3]
    assert config.pose_source("amr_9").topic == "/tracker/amr_9/pose"
    assert config.pose_source("amr_9").type == "PoseStamped"
    assert config.pose_source("amr_4").topic == "amr_4/odom"
    assert config.pose_source("amr_1").durability == "transient_local"
    assert config.pose_source("amr_9").durability == "volatile"


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        (
            set_("zones", 1, "polygon", to=[[5, 0], [14, 0], [14, 4], [5, 4]]),
            "zones.1.polygon",
            "receiving and storage",
        ),
        (set_("zones", 1, "polygon", to=[[8, 0], [14, 4], [14, 0], [8, 4]]), "zones.1.polygon", "intersects itself"),
        (set_("zones", 1, "polygon", to=[[8, 0], [14, 0]]), "zones.1.polygon", "2 corners"),
        (set_("zones", 1, "polygon", to=[[8, 0], [14, 0, 1], [14, 4]]), "zones.1.polygon.1", ""),
        (set_("zones", 1, "polygon", 0, to=[float("nan"), 0]), "zones.1.polygon.0.0", ""),
        (set_("zones", 2, "slots", 3, to=[16.0, 5.0, 0.0]), "zones.2.slots.3", "outside its zone picking"),
        (set_("zones", 2, "slots", 3, to=[16.0, 1.0, 0.0]), "zones.2.slots.3", "outside its zone picking"),
        (set_("zones", 2, "slots", 3, to=[16.6, 1.1, 0.0]), "zones.2.slots.3", "slot 0 of zone picking"),
        (set_("zones", 2, "slots", 3, to=[16.1, 2.0, 0.0]), "zones.2.slots.3", "robot.zone_margin"),
        (set_("zones", 2, "slots", to=[[18, 1, 0]]), "zones.2.slots", "has 1 slots for 10 robots"),
        (set_("zones", 2, "neighbours", to=["packing", "storrage"]), "zones.2.neighbours", "did you mean 'storage'?"),
        (set_("zones", 2, "neighbours", to=["picking", "storage"]), "zones.2.neighbours", "the zone itself"),
        (set_("zones", 2, "neighbours", to=["packing", "packing"]), "zones.2.neighbours", "twice"),
        (set_("zones", 2, "name", to="storage"), "zones", "names must differ"),
        (set_("zones", 2, "slot", to=[]), "zones.2.slot", "did you mean 'slots'?"),
        (set_("zones", 2, to="picking"), "zones", "all zones are names"),
        (set_("zones", 2, to={"name": "picking", "slots": []}), "zones.2.polygon", "missing"),
        (set_("fleet", "overrides", to={"amr_10": {}}), "overrides", "did you mean 'amr_1'?"),
        (set_("fleet", "overrides", to={"amr_1": {"slot": 2}}), "overrides", "amr_1 and amr_2 both have slot 2"),
        (set_("fleet", "overrides", to={"amr_1": {"slot": 10}}), "zones.0.slots", "has slot 10"),
        (set_("fleet", "overrides", to={"amr_1": {"pose_topic": "a b"}}), "fleet.overrides.amr_1.pose_topic", "'a b'"),
        (set_("robot", "pose_durability", to="latched"), "robot.pose_durability", "transient_local"),
        (set_("robot", "pose_topic", to="7up"), "robot.pose_topic", "no ROS topic"),
        (set_("frames", "static", to={"map": [0, 0, 0]}), "frames", "the map frame itself"),
        (set_("frames", "static", to={"odom": [0, 0]}), "frames.static.odom", ""),
        (set_("floor", to={}), "floor", "unknown key"),
    ],
)
def test_a_floor_that_cannot_be_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], key: str, words: str
) -> None:
    content = copy.deepcopy(CONTENT)
    change(content)
    with pytest.raises(UserError) as caught:
        read(tmp_path, content)
    message = str(caught.value)
    assert key in message
    assert words in message
    assert "\n" not in message
    assert str(tmp_path / "fleet.yaml") in message


def test_neighbours_make_the_graph_of_moves_and_the_order_of_the_list_a_ring(tmp_path: Path) -> None:
    ring = Config.from_yaml(EXAMPLE).zone_graph
    assert ring.is_ring
    content = copy.deepcopy(CONTENT)
    content["zones"][0]["neighbours"] = ["picking", "storage", "shipping"]
    content["game"]["r_l"]["move"] = {"stay": 0.0, "drive": 0.1}
    graph = read(tmp_path, content).zone_graph
    assert graph.targets[0].tolist() == [0, 2, 1, 4]
    assert graph.targets[1, :3].tolist() == ring.targets[1].tolist()
    with pytest.raises(UserError, match="graph"):
        read(tmp_path, content | {"graph": {"receiving": ["storage"]}})


def test_more_robots_than_slots_are_refused_also_when_asked_for_later() -> None:
    config = Config.from_yaml(EXAMPLE)
    assert floor_of(config.with_robots(4)).slots.shape == (4, 5, 3)
    with pytest.raises(UserError, match="10 slots for 11 robots"):
        config.with_robots(11)


# Two zones that touch along x = 0; a robot goes to and fro.
TOUCHING = [[(-5, -1), (0, -1), (0, 1), (-5, 1)], [(0, -1), (5, -1), (5, 1), (0, 1)]]


# Odd two-hundredths of a metre: neither on the line between the zones nor exactly a margin away from it.
STEPS = st.integers(-200, 200).map(lambda i: (2 * i + 1) / 200)


@given(st.lists(STEPS, min_size=1, max_size=30), st.sampled_from([0.0, 0.1, 0.5]))
def test_a_zone_changes_once_the_robot_is_deeper_in_another_than_the_margin(path: list[float], margin: float) -> None:
    """Against the rule written down one pose at a time."""
    pads = ZoneMap(TOUCHING, margin)
    zone, expected = NOWHERE, NOWHERE
    for x in path:
        (zone,) = pads.locate([[x, 0.0]], [zone]).tolist()
        here = int(x > 0)
        if expected == NOWHERE or (here != expected and min(abs(x), 1.0) > margin):
            expected = here
        assert zone == expected


def test_noise_within_the_margin_changes_nothing() -> None:
    pads = ZoneMap(TOUCHING, 0.3)
    noise = np.random.default_rng(0).uniform(-0.29, 0.29, 500)
    zone = pads.locate([[-0.1, 0.0]])
    for x in noise:
        zone = pads.locate([[x, 0.0]], zone)
        assert zone.tolist() == [0]
    assert pads.locate([[0.31, 0.0]], zone).tolist() == [1]
