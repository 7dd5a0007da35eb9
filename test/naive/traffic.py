"""The traffic law's promise in plain loops: brake step by step and see where everybody stops."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]


def stopping_distance(speed: float, braking: float, step: float) -> float:
    """Way [m] of a robot that drives one step at `speed` [m/s] and brakes by `braking` [m/s²] in every later step."""
    way = 0.0
    while speed > 0:
        way += speed * step
        speed -= braking * step
    return way


def distance_after_braking(gap: float, speed: float, leader: float, braking: float, step: float) -> float:
    """Least distance [m] to the robot ahead, now `gap` [m], if it brakes at once and the follower one step later."""
    least = gap
    while speed > 0:
        leader = max(leader - braking * step, 0.0)
        gap += (leader - speed) * step
        speed -= braking * step
        least = min(least, gap)
    return least


def way_round(start: float, end: float, direction: int, radius: float) -> float:
    """Way [m] from one angle to another on a circle, +1: counter-clockwise, -1: clockwise."""
    angle = direction * (end - start)
    while angle < 0:
        angle += 2 * math.pi
    while angle >= 2 * math.pi:
        angle -= 2 * math.pi
    return angle * radius


def closest_pair(points: Sequence[Point]) -> float:
    """Smallest distance of two points; infinite for fewer than two."""
    pairs = [(a, b) for i, a in enumerate(points) for b in points[:i]]
    return min((math.dist(a, b) for a, b in pairs), default=math.inf)


def near_pairs(points: Sequence[Point], distance: float) -> int:
    """How many pairs are nearer to each other than `distance`."""
    return sum(math.dist(a, b) < distance for i, a in enumerate(points) for b in points[:i])


def touches(before: Sequence[Point], after: Sequence[Point], distance: float) -> list[tuple[int, int]]:
    """Pairs that come nearer than `distance` [m] while all go straight from `before` to `after`.

    Solves |p + t·d|² = distance² for t, which is another way than looking for the nearest point of a segment.
    """
    found = []
    for j in range(len(before)):
        for i in range(j):
            px, py = before[j][0] - before[i][0], before[j][1] - before[i][1]
            dx, dy = after[j][0] - after[i][0] - px, after[j][1] - after[i][1] - py
            a, b, c = dx * dx + dy * dy, px * dx + py * dy, px * px + py * py - distance * distance
            if c < 0 or (a > 0 and b < 0 and b * b - a * c > 0 and (-b - math.sqrt(b * b - a * c)) / a <= 1):
                found.append((i, j))
    return sorted(found)
