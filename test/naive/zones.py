"""Point in polygon by winding, one point and one edge at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]


def inside(polygon: Sequence[Point], point: Point) -> bool:
    """Whether the polygon winds around the point: the angles its edges are seen under add up to a full turn."""
    x, y = point
    total = 0.0
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        total += math.atan2(
            (x1 - x) * (y2 - y) - (y1 - y) * (x2 - x),
            (x1 - x) * (x2 - x) + (y1 - y) * (y2 - y),
        )
    return abs(total) > math.pi


def locate(pads: Sequence[Sequence[Point]], path: Sequence[Point], start: int) -> list[int]:
    """Zone at every point of a path: the pad one stands on, between pads the one before."""
    zones, zone = [], start
    for point in path:
        on = [index for index, pad in enumerate(pads) if inside(pad, point)]
        zone = on[0] if on else zone
        zones.append(zone)
    return zones


def edge_distance(polygon: Sequence[Point], point: Point) -> float:
    """Distance from a point to the nearest point of a polygon's sides, one side at a time."""
    x, y = point
    best = math.inf
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        long = math.hypot(x2 - x1, y2 - y1)
        along = ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / long
        across = ((x - x1) * (y2 - y1) - (y - y1) * (x2 - x1)) / long
        ends = min(math.hypot(x - x1, y - y1), math.hypot(x - x2, y - y2))
        best = min(best, abs(across) if 0 <= along <= long else ends)
    return best


def locate_within(pads: Sequence[Sequence[Point]], path: Sequence[Point], start: int, limit: float) -> list[int]:
    """As `locate`, with -1 beyond the limit from every pad, and the nearest pad's zone for whoever comes back."""
    zones, zone = [], start
    for point in path:
        on = [index for index, pad in enumerate(pads) if inside(pad, point)]
        gaps = [edge_distance(pad, point) for pad in pads]
        if on:
            zone = on[0]
        elif min(gaps) > limit:
            zone = -1
        elif zone == -1:
            zone = gaps.index(min(gaps))
        zones.append(zone)
    return zones
