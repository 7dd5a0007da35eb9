"""Who touches whom: the fast sweep against plain loops, and what bodies and points make of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meanfleet.config import Config, FleetConfig, LayoutConfig
from meanfleet.sim.backends.bullet import BulletWorld
from meanfleet.sim.backends.contacts import Contacts, approach, near
from meanfleet.sim.backends.kinematic import KinematicWorld
from naive import traffic as naive

Maker = Callable[[int], BulletWorld]
DIAMETER = 2 * LayoutConfig().robot_radius


def fleet(robots: int) -> Config:
    return Config(zones=("a", "b", "c", "d", "e"), fleet=FleetConfig(prefix="robot", count=robots))


@pytest.fixture
def bullet() -> Iterator[Maker]:
    """Makes bullet worlds whose robots all stand in zone 0, and closes them."""
    worlds: list[BulletWorld] = []

    def make(robots: int) -> BulletWorld:
        worlds.append(BulletWorld(fleet(robots), 0, np.zeros(robots, dtype=np.int64)))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


def points(xy: np.ndarray) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in xy]


# --- Counting --------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@example(seed=3, n=60, stride=0.0)  # more pairs than were made room for
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), stride=st.floats(0, 3))
def test_contacts_are_those_of_all_pairs_looked_at_one_by_one(seed: int, n: int, stride: float) -> None:
    rng = np.random.default_rng(seed)
    xy = rng.normal(size=(n, 2))
    contacts = Contacts(xy, 0.5, room=0.0)
    closest, overlaps, begun = math.inf, 0, 0
    touching: set[tuple[int, int]] = set()
    for _ in range(4):
        after = xy + rng.normal(scale=stride, size=(n, 2))
        contacts.look(xy, after)
        now = set(naive.touches(points(xy), points(after), 0.5))
        begun += len(now - touching)
        closest = min(closest, naive.closest_pair(points(after)))
        overlaps += naive.near_pairs(points(after), 0.4)
        xy, touching = after, now
        assert contacts.touching.tolist() == [list(pair) for pair in sorted(now)]
    assert (contacts.begun, contacts.overlaps) == (begun, overlaps)
    assert contacts.closest == pytest.approx(closest) or math.isinf(contacts.closest) == math.isinf(closest) == (n == 1)


coordinate = st.floats(-3, 3)


@given(coordinate, coordinate, coordinate, coordinate)
def test_the_nearest_approach_is_that_of_many_points_on_the_way(ax: float, ay: float, bx: float, by: float) -> None:
    share = np.linspace(0, 1, 2001)
    sampled = float(np.min(np.hypot(ax + share * (bx - ax), ay + share * (by - ay))))
    assert sampled - math.hypot(bx - ax, by - ay) / 4000 - 1e-12 <= approach(ax, ay, bx, by) <= sampled + 1e-12


def test_points_that_pass_each_other_between_two_looks_are_seen() -> None:
    world = KinematicWorld(fleet(2), 0, np.array([0, 0]))
    world.place(0, -0.5, 0.0)
    world.place(1, 0.5, 0.1)
    world.move(np.array([[20.0, 0.0], [-20.0, 0.0]]))  # from 1 m apart to 1 m apart, through each other
    statistics = world.statistics()
    assert (statistics["contacts"], statistics["overlaps"]) == (1, 0)
    world.move(np.zeros((2, 2)))
    world.move(np.array([[-20.0, 0.0], [20.0, 0.0]]))
    assert world.statistics()["contacts"] == 2


# --- Bodies ----------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 40), speed=st.floats(0.1, 4))
def test_whoever_is_not_near_touches_nobody_wherever_the_others_are_deflected(seed: int, n: int, speed: float) -> None:
    """Whoever is near may go anywhere at the greatest speed; the rest, as commanded, stays clear of them."""
    rng = np.random.default_rng(seed)
    xy, step = rng.uniform(-2, 2, size=(n, 2)), 0.05
    velocity = speed * rng.normal(size=(n, 2)) * (rng.random((n, 1)) < 0.5)
    marked = np.zeros(n, dtype=np.bool_)
    near(xy, velocity, step, np.arange(n), DIAMETER, 0.02, marked)
    far = float(np.max(np.hypot(*velocity.T)))
    after = xy + step * velocity
    for i, j in naive.touches(points(xy), points(after), DIAMETER):
        assert marked[i]
        assert marked[j]
    deflected = np.arctan2(*rng.normal(size=(2, n)))
    wild = xy + step * far * np.column_stack([np.cos(deflected), np.sin(deflected)])
    mixed = np.where(marked[:, None], wild, after)
    for i, j in naive.touches(points(xy), points(mixed), DIAMETER):
        assert marked[i]
        assert marked[j]


@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_no_start_lets_a_body_into_another(bullet: Maker, speed: float) -> None:
    """Wherever in their last step before the collision they are, up to the highest speed of both."""
    world = bullet(2)
    for gap in np.linspace(0.001, 2 * speed * world.spec.step, 12):
        world.place(0, 0.0, 0.0)
        world.place(1, DIAMETER + gap, 0.0)
        for _ in range(5):
            world.move(np.array([[speed, 0.0], [-speed, 0.0]]))
            distance = np.hypot(*(world.poses[0, :2] - world.poses[1, :2]))
            assert distance == pytest.approx(DIAMETER, rel=0.01) or distance > DIAMETER
        assert distance == pytest.approx(DIAMETER, rel=0.01)
        world.place(1, 2.0, 0.0)
        world.move(np.zeros((2, 2)))  # a step apart ends the contact
    statistics = world.statistics()
    assert statistics["contacts"] == 12
    assert statistics["overlaps"] == statistics["off_floor"] == 0


def test_a_row_of_robots_at_rest_is_pushed_by_one_that_drives(bullet: Maker) -> None:
    """Robots that stand still are left alone by the world until somebody comes; then the push goes through them all."""
    world = bullet(5)
    for robot in range(1, 5):
        world.place(robot, DIAMETER * 1.2 * robot, 0.0)
    world.place(0, -1.0, 0.0)
    for _ in range(20):
        world.move(np.zeros((5, 2)))
    at_rest = world.poses
    velocity = np.zeros((5, 2))
    velocity[0, 0] = 1.5
    for _ in range(40):
        world.move(velocity)
        gaps = np.diff(world.poses[:, 0])
        assert gaps.min() > 0.98 * DIAMETER
    moved = world.poses[:, 0] - at_rest[:, 0]
    assert (moved[1:] > 0.2).all()
    np.testing.assert_allclose(gaps, DIAMETER, rtol=0.02)
    assert world.statistics()["contacts"] == 4
    assert world.statistics()["off_floor"] == 0


def test_standing_still_for_long_changes_nothing(bullet: Maker) -> None:
    world = bullet(20)
    for _ in range(3):
        world.move(np.zeros((20, 2)))
    poses = world.poses
    for _ in range(400):
        world.move(np.zeros((20, 2)))
    np.testing.assert_array_equal(world.poses, poses)
    world.send([7], [1])
    world.advance(30.0)
    assert world.zones[7] == 1
    np.testing.assert_allclose(np.delete(world.poses, 7, axis=0), np.delete(poses, 7, axis=0), atol=1e-12)
