"""What makes a kind of fleet: one object per folder, `FAMILY` in its module `family`.

Rooms below ask for it by `meanfleet.config.families.family_of(config)`. Beside it the folder's `__init__` has `KIND`:
by which keys a configuration file is one of this family.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.table import Table

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.config import Config
from meanfleet.config.families import Kind
from meanfleet.dispatcher_node.dispatcher import Dispatcher
from meanfleet.floors.floor import Floor
from meanfleet.floors.priorities import Priorities
from meanfleet.robot_node.goals import Goals
from meanfleet.robot_node.team import Team
from meanfleet.sim.backends.protocol import Backend
from meanfleet.sim.trajectory import Trajectory
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PolicyBundle


@dataclass(frozen=True)
class Run:
    """A run in one process.

    Attributes:
        config, bundle: of the fleet; they fit each other.
        dispatcher: that decides.
        ticks: to run.
        seed: of start, robots and world.
        backend: of the world; None: as configured.
        gui: whether the world opens a window.
        on_tick: called after every tick with its number, the dispatcher and the world.
    """

    config: Config
    bundle: PolicyBundle
    dispatcher: Dispatcher
    ticks: int
    seed: int
    backend: str | None = None
    gui: bool = False
    on_tick: Callable[[int, Dispatcher, Backend], None] | None = None


class Recorder(Protocol):
    """Writes a run into a bag."""

    def tell(self, world: Backend, dispatcher: Dispatcher, heard: dict[str, int], moves: IntArray) -> None:
        """Write what a tick decided, and what the robots drew."""

    def advance(self, world: Backend, seconds: float) -> None:
        """Let the world advance, and write what it shows on the way."""

    def close(self) -> None:
        """The bag is whole."""


class Family(Protocol):
    """What differs between kinds of fleet, and nothing else.

    Attributes:
        kind: how its configurations are known.
        bundle: class of its policies.
        dispatcher: class of its dispatchers.
        backends: names of its worlds.
        commands: of `replay`, `fit` and `count` those that take it.
    """

    kind: Kind
    backends: tuple[str, ...]
    commands: frozenset[str]

    @property
    def bundle(self) -> type[PolicyBundle]: ...

    @property
    def dispatcher(self) -> type[Dispatcher]: ...

    def read(self, path: Path, data: dict[str, Any]) -> Config:
        """The configuration in a file's content. Raises UserError: a key is unknown, missing or out of range."""

    def game(self, config: Config, law: Callable[[FloatArray], FloatArray] | None = None) -> Game:
        """The finite game to solve; `law` makes laws of Dirichlet weights. Raises UserError: it has none."""

    def floor(self, config: Config) -> Floor:
        """Pads, slots and the map from poses to zones."""

    def priorities(self, config: Config) -> Priorities:
        """How priorities are named in messages."""

    def owns(self, content: Collection[str]) -> bool:
        """Whether a policy file with arrays of these names is of this family."""

    def require_fit(self, bundle: PolicyBundle, config: Config, by_number: bool) -> None:
        """Raise UserError unless the bundle can run the fleet; see `solver.bundle.loading.require_fit`."""

    def check_mode(self, mode: str, config: Config) -> None:
        """Raise UserError unless the fleet can be led in a mode of `meanfleet.safety.MODES`."""

    def crew(self, config: Config, bundle: PolicyBundle, robots: Sequence[int], seed: int) -> tuple[Team, Goals]:
        """The team of the robots at these places in the fleet, and their goals."""

    def world(self, config: Config, seed: int, backend: str | None, gui: bool) -> Backend:
        """The world with its robots where a run of this seed begins. Raises UserError: as `sim.world.check_world`."""

    def simulate(self, run: Run, record: Recorder | None, explore: float) -> Trajectory:
        """Run dispatcher, robots and world in one process; `explore`: share of moves drawn evenly.

        Raises:
            UserError: the family's runs cannot be recorded, or not be explored.
        """

    def moves(self, config: Config) -> int:
        """How many moves a robot may have."""

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
        """r of a tick from zones, places and moves [robot]; None: it cannot be known from these."""

    def describe(self, bundle: PolicyBundle) -> dict[str, Any]:
        """What `inspect --json` shows beside game and tables."""

    def show(self, bundle: PolicyBundle) -> list[str | Table]:
        """What `inspect` shows in the place of game and tables; empty: these."""
