"""Robots outside all zones: distances to edges, the limit, and worlds whose robots never leave it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point, Polygon

from meanfleet.config import Config
from meanfleet.floors.floor import floor_of
from meanfleet.floors.ring import RingLayout
from meanfleet.sim.backends.kinematic import KinematicWorld
from meanfleet.space.zone_map import NOWHERE, ZoneMap
from naive import zones as naive

CONFIGS = Path(__file__).resolve().parents[1] / "config"
LONG, SMALL = [(0.0, 0.0), (60.0, 0.0), (60.0, 4.0), (0.0, 4.0)], [(28.0, 8.0), (32.0, 8.0), (32.0, 12.0), (28.0, 12.0)]
BENT = [(0.0, 16.0), (6.0, 16.0), (6.0, 22.0), (4.0, 22.0), (4.0, 18.0), (0.0, 18.0)]
PADS = [LONG, SMALL, BENT]
# Odd two-hundredths of a metre: on no edge, where two ways to see what is inside may differ, and not a limit off one.
PLACES = st.tuples(
    *(st.integers(100 * low, 100 * high).map(lambda i: (2 * i + 1) / 200) for low, high in ((-30, 90), (-30, 50)))
)


def test_a_robot_beside_a_long_pad_belongs_to_it_however_far_its_corners_are() -> None:
    assert ZoneMap([LONG, SMALL]).locate([[30.0, 4.5]]).tolist() == [0]


@settings(max_examples=40, deadline=None)
@given(st.lists(PLACES, min_size=1, max_size=20), st.sampled_from([-1, 0, 2]), st.sampled_from([3.0, 12.0]))
def test_zones_and_the_limit_agree_with_the_naive_map(
    path: list[tuple[float, float]], start: int, limit: float
) -> None:
    zone_map, zone, found = ZoneMap(PADS, limit=limit), np.array([start]), []
    for point in path:
        zone = zone_map.locate([point], zone)
        found += zone.tolist()
    assert found == naive.locate_within(PADS, path, start, limit)


def test_outside_is_what_a_geometry_library_says() -> None:
    rng, limit = np.random.default_rng(0), 7.0
    points = rng.uniform(-20, 70, (500, 2))
    shapes = [Polygon(pad) for pad in PADS]
    expected = [min(shape.distance(Point(point)) for shape in shapes) > limit for point in points]
    assert ZoneMap(PADS, limit=limit).is_outside(points).tolist() == expected
    assert 50 < sum(expected) < 450


@pytest.mark.parametrize("name", ["fleet.example.yaml", "demo.yaml", "warehouse.yaml"])
def test_the_derived_limit_is_the_widest_gap_or_the_longest_pad(name: str) -> None:
    pads = floor_of(Config.from_yaml(CONFIGS / name)).pads
    shapes = [Polygon(pad) for pad in pads]
    gaps = [one.distance(other) for one in shapes for other in shapes]
    diagonals = [math.dist(shape.bounds[:2], shape.bounds[2:]) for shape in shapes]
    assert ZoneMap(pads).widest == pytest.approx(max(*gaps, *diagonals))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("far", [(1e256, 5e-54), (-1e308, 1e308), (500.0, 500.0)])
def test_absurd_places_are_in_no_zone_and_one_that_is_no_number_changes_nothing(far: tuple[float, float]) -> None:
    zone_map = ZoneMap(PADS)
    assert zone_map.locate([far, far, (math.nan, 0.0)], [NOWHERE, 1, 1]).tolist() == [NOWHERE, NOWHERE, 1]
    assert zone_map.locate([(27.0, 9.0)], [NOWHERE]).tolist() == [1], "it is back"


def test_robots_of_a_world_always_have_a_zone_on_the_way() -> None:
    """Every robot goes to a zone drawn anew, again and again; the widest step off a pad stays far below the limit."""
    config = Config.from_yaml(CONFIGS / "demo.yaml").with_robots(12)
    rng, zones = np.random.default_rng(1), len(config.zones)
    world, layout = KinematicWorld(config, 1, np.zeros(12, dtype=np.int64)), RingLayout.from_config(config)
    for _ in range(12):
        world.send(np.arange(12), rng.integers(zones, size=12))
        for _ in range(10):
            world.advance(1.0)
            assert not layout.zone_map.is_outside(world.poses[:, :2]).any()
            assert (world.zones != NOWHERE).all()
    between = [naive.edge_distance([tuple(c) for c in pad], (0.0, 0.0)) for pad in layout.pads]
    assert min(between) < layout.zone_map.limit, "not even the ring's middle is outside"
