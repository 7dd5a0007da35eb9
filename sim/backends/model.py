"""The model world: zones jump by P_l, once per priority heard. The paper's dynamics, and the tests' oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfleet.config import Config
from meanfleet.floors.floor import floor_of
from meanfleet.solver import Game
from meanfleet.space.zone_map import NOWHERE


class ModelWorld:
    """Robots without bodies, standing in their slot of the zone they are in.

    A robot's move is what leads it from its zone a shortest way towards its standing goal. Half a tick after a priority
    was heard, every robot jumps by P_l(· | zone, priority, move), so that all goals of the tick are in.
    """

    def __init__(self, config: Config, game: Game, seed: int, start_zones: NDArray[np.int64]) -> None:
        self._layout, self._game = floor_of(config), game
        self._delay, self._step = config.dispatcher.tick / 2, config.world.step
        self._rng = np.random.default_rng(np.random.SeedSequence([seed, 2]))
        # A game whose moves lead nowhere in particular is told the moves.
        self._towards = (config.zone_graph if game.graph is None or game.types > 1 else game.graph).towards
        self._size = game.zones // game.types
        self._first = np.array(config.type_of, dtype=np.int64) * self._size  # state of every robot's type in zone 0
        self._cumulative = np.cumsum(game.P_l, axis=3)
        self._zones = np.array(start_zones, dtype=np.int64)
        self._goals = self._zones.copy()
        self._moves: NDArray[np.int64] | None = None
        self._heard: tuple[float, int] | None = None
        self._time, self._jumps, self._sent = 0.0, 0, 0

    @property
    def time(self) -> float:
        """Simulated time [s]."""
        return self._time

    @property
    def poses(self) -> NDArray[np.float64]:
        """Slot poses [robot, (x, y, yaw)]."""
        return np.asarray(self._layout.slots[np.arange(len(self._zones)), self._zones])

    @property
    def velocities(self) -> NDArray[np.float64]:
        """Zero: bodies that jump have no velocity."""
        return np.zeros((len(self._zones), 3))

    @property
    def zones(self) -> NDArray[np.int64]:
        """Zone of every robot [robot]."""
        return self._zones.copy()

    def hear(self, priority: int) -> None:
        """The robots jump under this priority half a tick from now."""
        self._heard = (self._time + self._delay, priority)

    def send(self, robots: NDArray[np.int64], goals: NDArray[np.int64], moves: NDArray[np.int64] | None = None) -> None:
        """Set goals [m] of robots [m]; `moves` [m] where the caller knows them, as games without a graph need."""
        self._sent += int(np.sum(self._goals[robots] != goals))
        self._goals[robots] = goals
        if moves is not None:
            self._moves = np.zeros_like(self._zones) if self._moves is None else self._moves
            self._moves[robots] = moves

    def send_to(self, robots: NDArray[np.int64], xy: NDArray[np.float64]) -> NDArray[np.bool_]:
        """See `Backend.send_to`."""
        zones = self._layout.zone_map.pad_of(xy)
        on_pad = zones != NOWHERE
        self.send(robots[on_pad], zones[on_pad])
        return np.asarray(on_pad)

    def advance(self, seconds: float) -> None:
        """Let time pass, and the robots jump when they are due."""
        self._time = round((self._time + seconds) / self._step) * self._step
        if self._heard is not None and self._time >= self._heard[0] - 1e-9:
            self._jump(self._heard[1])
            self._heard, self._moves = None, None

    def _jump(self, priority: int) -> None:
        moves = self._towards[self._zones, self._goals] if self._moves is None else self._moves
        cumulative = self._cumulative[self._first + self._zones, priority, moves]
        draws = self._rng.random(len(self._zones)) * cumulative[:, -1]
        states = np.minimum(np.sum(cumulative <= draws[:, None], axis=1), self._game.zones - 1)
        self._zones = np.clip(states - self._first, 0, self._size - 1)  # rounding must not change a type
        self._jumps += 1

    def statistics(self) -> dict[str, Any]:
        """Goals that changed, and jumps of the fleet."""
        return {"jumps": self._jumps} | ({} if self._game.graph is None else {"goals_sent": self._sent})

    def close(self) -> None:
        """Nothing to release."""
