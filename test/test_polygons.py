"""Polygons against shapely, which the robots' side does without, on random shapes and on touching ones."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from meanfleet.space import polygons
from naive.zones import inside as winds_around

Points = NDArray[np.float64]
# Corners on a coarse grid: sides that touch, overlap, and meet in corners are then common.
GRID = st.tuples(st.integers(0, 6), st.integers(0, 6))
SHAPES = st.lists(GRID, min_size=3, max_size=7, unique=True).map(lambda corners: np.array(corners, dtype=np.float64))


def by_angle(corners: Points) -> Points:
    """The same corners in the order in which they are seen from their middle: seldom a line that crosses itself."""
    x, y = (corners - corners.mean(axis=0)).T
    return corners[np.argsort(np.arctan2(y, x))]


SIMPLE = SHAPES.map(by_angle).filter(lambda shape: bool(shapely.Polygon(shape).is_valid))
SQUARE = np.array([(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)])
LETTER_L = np.array([(0.0, 0.0), (4.0, 0.0), (4.0, 1.0), (1.0, 1.0), (1.0, 4.0), (0.0, 4.0)])


def simple(shape: Points) -> bool:
    return bool(shapely.Polygon(shape).is_valid)


@given(SHAPES)
def test_a_polygon_is_faultless_just_when_shapely_calls_it_valid(shape: Points) -> None:
    assert (polygons.fault(shape) == "") == simple(shape)


@given(SIMPLE, SIMPLE)
def test_polygons_overlap_just_when_their_common_part_has_area(one: Points, other: Points) -> None:
    common = shapely.Polygon(one).intersection(shapely.Polygon(other)).area
    assert polygons.overlap(one, other) == (common > 1e-9)
    assert polygons.overlap(other, one) == (common > 1e-9)


@given(SIMPLE, st.integers(0, 2**32 - 1))
def test_depth_is_the_signed_distance_to_the_boundary(shape: Points, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-1, 7, (20, 2))
    solid = shapely.Polygon(shape)
    distances = [solid.exterior.distance(shapely.Point(point)) for point in points]
    signs = [1 if winds_around([tuple(c) for c in shape.tolist()], tuple(point)) else -1 for point in points.tolist()]
    assert polygons.depth(shape, points) == pytest.approx(np.array(distances) * signs)
    assert polygons.area(shape) == pytest.approx(solid.area * (1 if solid.exterior.is_ccw else -1))


@pytest.mark.parametrize(
    ("shift", "common"),
    [((2, 0), False), ((2, 2), False), ((1.999, 0), True), ((0, 0), True), ((0.5, 0.5), True), ((5, 5), False)],
)
def test_a_shared_side_or_corner_is_no_overlap(shift: tuple[float, float], common: bool) -> None:
    assert polygons.overlap(SQUARE, SQUARE + shift) == common


def test_the_notch_of_an_l_is_free() -> None:
    assert not polygons.overlap(LETTER_L, SQUARE + 1.0)
    assert polygons.overlap(LETTER_L, SQUARE + 0.9)
    assert polygons.overlap(LETTER_L, SQUARE * 10), "one inside the other"


@pytest.mark.parametrize(
    ("corners", "words"),
    [
        ([(0, 0), (1, 0)], "2 corners"),
        ([(0, 0), (2, 2), (2, 0), (0, 2)], "intersects itself"),
        ([(0, 0), (1, 0), (1, 0), (0, 1)], "repeats corner 1"),
        ([(0, 0), (1, 0), (2, 0)], "intersects itself"),
        ([(0, 0), (4, 0), (4, 4), (2, 0), (0, 4)], "intersects itself"),
    ],
)
def test_what_is_wrong_with_a_polygon_is_said(corners: list[tuple[float, float]], words: str) -> None:
    assert words in polygons.fault(np.array(corners, dtype=np.float64))
