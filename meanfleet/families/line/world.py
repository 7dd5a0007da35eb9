"""Robots on a line: each goal is reached up to the noise of the continuous warehouse.

A robot that is sent to a place x ends at clip(x + N(0, robot_noise²)) of the line, whoever drives it there; so robots
that are sent, at every tick, where they are plus their move follow s_i' = clip(s_i + δ[a_i] + noise).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.arrays import FloatArray
from meanfleet.config import Config
from meanfleet.solver.continuous.warehouse import ContinuousWarehouse

from .tracks import tracks_of


class LineWorld(ABC):
    """Implements `Backend` up to how robots get to where they are bound for.

    Args:
        config: robots, tracks and `world`.
        seed: start and noise.

    Attributes:
        tracks: the floor.
        bound: places [robot] on the line that robots are bound for, noise included.
    """

    def __init__(self, config: Config, seed: int) -> None:
        self.tracks, self.spec = tracks_of(config), config.world
        line = self.tracks.spec.line.model_copy(update={"robots": len(config.robots)})
        self.line = ContinuousWarehouse(**line.model_dump())
        start, noise = np.random.SeedSequence([seed, 1]), np.random.SeedSequence([seed, 2])
        rng = np.random.default_rng(start)
        # Clusters have no order: neighbours by name are no neighbours on the line.
        self.bound: FloatArray = rng.permutation(self.line.start(1, rng)[1][0])
        self._noise = np.random.default_rng(noise)
        self._everyone = np.arange(len(self.bound))
        self._sent, self._cut = 0, 0

    @property
    @abstractmethod
    def time(self) -> float:
        """Simulated time since the start [s]."""

    @property
    @abstractmethod
    def places(self) -> FloatArray:
        """Where the robots are on the line [robot]."""

    @property
    @abstractmethod
    def velocities(self) -> FloatArray:
        """Velocities [robot, (vx, vy, yaw rate)] in frame `map`, [m/s, m/s, rad/s]."""

    @abstractmethod
    def advance(self, seconds: float) -> None:
        """Simulate for `seconds`, rounded to whole physics steps."""

    @property
    def poses(self) -> FloatArray:
        """Poses [robot, (x, y, yaw)], each on its own track."""
        return self.tracks.poses(self._everyone, self.places)

    @property
    def zones(self) -> NDArray[np.int64]:
        """Bin of every robot [robot]."""
        return self.line.bin_of(self.places)

    def hear(self, priority: int) -> None:  # noqa: B027, nothing for backends to fill in
        """Nothing: robots know the priority, the world need not."""

    def send(self, robots: NDArray[np.int64], goals: NDArray[np.int64], moves: NDArray[np.int64] | None = None) -> None:
        """Send robots [m] to the middles of bins goals [m]."""
        self.send_to(robots, self.tracks.slots[robots, goals, :2])

    def send_to(self, robots: NDArray[np.int64], xy: FloatArray) -> NDArray[np.bool_]:
        """Send robots [m] to positions [m, 2] along their tracks; the noise of each is drawn here."""
        places = self.tracks.places(xy)
        known = np.isfinite(places)
        who = np.asarray(robots)[known]
        self._sent += len(who)
        self._cut += int(np.count_nonzero(np.abs(self.bound[who] - self.places[who]) > 0.1 * self.line.alignment_width))
        noise = self._noise.normal(0.0, self.line.robot_noise, len(self.bound))  # of all: robots have their own streams
        self.bound[who] = np.clip(places[known] + noise[who], -self.line.limit, self.line.limit)
        return np.asarray(known)

    def statistics(self) -> dict[str, Any]:
        """Goals sent, and how many were replaced while the robot was still far from them."""
        return {"goals_sent": self._sent, "goals_cut_short": self._cut}

    def close(self) -> None:  # noqa: B027, backends may hold something
        """Nothing to release."""


class ModelLine(LineWorld):
    """Robots without bodies, which are at once where they are bound for."""

    def __init__(self, config: Config, seed: int) -> None:
        super().__init__(config, seed)
        self._places, self._time = self.bound.copy(), 0.0

    @property
    def time(self) -> float:
        """Simulated time [s]."""
        return self._time

    @property
    def places(self) -> FloatArray:
        """Where the robots are on the line [robot]."""
        return self._places

    @property
    def velocities(self) -> FloatArray:
        """Zero: bodies that jump have no velocity."""
        return np.zeros((len(self._places), 3))

    def advance(self, seconds: float) -> None:
        """Let time pass, and the robots jump."""
        self._time = round((self._time + seconds) / self.spec.step) * self.spec.step
        self._places = self.bound.copy()
