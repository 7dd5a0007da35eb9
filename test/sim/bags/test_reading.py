"""Bags read into a FleetLog, against a slow oracle and by hand."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from bag_files import MODES, STORAGES, Said, T, header, pose_message, write_bag

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.floors.ring import RingLayout
from meanfleet.sim.bags.log import FleetLog
from meanfleet.sim.bags.reading import Source, list_robots, read_fleet
from meanfleet.sim.bags.topics import Template, chosen
from naive.bags import samples, zone_at

ODOMETRY, HEADER, DIAGNOSTICS = "nav_msgs/msg/Odometry", "std_msgs/msg/Header", "diagnostic_msgs/msg/DiagnosticArray"
RADIUS = 3.0  # [m] of the slots of twenty robots
NAMES = ("anna", "site_1/ben", "carl")
EPOCH = 1_700_000_000


@pytest.fixture(scope="module")
def config() -> Config:
    return Config.from_yaml(Path(__file__).resolve().parents[3] / "config" / "warehouse.yaml").with_robots(20)


def drives(seconds: float = 30.0, rate: float = 4.0, seed: int = 0) -> list[Said]:
    """Three robots that drive around the ring, in and out of zones, their messages shuffled a little in time."""
    rng = np.random.default_rng(seed)
    said: list[Said] = []
    for robot, name in enumerate(NAMES):
        for number in range(int(seconds * rate)):
            stamp = EPOCH + number / rate + 0.01 * robot
            angle = 0.15 * stamp * (robot + 1)
            message = pose_message(ODOMETRY, stamp, RADIUS * math.cos(angle), RADIUS * math.sin(angle))
            said.append((f"/{name}/odom", ODOMETRY, round((stamp + rng.uniform(0, 0.04)) * 1e9), message))
    return sorted(said, key=lambda item: item[2])


def zones_said(log: FleetLog, name: str) -> list[int]:
    return log.zones[:, log.robots.index(name)].tolist()


def at(zone: str, stamp: float, received: float | None = None, robot: str = "r1") -> Said:
    return (f"/{robot}/zone", HEADER, round((stamp if received is None else received) * 1e9), header(stamp, zone))


# --- against the oracle


@pytest.mark.parametrize(
    ("storage", "mode"),
    [(storage, mode) for storage in STORAGES for mode in MODES if (storage, mode) != ("sqlite3", "storage")],
)
def test_poses_of_every_storage_and_compression_agree_with_the_oracle(
    tmp_path: Path, config: Config, storage: str, mode: str
) -> None:
    bag = write_bag(tmp_path / "bag", drives(), storage, mode)
    log = read_fleet(bag, config, Source(tick=1.0, max_age=2.0))
    assert log.robots == tuple(sorted(NAMES))
    assert log.messages == 3 * 120
    assert log.counts == {}
    assert len(log.stamps) == 29
    assert log.consecutive.all()
    if mode != "none":
        return
    zone_map = RingLayout.from_config(config).zone_map

    def zone_of(message, before: int) -> int:
        point = message.pose.pose.position
        return int(zone_map.locate([[point.x, point.y]], [before])[0])

    for name, past in samples(bag, lambda robot: f"/{robot}/odom", NAMES).items():
        expected = [zone_at(past, stamp, 2.0, zone_of) for stamp in log.stamps]
        assert zones_said(log, name) == expected
        assert len(set(expected)) > 3


@pytest.mark.parametrize("storage", STORAGES)
def test_a_file_alone_a_split_bag_and_one_without_metadata_say_the_same(
    tmp_path: Path, config: Config, storage: str
) -> None:
    said = drives()
    whole = write_bag(tmp_path / "whole", said, storage)
    file = next(path for path in whole.iterdir() if path.suffix in (".mcap", ".db3"))
    split = tmp_path / "split"
    split.mkdir()
    for number, part in enumerate((said[:100], said[100:200], said[200:])):
        piece = write_bag(tmp_path / f"piece{number}", part, storage)
        shutil.copy(next(piece.glob(f"*{file.suffix}")), split / f"split_{9 + number}{file.suffix}")
    reference = read_fleet(whole, config)
    for bag, counts in ((file, {}), (split, {"no metadata": 1})):
        log = read_fleet(bag, config)
        assert np.array_equal(log.zones, reference.zones)
        assert np.array_equal(log.stamps, reference.stamps)
        assert log.counts == counts
    assert read_fleet(file, config).sha256 == reference.sha256


# --- ticks, gaps and clocks, by hand


def test_zones_follow_the_dispatchers_ticks_and_moves_the_robots_reports(tmp_path: Path, config: Config) -> None:
    first, second = config.zones[:2]
    said = [at(first, 9.0), at(second, 10.5), at(first, 11.0), at(second, 13.2)]
    said += [("/priority_zone", HEADER, round((t + 0.1) * 1e9), header(t, second)) for t in (10.0, 11.0, 13.0)]

    def diagnosed(name: str, values: dict[str, object], seconds: float) -> Said:
        pairs = [T["diagnostic_msgs/msg/KeyValue"](key, json.dumps(value)) for key, value in values.items()]
        status = T["diagnostic_msgs/msg/DiagnosticStatus"](0, name, "", "meanfleet", pairs)
        return ("/diagnostics", DIAGNOSTICS, round(seconds * 1e9), T[DIAGNOSTICS](header(seconds), [status]))

    said.append(diagnosed("robots r1", {"stamp": 11.0, "robots": ["r1"], "zones": [0], "moves": [2]}, 11.3))
    said.append(diagnosed("dispatcher", {"tick": 4, "stamp": 11.0}, 11.4))
    bag = write_bag(tmp_path / "bag", sorted(said, key=lambda item: item[2]))
    log = read_fleet(bag, config, Source(tick=1.0, max_age=1.5))
    assert log.stamps.tolist() == [10.0, 11.0, 12.0, 13.0]
    assert log.priority.tolist() == [1, 1, -1, 1]
    assert zones_said(log, "r1") == [0, 0, 0, -1]  # 2 s old at 13
    assert log.moves is not None
    assert log.moves[:, 0].tolist() == [-1, 2, -1, -1]
    assert log.ticks == [{"tick": 4, "stamp": 11.0}]
    assert log.counts == {"left": 1, "ticks without priority": 1}


def test_gaps_late_joiners_and_those_who_leave_are_counted(tmp_path: Path, config: Config) -> None:
    zone = config.zones[0]
    heard = {"always": range(40), "gap": [*range(10), *range(30, 40)], "late": range(20, 40), "left": range(15)}
    said = [at(zone, t + 0.5, robot=robot) for robot, times in heard.items() for t in times]
    log = read_fleet(write_bag(tmp_path / "b", sorted(said, key=lambda i: i[2])), config, Source(tick=1.0, max_age=2.0))
    assert log.counts == {"gaps": 1, "late joiners": 1, "left": 1}
    known = {name: [z >= 0 for z in zones_said(log, name)] for name in log.robots}
    assert all(known["always"])
    assert known["gap"] == [t < 11 or t >= 29 for t in range(39)]
    assert known["late"] == [t >= 19 for t in range(39)]
    assert known["left"] == [t < 16 for t in range(39)]


def test_a_clock_that_jumps_begins_a_new_stretch_and_one_odd_robot_does_not(tmp_path: Path, config: Config) -> None:
    zones = config.zones
    said = [at(zones[0], 100.0 + t, t) for t in range(30)]
    said += [at(zones[1], 5.0 + t, 40.0 + t) for t in range(30)]  # the simulation began anew
    odd = [at(zones[2], 90_000.0 + t, t + 0.5, robot="odd") for t in range(70)]
    bag = write_bag(tmp_path / "b", sorted(said + odd, key=lambda item: item[2]))
    log = read_fleet(bag, config, Source(tick=1.0, max_age=2.0, exclude=("odd",)))
    assert log.counts == {"clock jumps": 1, "off clock": 4}
    assert log.stamps.tolist() == [*np.arange(101.0, 130.0), *np.arange(10.0, 35.0)]
    assert zones_said(log, "r1") == [0] * 29 + [1] * 25
    assert log.consecutive.tolist() == [True] * 28 + [False] + [True] * 24
    with_odd = read_fleet(bag, config, Source(tick=1.0, max_age=2.0))
    assert with_odd.counts["off clock"] > 50
    assert zones_said(with_odd, "r1")[:29] == [0] * 29
    assert set(zones_said(with_odd, "odd")[:29]) == {-1}


def test_odd_messages_are_dropped_and_counted(tmp_path: Path, config: Config) -> None:
    good = [("/r1/odom", ODOMETRY, t * 10**9, pose_message(ODOMETRY, t, RADIUS, 0.0)) for t in range(1, 11)]
    bad = [
        ("/r1/odom", ODOMETRY, 5 * 10**9 + 1, pose_message(ODOMETRY, 5.0, RADIUS, 0.0)),  # twice
        ("/r1/odom", ODOMETRY, 6 * 10**9 + 1, pose_message(ODOMETRY, 5.5, -RADIUS, 0.0)),  # late
        ("/r1/odom", ODOMETRY, 7 * 10**9 + 1, pose_message(ODOMETRY, 0.0, -RADIUS, 0.0)),  # no stamp
        ("/r1/odom", ODOMETRY, 8 * 10**9 + 1, pose_message(ODOMETRY, 8.1, math.nan, 0.0)),
        ("/r1/odom", "std_msgs/msg/Int32", 8 * 10**9 + 2, T["std_msgs/msg/Int32"](3)),
    ]
    log = read_fleet(write_bag(tmp_path / "b", sorted(good + bad, key=lambda i: i[2])), config, Source(tick=1.0))
    assert log.counts == {
        "duplicate stamps": 1,
        "out of order": 1,
        "unstamped": 1,
        "not finite": 1,
        "unknown types": 1,
    }
    assert set(log.zones.ravel()) == {0}


@pytest.mark.parametrize("name", ["Int32", "String"])
def test_zones_without_header_by_option(tmp_path: Path, config: Config, name: str) -> None:
    msgtype = f"std_msgs/msg/{name}"
    values = [1, 2, 7, 0] if name == "Int32" else [config.zones[1], config.zones[2], "nowhere", config.zones[0]]
    said = [("/r1/zone", msgtype, (10 + t) * 10**9, T[msgtype](value)) for t, value in enumerate(values)]
    bag = write_bag(tmp_path / "b", said)
    with pytest.raises(UserError, match=f"say message {name}"):
        read_fleet(bag, config)
    log = read_fleet(bag, config, Source(message=name, tick=1.0, max_age=5.0))
    assert log.stamps.tolist() == [11.0, 12.0, 13.0]
    assert zones_said(log, "r1") == [2, 2, 0]
    assert log.counts == {"unknown zones": 1}


# --- robots and mistakes


def test_robots_are_found_by_the_template_listed_and_filtered(tmp_path: Path, config: Config) -> None:
    bag = write_bag(tmp_path / "b", drives(5.0))
    source = Source(topic="/{robot}/odom")
    assert list_robots(bag, config, source) == {name: {ODOMETRY: 20} for name in sorted(NAMES)}
    assert list(list_robots(bag, config, Source(include=("site_*", "c*"), exclude=("carl",)))) == ["site_1/ben"]
    assert Template("fleet/{robot}/state").robot("/fleet/a/state") == "a"
    assert Template("/{robot}/zone").robot("/priority_zone") is None
    assert chosen(["b", "a", "b"]) == ("a", "b")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (Source(topic="/robot/odom"), "write {robot} once"),
        (Source(topic="/{robot}/pose"), "no robot's topic matches /{robot}/pose"),
        (Source(include=("dora",)), "no robot's topic matches"),
        (Source(message="Float32"), "message 'Float32' is unknown"),
        (Source(tick=0.0), "tick is 0.0 s"),
        (Source(tick=60.0), "is shorter than a tick of 60 s"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path: Path, config: Config, source: Source, sentence: str) -> None:
    bag = write_bag(tmp_path / "b", drives(5.0))
    with pytest.raises(UserError) as caught:
        read_fleet(bag, config, source)
    assert sentence in str(caught.value)


def test_no_bag_is_said_so(tmp_path: Path, config: Config) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mcap").write_text("hello")
    (tmp_path / "text.db3").write_text("hello")
    for name in ("empty", "text.mcap", "text.db3", "absent"):
        with pytest.raises(UserError, match=name):
            read_fleet(tmp_path / name, config)
