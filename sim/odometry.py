"""Whose odometry is due: everybody in turn, but those that stand only as often as somebody waits for it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Turns:
    """Spreads the robots' odometry evenly over its period, so that no burst delays the clock.

    Args:
        robots: how many.
        rate: [Hz] of every robot that moves.
        repeat: [s] a robot that stands still where it was last reported is reported again after this long.
    """

    def __init__(self, robots: int, rate: float, repeat: float) -> None:
        self._rate, self._repeat = rate, repeat
        self._told_at: NDArray[np.float64] = np.full(robots, -np.inf)
        self._told: NDArray[np.float64] = np.full((robots, 3), np.nan)
        self._debt, self._next = 0.0, 0

    def due(self, passed: float, now: float, poses: NDArray[np.float64]) -> NDArray[np.int64]:
        """Robots [m] to report at `now` [s], `passed` [s] after the last call, standing at poses [robot, 3].

        They count as reported.
        """
        n = len(self._told)
        self._debt = min(self._debt + n * self._rate * passed, float(n))
        count = int(self._debt)
        self._debt -= count
        turn = np.arange(self._next, self._next + count) % n
        self._next = (self._next + count) % n
        moved = (poses[turn] != self._told[turn]).any(axis=1)
        robots: NDArray[np.int64] = turn[moved | (now - self._told_at[turn] >= self._repeat - 1e-9)]
        self._told_at[robots], self._told[robots] = now, poses[robots]
        return robots
