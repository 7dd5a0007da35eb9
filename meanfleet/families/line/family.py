"""The family of robots on a line: see `meanfleet.families.protocol.Family`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.floors.floor import Floor
from meanfleet.floors.priorities import Priorities
from meanfleet.robot_node.goals import Goals
from meanfleet.robot_node.team import Team
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PolicyBundle

from . import KIND
from .bundle import ContinuousBundle
from .config import ContinuousConfig
from .dispatcher import LineDispatcher
from .priorities import Places
from .team import LineTeam, TrackGoals
from .tracks import tracks_of

if TYPE_CHECKING:  # what a robot's computer does without is imported when it is asked for
    from rich.table import Table

    from meanfleet.sim.backends.protocol import Backend
    from meanfleet.sim.trajectory import Trajectory

    from ..protocol import Recorder, Run


class LineFamily:
    """Implements `Family`; `config.own` are the tracks."""

    kind = KIND
    bundle = ContinuousBundle
    dispatcher = LineDispatcher
    backends = ("bullet", "model")
    commands: frozenset[str] = frozenset()

    def read(self, path: Path, data: dict[str, Any]) -> Config:
        """What nodes and worlds are run by: bins as zones."""
        return ContinuousConfig.of_data(path, data).deployed(path)

    def game(self, config: Config, law: Callable[[FloatArray], FloatArray] | None = None) -> Game:
        """None: that of the bins is counted in simulated fleets."""
        raise UserError(f"{config.source} has {KIND.what}, and no game of zones: '{KIND.command}' solves such fleets")

    def floor(self, config: Config) -> Floor:
        """A track for every robot."""
        return tracks_of(config)

    def priorities(self, config: Config) -> Priorities:
        """Places on the line."""
        return Places(config.own.line)

    def owns(self, content: Collection[str]) -> bool:
        """Its files hold the line."""
        return "line" in content

    def require_fit(self, bundle: PolicyBundle, config: Config, by_number: bool) -> None:
        """By the line, whatever the number of robots."""
        assert isinstance(bundle, ContinuousBundle)
        bundle.require_line(config.own.line)

    def check_mode(self, mode: str, config: Config) -> None:
        """Raise UserError where every tick would have to be confirmed."""
        if mode == "advise" and config.safety.confirm_for is None:
            raise UserError("mode advise: the priority on a line is new at every tick, so give safety.confirm_for")

    def crew(self, config: Config, bundle: PolicyBundle, robots: Sequence[int], seed: int) -> tuple[Team, Goals]:
        """As `Family.crew`."""
        assert isinstance(bundle, ContinuousBundle)
        tracks, settings = tracks_of(config), config.robot
        team = LineTeam([config.robots[i] for i in robots], tracks, bundle, seed, settings.heartbeat)
        return team, TrackGoals(tracks, robots, settings.goal_timeout, settings.goal_tolerance)

    def world(self, config: Config, seed: int, backend: str | None, gui: bool) -> Backend:
        """As `Family.world`."""
        from .making import line_world

        return line_world(config, seed, backend, gui)

    def simulate(self, run: Run, record: Recorder | None, explore: float) -> Trajectory:
        """As `Family.simulate`."""
        from .simulate import simulate_line

        return simulate_line(run, record, explore)

    def moves(self, config: Config) -> int:
        """Those of the line."""
        return len(config.own.line.moves)

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
        """By exact places; None where a tick or a robot gives none."""
        from .simulate import line_reward

        assert isinstance(bundle, ContinuousBundle)
        if isinstance(priority, int) or not np.isfinite(places).all():
            return None
        return line_reward(bundle.warehouse(), priority, dispatch, places, moves)

    def describe(self, bundle: PolicyBundle) -> dict[str, Any]:
        """The line, and the sizes of its networks."""
        from .view import describe_line

        assert isinstance(bundle, ContinuousBundle)
        return describe_line(bundle)

    def show(self, bundle: PolicyBundle) -> list[str | Table]:
        """As `Family.show`."""
        from .view import show_line

        assert isinstance(bundle, ContinuousBundle)
        return show_line(bundle)


FAMILY = LineFamily()
