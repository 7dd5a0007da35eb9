"""Zones and ways as plain dictionaries {zone: [neighbours]}, and the warehouse's numbers on them, cell by cell."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

Ways = Mapping[int, Sequence[int]]


def distances(ways: Ways) -> dict[tuple[int, int], float]:
    """Moves of the shortest way between every two zones, ∞ without one (Floyd–Warshall)."""
    zones = sorted(ways)
    far = {(z, y): 0.0 if z == y else 1.0 if y in ways[z] else math.inf for z in zones for y in zones}
    for via, z, y in itertools.product(zones, repeat=3):
        far[z, y] = min(far[z, y], far[z, via] + far[via, y])
    return far


def first_move(ways: Ways, zone: int, goal: int) -> int:
    """Number of the first neighbour from which the goal is nearest; 0, to stay, at the goal or without a way."""
    far = distances(ways)
    if zone == goal or far[zone, goal] == math.inf:
        return 0
    return 1 + min(range(len(ways[zone])), key=lambda j: (far[ways[zone][j], goal], j))


def robots_law(
    ways: Ways, zone: int, priority: int, move: int, base: float, stay: float, drive: float, drawn: float
) -> list[float]:
    """P_l of a warehouse: softmax of base + stay at its zone + drive where the move leads + drawn to the priority."""
    weights = []
    for after in sorted(ways):
        logit = base
        if after == zone:
            logit += stay
        if move > 0 and after == ways[zone][move - 1]:
            logit += drive
        if after == priority:
            logit += drawn
        weights.append(math.exp(logit))
    return [weight / sum(weights) for weight in weights]


def plans(ways: Ways, priorities: int) -> itertools.product:
    """Every choice of one move per (zone, priority) among those of the zone, zones first."""
    return itertools.product(*(range(1 + len(ways[z])) for z in sorted(ways) for _ in range(priorities)))
