"""Simple polygons in the plane: point in polygon, distance to the boundary, crossings and overlaps.

A polygon is float64 [corner, 2], in [m], its last corner joined to the first. Few corners are expected (tens, not
thousands): pairs of edges are all looked at. Robots need this too, so there is nothing but numpy in it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.arrays import FloatArray

NEAR = 1e-6  # [m] what lies this close to a boundary is taken to lie on it


def inside(polygon: FloatArray, points: FloatArray) -> NDArray[np.bool_]:
    """Which points [point, 2] are in the polygon, by the even-odd rule: an upward ray crosses it oddly often."""
    x, y = points[:, :1], points[:, 1:]
    x1, y1 = polygon[:, 0], polygon[:, 1]
    x2, y2 = np.roll(x1, -1), np.roll(y1, -1)
    spans = (x1 > x) != (x2 > x)
    with np.errstate(divide="ignore", invalid="ignore"):
        height = y1 + (x - x1) * (y2 - y1) / (x2 - x1)
    crossings: NDArray[np.int64] = np.sum(spans & (y < height), axis=1)
    return np.asarray(crossings % 2 == 1)


def distance(polygon: FloatArray, points: FloatArray) -> FloatArray:
    """Distance of each point [point, 2] to the polygon's boundary, in [m]."""
    start = polygon[None]
    edge = np.roll(polygon, -1, axis=0)[None] - start
    offset = points[:, None] - start
    square = np.maximum(np.sum(edge**2, axis=2), np.finfo(float).tiny)
    along = np.clip(np.sum(offset * edge, axis=2) / square, 0.0, 1.0)
    gaps = np.linalg.norm(offset - along[..., None] * edge, axis=2)
    return np.asarray(gaps.min(axis=1), dtype=np.float64)


def depth(polygon: FloatArray, points: FloatArray) -> FloatArray:
    """How far each point [point, 2] is inside the polygon, in [m]; negative outside."""
    return np.where(inside(polygon, points), 1.0, -1.0) * distance(polygon, points)


def area(polygon: FloatArray) -> float:
    """Signed area [m²], positive where the corners run counter-clockwise (shoelace formula)."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)


def fault(polygon: FloatArray) -> str:
    """What keeps it from being a simple polygon, in words that go on after its name; empty if nothing does."""
    count = len(polygon)
    if count < 3:
        return f"has {count} corners, not at least 3"
    steps = np.linalg.norm(np.roll(polygon, -1, axis=0) - polygon, axis=1)
    for i in np.flatnonzero(steps <= NEAR).tolist():
        return f"repeats corner {i} ({_text(polygon[i])})"
    for i in range(count):
        for j in range(i + 1, count):
            if _touch(polygon, i, j):
                return f"intersects itself: its sides from {_text(polygon[i])} and from {_text(polygon[j])} meet"
    if abs(area(polygon)) <= NEAR:
        return "has no area"
    return ""


def _touch(polygon: FloatArray, i: int, j: int) -> bool:
    """Whether sides i < j meet elsewhere than in the corner that neighbours share."""
    count = len(polygon)
    a, b = polygon[i], polygon[(i + 1) % count]
    c, d = polygon[j], polygon[(j + 1) % count]
    if j == i + 1 or (i == 0 and j == count - 1):
        # Neighbours meet in one corner; they must not run back over each other.
        corner, one, other = (b, a, d) if j == i + 1 else (a, b, c)
        return bool(_on_side(one, corner, other) or _on_side(other, corner, one))
    ends = any((_on_side(a, b, c), _on_side(a, b, d), _on_side(c, d, a), _on_side(c, d, b)))
    return ends or bool(len(_crossings(a, b, np.stack([c]), np.stack([d]))))


def _on_side(a: FloatArray, b: FloatArray, point: FloatArray) -> bool:
    return bool(distance(np.stack([a, b]), point[None])[0] <= NEAR)


def overlap(one: FloatArray, other: FloatArray) -> bool:
    """Whether the insides of two simple polygons have a point in common; a shared boundary is no overlap.

    Where they overlap, either a piece of one's boundary runs inside the other, or they are the same polygon.
    """
    if (one.max(axis=0) <= other.min(axis=0)).any() or (other.max(axis=0) <= one.min(axis=0)).any():
        return False
    for left, right in ((one, other), (other, one)):
        if (depth(right, _pieces(left, right)) > NEAR).any() or depth(right, _within(left)[None])[0] > NEAR:
            return True
    return False


def _pieces(polygon: FloatArray, cuts: FloatArray) -> FloatArray:
    """Middles of the pieces into which the sides of `cuts` and its corners cut the sides of `polygon` [piece, 2]."""
    middles = []
    for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        side = b - a
        corners = (cuts - a) @ side / (side @ side)
        at = np.concatenate([[0.0, 1.0], corners, _crossings(a, b, cuts, np.roll(cuts, -1, axis=0))])
        at = np.unique(np.clip(at, 0.0, 1.0))
        middles.append(a + ((at[1:] + at[:-1]) / 2)[:, None] * side)
    return np.concatenate(middles)


def _crossings(a: FloatArray, b: FloatArray, starts: FloatArray, ends: FloatArray) -> FloatArray:
    """Where, as shares of the way from a to b, other segments that are not parallel to it cross it."""
    way, sides, offset = b - a, ends - starts, starts - a
    turn = way[0] * sides[:, 1] - way[1] * sides[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        here = (offset[:, 0] * sides[:, 1] - offset[:, 1] * sides[:, 0]) / turn
        there = (offset[:, 0] * way[1] - offset[:, 1] * way[0]) / turn
    return np.asarray(here[(turn != 0) & (here >= 0) & (here <= 1) & (there >= 0) & (there <= 1)], dtype=np.float64)


def _within(polygon: FloatArray) -> FloatArray:
    """A point inside: half-way between the two left-most crossings of a horizontal line between two corners."""
    heights = np.unique(polygon[:, 1])
    gap = int(np.argmax(np.diff(heights)))
    y = (heights[gap] + heights[gap + 1]) / 2
    a, b = polygon, np.roll(polygon, -1, axis=0)
    across = (a[:, 1] > y) != (b[:, 1] > y)
    a, b = a[across], b[across]
    x = np.sort(a[:, 0] + (y - a[:, 1]) * (b[:, 0] - a[:, 0]) / (b[:, 1] - a[:, 1]))
    return np.array([(x[0] + x[1]) / 2, y])


def _text(point: FloatArray) -> str:
    return f"[{point[0]:g}, {point[1]:g}]"
