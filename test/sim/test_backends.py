"""Bodies in PyBullet against the kinematic oracle, and the geometry both stand on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.config import Config, FleetConfig, LayoutConfig, WorldConfig
from meanfleet.floors.ring import RingLayout
from meanfleet.sim.backends.bullet import BulletWorld
from meanfleet.sim.backends.driving import DrivingWorld
from meanfleet.sim.backends.kinematic import KinematicWorld
from meanfleet.space.zone_map import NOWHERE, ZoneMap
from naive import zones as naive

Maker = Callable[..., BulletWorld]
DIAMETER = 2 * LayoutConfig().robot_radius


def fleet(robots: int, zones: int = 5) -> Config:
    return Config(zones=tuple(f"zone{z}" for z in range(zones)), fleet=FleetConfig(prefix="robot", count=robots))


@pytest.fixture
def bullet() -> Iterator[Maker]:
    """Makes bullet worlds and closes them."""
    worlds: list[BulletWorld] = []

    def make(config: Config, seed: int, start_zones: np.ndarray) -> BulletWorld:
        worlds.append(BulletWorld(config, seed, start_zones))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


def random_traffic(world: DrivingWorld, rng: np.random.Generator, ticks: int, tick: float) -> None:
    n, zones = world.layout.robots, world.layout.zones
    for _ in range(ticks):
        world.send(np.arange(n), (world.zones + rng.integers(-1, 2, size=n)) % zones)
        world.advance(tick)


# --- Bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("aside", [0.0, 0.05])
def test_bodies_driven_onto_each_other_collide_and_do_not_pass(bullet: Maker, speed: float, aside: float) -> None:
    world = bullet(fleet(2), 0, np.array([0, 1]))
    world.place(0, -1.003, 0.0)
    world.place(1, 1.0, aside)
    for _ in range(round(3.0 / speed / world.spec.step)):
        world.move(np.array([[speed, 0.0], [-speed, 0.0]]))
        # Across x, who slides past: their centres stay a diameter apart all the way.
        assert np.hypot(*(world.poses[0, :2] - world.poses[1, :2])) > 0.95 * DIAMETER
    statistics = world.statistics()
    assert statistics["min_separation"] == pytest.approx(1.0, abs=0.05)
    assert statistics["overlaps"] == statistics["off_floor"] == 0


def test_points_without_bodies_do_pass_and_are_counted() -> None:
    world = KinematicWorld(fleet(2), 0, np.array([0, 1]))
    world.place(0, -1.003, 0.0)
    world.place(1, 1.0, 0.0)
    for _ in range(30):
        world.move(np.array([[1.0, 0.0], [-1.0, 0.0]]))
    assert world.poses[0, 0] > 0 > world.poses[1, 0]
    assert world.statistics()["overlaps"] > 0


def test_a_robot_driven_off_the_ring_is_counted(bullet: Maker) -> None:
    config, zones = fleet(2), np.array([0, 1])
    for world in (bullet(config, 0, zones), KinematicWorld(config, 0, zones)):
        world.place(0, world.layout.outer_radius + 0.95, 0.0)
        for _ in range(2):
            world.move(np.array([[1.0, 0.0], [0.0, 0.0]]))
        assert world.statistics()["off_floor"] == 1


def test_a_hundred_bodies_in_random_and_herd_traffic_stay_apart_upright_and_on_time(bullet: Maker) -> None:
    rng = np.random.default_rng(0)
    world = bullet(fleet(100), 0, rng.integers(5, size=100))
    random_traffic(world, rng, 10, 8.0)
    for goal in (2, 4):
        world.send(np.arange(100), np.full(100, goal))
        world.advance(30.0)
    statistics = world.statistics()
    assert statistics["goals_open"] == 0
    assert statistics["on_time_fraction"] > 0.98
    assert statistics["min_separation"] > 1.0
    assert statistics["overlaps"] == statistics["off_floor"] == 0
    assert (world.zones == 4).all()


def test_bodies_and_points_drive_alike_as_long_as_nobody_touches(bullet: Maker) -> None:
    config, start = fleet(100), np.arange(100) % 5
    worlds = [bullet(config, 3, start), KinematicWorld(config, 3, start)]
    for world in worlds:
        random_traffic(world, np.random.default_rng(1), 3, 6.0)
    np.testing.assert_allclose(worlds[0].poses[:, :2], worlds[1].poses[:, :2], atol=1e-6)
    np.testing.assert_allclose(worlds[0].velocities[:, :2], worlds[1].velocities[:, :2], atol=1e-6)
    np.testing.assert_allclose(np.exp(1j * worlds[0].poses[:, 2]), np.exp(1j * worlds[1].poses[:, 2]), atol=1e-3)


def test_a_fleet_that_was_knocked_about_recovers(bullet: Maker) -> None:
    rng = np.random.default_rng(1)
    world = bullet(fleet(40), 0, rng.integers(5, size=40))
    for _ in range(30):
        world.send(np.arange(40), rng.integers(5, size=40))
        world.advance(2.0)
        robot = int(rng.integers(40))
        x, y = world.poses[robot, :2] + rng.normal(scale=0.25, size=2)
        others = np.delete(world.poses[:, :2], robot, axis=0)
        if np.min(np.hypot(*(others - (x, y)).T)) > DIAMETER:  # a robot cannot be put inside another
            world.place(robot, x, y)
    goals = rng.integers(5, size=40)
    world.send(np.arange(40), goals)
    world.advance(60.0)
    slots = world.layout.slots[np.arange(40), goals, :2]
    assert np.max(np.hypot(*(world.poses[:, :2] - slots).T)) < 0.01
    assert world.statistics()["off_floor"] == 0


def test_same_seed_same_poses(bullet: Maker) -> None:
    def poses() -> np.ndarray:
        world = bullet(fleet(50), 7, np.arange(50) % 5)
        random_traffic(world, np.random.default_rng(2), 3, 5.0)
        return world.poses

    np.testing.assert_array_equal(poses(), poses())


def test_two_worlds_do_not_know_of_each_other(bullet: Maker) -> None:
    moving, waiting = (bullet(fleet(4), 0, np.zeros(4, dtype=np.int64)) for _ in range(2))
    moving.send([0], [1])
    moving.advance(1.0)
    assert waiting.time == 0.0
    np.testing.assert_array_equal(waiting.poses[:, :2], waiting.layout.slots[np.arange(4), 0, :2])
    moving.close()
    moving.close()  # closing twice is allowed
    waiting.advance(1.0)


# --- Zones -----------------------------------------------------------------------------------------------------------


coordinates = st.tuples(st.floats(-20, 20), st.floats(-20, 20))


@settings(max_examples=30, deadline=None)
@given(st.lists(coordinates, min_size=1, max_size=20), st.integers(0, 4))
def test_the_zone_map_agrees_with_the_naive_one(path: list[tuple[float, float]], start: int) -> None:
    zone_map = RingLayout(5, 100).zone_map
    zones, zone = [], np.array([start])
    for point in path:
        zone = zone_map.locate([point], zone)
        zones.append(int(zone[0]))
    pads = [[(float(x), float(y)) for x, y in pad] for pad in zone_map.pads]
    assert zones == naive.locate(pads, path, start)


@settings(deadline=None)
@given(st.lists(coordinates, min_size=1, max_size=20), st.integers(0, 4))
def test_only_another_pad_changes_the_zone(path: list[tuple[float, float]], start: int) -> None:
    zone_map = RingLayout(5, 100).zone_map
    before = np.array([start])
    for point in path:
        after, pad = zone_map.locate([point], before), zone_map.pad_of([point])
        assert after == (before if pad == NOWHERE else pad)
        before = after


def test_whoever_was_never_seen_is_where_the_nearest_pad_is() -> None:
    zone_map = ZoneMap([[(0, 0), (1, 0), (1, 1), (0, 1)], [(3, 0), (4, 0), (4, 1), (3, 1)]])
    assert zone_map.locate([(1.5, 0.5), (2.6, 0.5), (np.nan, 0.0)]).tolist() == [0, 1, NOWHERE]


@pytest.mark.parametrize("pads", [[], [[(0, 0), (1, 1)]], [[(0, 0), (1, 0), (np.inf, 1)]]])
def test_a_zone_map_refuses_what_is_no_polygon(pads: list[list[tuple[float, float]]]) -> None:
    with pytest.raises(ValueError, match="pad"):
        ZoneMap(pads)


@pytest.mark.parametrize("world", [WorldConfig(), WorldConfig(layout=LayoutConfig(rows=3, aisle=0.5, slot_pitch=0.4))])
@pytest.mark.parametrize(("zones", "robots"), [(1, 1), (2, 7), (5, 100), (8, 33), (5, 1000)])
def test_every_slot_is_on_its_pad_and_has_room(zones: int, robots: int, world: WorldConfig) -> None:
    layout = RingLayout(zones, robots, world.layout)
    slots = layout.slots[:, :, :2]
    for zone in range(zones):
        assert (layout.zone_map.pad_of(slots[:, zone]) == zone).all()
    points = slots.reshape(-1, 2)
    points = points[np.argsort(points[:, 0])]
    pitch = min(world.layout.slot_pitch, 2 * world.layout.lane_offset)
    for index, point in enumerate(points):  # sorted by x, so only the next ones can be near
        ahead = points[index + 1 :]
        ahead = ahead[: np.searchsorted(ahead[:, 0], point[0] + pitch)]
        if len(ahead):
            # Columns are `pitch` apart along the ring; as the crow flies that is a little less on a small ring.
            assert np.min(np.hypot(*(ahead - point).T)) > 0.98 * pitch
