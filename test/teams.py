"""A small team of robots on four pads, for tests."""

from __future__ import annotations

import numpy as np

from meanfleet.robot_node.team import Team
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PolicyBundle, Table
from meanfleet.space.zone_map import ZoneMap
from naive.surrogate import random_arrays, random_policy

# Four pads of 1 m x 1 m in a row with gaps of 1 m: zone z is x in [2z, 2z + 1].
ZONES = 4
PADS = ZoneMap([[(2 * z, 0), (2 * z + 1, 0), (2 * z + 1, 1), (2 * z, 1)] for z in range(ZONES)])
POLICY = random_policy(2, ZONES, ZONES, 3)
POLICY[3, 3] = [0.0, 1.0, 0.0]
BUNDLE = PolicyBundle(
    Game(**random_arrays(1, ZONES, ZONES, ZONES, 3)), POLICY, (Table(1, np.zeros((ZONES, ZONES), int), {}),), {}
)


def make_team(names: tuple[str, ...] = ("a", "b", "c"), seed: int = 5, heartbeat: float = 1.0) -> Team:
    return Team(names, PADS, BUNDLE, seed, heartbeat)


def stand(team: Team, zones: list[int], stamp: float = 0.0) -> list[tuple[int, int, float]]:
    """Robots stand in the middle of their zones' pads."""
    for robot, zone in enumerate(zones):
        team.see(robot, 2 * zone + 0.5, 0.5, stamp)
    return team.reports()
