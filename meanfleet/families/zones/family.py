"""The family of robots in zones: see `meanfleet.families.protocol.Family`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.config import Config
from meanfleet.dispatcher_node.dispatcher import Dispatcher
from meanfleet.floors.floor import Floor, floor_of_zones
from meanfleet.floors.priorities import Priorities, ZonePriorities
from meanfleet.robot_node.goals import Goals
from meanfleet.robot_node.making import crew_of_zones
from meanfleet.robot_node.team import Team
from meanfleet.solver import Game
from meanfleet.solver.bundle.loading import require_zones
from meanfleet.solver.bundle.policy import PolicyBundle

from . import KIND

if TYPE_CHECKING:  # what a robot's computer does without is imported when it is asked for
    from rich.table import Table

    from meanfleet.sim.backends.protocol import Backend
    from meanfleet.sim.trajectory import Trajectory

    from ..protocol import Recorder, Run


class ZonesFamily:
    """Implements `Family`."""

    kind = KIND
    bundle = PolicyBundle
    dispatcher = Dispatcher
    backends = ("bullet", "kinematic", "model")
    commands = frozenset({"replay", "fit", "count"})

    def read(self, path: Path, data: dict[str, Any]) -> Config:
        """As `Family.read`."""
        return Config.of_zones(path, data)

    def game(self, config: Config, law: Callable[[FloatArray], FloatArray] | None = None) -> Game:
        """By the parameters or counts under `game:`, or from its file."""
        from meanfleet.solver.warehouse import mean_law, warehouse_game

        if config.game.file is not None:
            return Game.from_npz(Path(config.source).parent / config.game.file).on_graph_of(config)
        return warehouse_game(config, law or mean_law)

    def floor(self, config: Config) -> Floor:
        """The ring that is simulated, or the hall that is measured."""
        return floor_of_zones(config)

    def priorities(self, config: Config) -> Priorities:
        """Names of zones."""
        return ZonePriorities(config)

    def owns(self, content: Collection[str]) -> bool:
        """Whatever no other family owns."""
        return True

    def require_fit(self, bundle: PolicyBundle, config: Config, by_number: bool) -> None:
        """By zones and ways."""
        require_zones(bundle, config, by_number)

    def check_mode(self, mode: str, config: Config) -> None:
        """All modes."""

    def crew(self, config: Config, bundle: PolicyBundle, robots: Sequence[int], seed: int) -> tuple[Team, Goals]:
        """As `Family.crew`."""
        return crew_of_zones(config, bundle, robots, seed)

    def world(self, config: Config, seed: int, backend: str | None, gui: bool) -> Backend:
        """As `Family.world`."""
        from meanfleet.sim.world import world_of_zones

        return world_of_zones(config, seed, backend, gui)

    def simulate(self, run: Run, record: Recorder | None, explore: float) -> Trajectory:
        """As `Family.simulate`."""
        from .simulate import simulate_zones

        return simulate_zones(run, record, explore)

    def moves(self, config: Config) -> int:
        """Those of the graph of zones."""
        return config.zone_graph.moves

    def reward(
        self,
        config: Config,
        bundle: PolicyBundle,
        priority: float,
        dispatch: int,
        zones: IntArray,
        places: FloatArray,
        moves: IntArray,
    ) -> float | None:
        """r_g(s_g, a_g) + the mean of r_l(s_i, s_g, a_i) (math.md §1); `places` do not matter."""
        game, s = bundle.game, int(priority)
        first = np.array(config.type_of) * len(config.zones)  # state of every robot's type in zone 0
        return float(game.r_g[s, dispatch] + game.r_l[first + zones, s, moves].mean())

    def describe(self, bundle: PolicyBundle) -> dict[str, Any]:
        """Nothing beside."""
        return {}

    def show(self, bundle: PolicyBundle) -> list[str | Table]:
        """Game and tables."""
        return []


FAMILY = ZonesFamily()
