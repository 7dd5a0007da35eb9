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
