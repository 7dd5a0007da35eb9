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
