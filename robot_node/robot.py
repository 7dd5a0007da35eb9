"""A robot's decisions without ROS: one move per tick from its zone and the priority, and the zone it leads to."""

from __future__ import annotations

import zlib
from bisect import bisect_right

import numpy as np

from meanfleet.solver.bundle.policy import PolicyBundle


class Robot:
    """Draws moves from π_l.

    Args:
        bundle: the policies.
        seed: an int, or (run seed, robot name) through `robot_seed` so that robots are independent.
        kind: index of the robot's type, in a game with several (`Game.types`).
    """

    def __init__(self, bundle: PolicyBundle, seed: int | np.random.SeedSequence = 0, kind: int = 0) -> None:
        self._rng, self._kind = np.random.default_rng(seed), kind
        self.follow(bundle)

    def follow(self, bundle: PolicyBundle) -> None:
        """Draw moves from this bundle's π_l from now on."""
        self._graph = bundle.game.graph
        self._first = self._kind * (bundle.game.zones // bundle.game.types)  # state of its type in zone 0
        moves = bundle.game.allowed.sum(axis=1).tolist()
        cumulative = np.cumsum(bundle.local_policy, axis=2).tolist()
        # Without the last of the zone's moves: what rounding leaves below 1 must not draw one that it does not have.
        self._cumulative = [[row[: m - 1] for row in rows] for rows, m in zip(cumulative, moves, strict=True)]

    def move(self, zone: int, priority: int) -> int:
        """Draw a move from `π_l(·|zone, priority)`."""
        return bisect_right(self._cumulative[self._first + zone][priority], self._rng.random())

    def goal(self, zone: int, move: int) -> int:
        """Zone that a move leads to."""
        assert self._graph is not None  # whoever has goals has required the graph of the bundle
        return int(self._graph.targets[self._first + zone, move]) - self._first


def robot_seed(seed: int, name: str) -> np.random.SeedSequence:
    """A robot's own stream for a run's seed: the same whichever process it lives in."""
    return np.random.SeedSequence([seed, zlib.crc32(name.encode())])
