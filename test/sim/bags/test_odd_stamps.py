"""One odd stamp, one wrong clock, one robot far away: each costs itself, not the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bag_files import Said, header, pose_message, write_bag

from meanfleet.config import Config
from meanfleet.sim.bags.announcements import Announcements
from meanfleet.sim.bags.log import FleetLog
from meanfleet.sim.bags.reading import Source, read_fleet

HEADER, AMCL = "std_msgs/msg/Header", "geometry_msgs/msg/PoseWithCovarianceStamped"
EPOCH, TICK, TICKS = 1.7e9, 10.0, 40
CENTRES = ((3.0, 2.0), (11.0, 2.0), (18.0, 2.0), (15.0, 10.0), (7.0, 10.0))
SECOND = 10**9


@pytest.fixture(scope="module")
def config() -> Config:
    example = Path(__file__).resolve().parents[3] / "config" / "fleet.example.yaml"
    return Config.from_yaml(example).with_robots(4)


def priority(config: Config, stamp: float, received: float, zone: int) -> Said:
    return "/priority_zone", HEADER, round(received * SECOND), header(stamp, config.zones[zone])


def pose(robot: int, stamp: float, received: float, xy: tuple[float, float]) -> Said:
    return f"/amr_{robot}/amcl_pose", AMCL, round(received * SECOND), pose_message(AMCL, stamp, *xy)


def fleet(config: Config, robots: int = 4, lead: float = 0.0, seed: int = 0) -> list[Said]:
    """Robots that wander, a pose a second; the clock of amr_0 leads by so many seconds."""
    rng, said = np.random.default_rng(seed), []
    where = rng.integers(5, size=robots)
    for tick in range(TICKS):
        at = EPOCH + TICK * tick
        said.append(priority(config, at, at, int(rng.integers(5))))
        where = (where + rng.integers(-1, 2, robots)) % 5
        for robot in range(robots):
            for second in range(10):
                true = at + second + 0.1
                said.append(pose(robot, true + (lead if robot == 0 else 0.0), true + 0.01, CENTRES[where[robot]]))
    return said


def read(folder: Path, config: Config, said: list[Said], **options: str) -> FleetLog:
    bag = write_bag(folder, sorted(said, key=lambda item: item[2]))
    return read_fleet(bag, config, Source(tick=TICK, **options))  # type: ignore[arg-type]


ODD = {"by hand": 0.0, "latched": EPOCH + 50, "another clock": EPOCH + 3701, "far ahead": EPOCH + 1e6}


@pytest.mark.parametrize("place", [-0.5, 100.5, 390.5])
@pytest.mark.parametrize("stamp", ODD.values(), ids=list(ODD))
def test_one_odd_priority_is_dropped_and_costs_no_other(
    tmp_path: Path, config: Config, stamp: float, place: float
) -> None:
    whole = read(tmp_path / "whole", config, fleet(config))
    odd = read(tmp_path / "odd", config, [*fleet(config), priority(config, stamp, EPOCH + place, 1)])
    assert odd.stamps.tolist() == whole.stamps.tolist()
    assert odd.priority.tolist() == whole.priority.tolist()
    assert np.array_equal(odd.zones, whole.zones)
    dropped = odd.counts.get("priorities off clock", 0) + odd.counts.get("priorities out of order", 0)
    assert dropped == 1


@pytest.mark.parametrize("stamp", [EPOCH - 40, EPOCH + 60, EPOCH + 3701, EPOCH + 1e6])
@pytest.mark.parametrize("place", [0.05, 100.5, 399.5])
def test_one_odd_pose_is_dropped_and_costs_no_other(tmp_path: Path, config: Config, stamp: float, place: float) -> None:
    for robots in (1, 4):
        said = fleet(config, robots)
        whole = read(tmp_path / f"whole{robots}", config, said)
        odd = read(tmp_path / f"odd{robots}", config, [*said, pose(0, stamp, EPOCH + place, CENTRES[2])])
        assert len(odd.stamps) == len(whole.stamps)
        assert odd.priority.tolist() == whole.priority.tolist()
        assert np.array_equal(odd.zones[:, 1:], whole.zones[:, 1:])
        late = np.flatnonzero(odd.zones[:, 0] != whole.zones[:, 0])
        near = abs(stamp - EPOCH - place) <= 2 * TICK
        assert len(late) <= (3 if near else 1), "the tick that the message claims, at most"


def test_a_clock_that_jumps_and_ticks_left_out_are_followed(tmp_path: Path) -> None:
    second = round(TICK * SECOND)
    for gap, stretches in ((8, 1), (-500, 2), (5000, 2)):
        found = Announcements()
        for tick in range(10):
            found.hear(tick * second, tick * second, 0, second)
        for tick in range(10):
            found.hear((10 + gap + tick) * second, (10 + tick) * second, 1, second)
            found.be_told("robots a", {"stamp": (10.0 + gap + tick) * TICK, "robots": ["a"], "moves": [2]})
        found.end(second)
        assert len(found.stretches) == stretches
        assert sum(len(stretch.stamps) for stretch in found.stretches) == 20, gap
        assert {number for number, _ in found.acts} == {stretches - 1}, "moves go with their ticks"
        assert not +found.counts


@pytest.mark.parametrize("lead", [120.0, -75.0, 4000.0])
def test_a_robot_whose_clock_is_wrong_is_read_by_the_others(tmp_path: Path, config: Config, lead: float) -> None:
    right = read(tmp_path / "right", config, fleet(config))
    wrong = read(tmp_path / "wrong", config, fleet(config, lead=lead))
    assert right.remarks == ()
    assert wrong.stamps.tolist() == right.stamps.tolist()
    assert np.array_equal(wrong.zones, right.zones)
    side = f"{abs(lead):.1f} s {'ahead' if lead > 0 else 'behind'}"
    (said,) = wrong.remarks
    assert said.startswith(f"clock of amr_0 is {side}")


def test_simulated_time_of_any_speed_is_no_wrong_clock(tmp_path: Path, config: Config) -> None:
    for speed in (0.2, 1.0, 12.0):
        said = [
            (topic, kind, round((item - EPOCH * SECOND) / speed) + 3 * SECOND, message)
            for topic, kind, item, message in fleet(config)
        ]
        log = read(tmp_path / f"{speed}", config, said)
        assert log.remarks == ()
        assert len(log.stamps) == TICKS


def test_a_robot_alone_is_compared_with_dispatcher_and_recorder(tmp_path: Path, config: Config) -> None:
    log = read(tmp_path / "b", config.with_robots(1), fleet(config, robots=1, lead=300.0))
    assert len(log.stamps) == TICKS
    assert "clock of amr_0 is 300.0 s ahead" in log.remarks[0]


def test_a_driver_that_repeats_an_old_pose_has_no_wrong_clock(tmp_path: Path, config: Config) -> None:
    said = [item for item in fleet(config) if not item[0].startswith("/amr_0/")]
    said += [pose(0, EPOCH + 1.0, EPOCH + second + 0.5, CENTRES[0]) for second in range(1, 400)]
    assert read(tmp_path / "b", config, said).remarks == ()


def test_robots_outside_all_zones_are_counted_and_have_none(tmp_path: Path, config: Config) -> None:
    def moved(xy: tuple[float, float], begin: float, end: float) -> FleetLog:
        said = [
            pose(0, item / SECOND - 0.01, item / SECOND, xy)
            if topic.startswith("/amr_0/") and begin <= item / SECOND - EPOCH < end
            else (topic, kind, item, message)
            for topic, kind, item, message in fleet(config)
        ]
        return read(tmp_path / f"{xy[0]}-{begin}", config, said)

    whole = read(tmp_path / "whole", config, fleet(config))
    for far in ((1e256, 5e-54), (500.0, 500.0)):
        log = moved(far, 0.0, 1e9)
        assert set(log.zones[:, 0].tolist()) == {-1}
        assert log.counts["outside all zones"] == 10 * TICKS
        assert np.array_equal(log.zones[:, 1:], whole.zones[:, 1:])
    charged = moved((100.0, 100.0), 100.0, 200.0)
    assert charged.counts["outside all zones"] == 100
    away = charged.zones[:, 0] == -1
    assert np.flatnonzero(away & (whole.zones[:, 0] >= 0)).tolist() == list(range(11, 21))
    assert np.array_equal(charged.zones[~away], whole.zones[~away])


def test_robots_recorded_long_before_the_first_priority_do_not_lose_it(tmp_path: Path, config: Config) -> None:
    said = [item for item in fleet(config) if item[0] != "/priority_zone" or item[2] >= (EPOCH + 300) * SECOND]
    log = read(tmp_path / "b", config, said)
    assert log.priority[-10:].min() >= 0
    assert len(log.stamps) == TICKS - 1
    assert log.counts["ticks without priority"] == len(log.stamps) - 10
