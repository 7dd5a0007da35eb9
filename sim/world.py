"""Making the world that a configuration names."""

from __future__ import annotations

import os
import sys

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.config.families import family_of, require_command
from meanfleet.solver import Game

from .backends.model import ModelWorld
from .backends.protocol import Backend
from .display import require_display
from .start import start_zones

BACKENDS = ("bullet", "kinematic", "model")


def check_world(config: Config, backend: str | None, gui: bool) -> str:
    """Return the name of the backend meant.

    Raises:
        UserError: it is unknown, a window is asked of a world or a machine that has none, or the floor is a real one.
    """
    name = backend or config.world.backend
    if name not in BACKENDS:
        raise UserError(f"backend {name!r} is unknown: choose from {', '.join(BACKENDS)}")
    own = family_of(config)
    if name not in own.backends:
        raise UserError(f"backend {name!r}: {config.source} has {own.kind.what}: choose from {', '.join(own.backends)}")
    if config.floor is not None and name != "model":
        raise UserError(
            f"{config.source} measures a real floor, but the {name} backend simulates a ring warehouse: "
            "use the model backend, or a configuration whose 'zones' are names alone"
        )
    if gui and name != "bullet":
        raise UserError(f"gui: the {name} backend has no window; use the bullet backend")
    if gui and sys.platform == "linux":
        require_display(os.environ.get("DISPLAY", ""))
    return name


def world_of(config: Config, seed: int, backend: str | None = None, gui: bool = False) -> Backend:
    """The world of `config` (or of `backend`), its robots where a run with this seed begins.

    Raises:
        UserError: as `make_world`.
    """
    world: Backend = family_of(config).world(config, seed, backend, gui)
    return world


def world_of_zones(config: Config, seed: int, backend: str | None = None, gui: bool = False) -> Backend:
    """As `world_of`, of robots in zones."""
    game = Game.from_config(config)
    start = start_zones(game, len(config.robots), seed, config.type_of)
    return make_world(config, game, seed, start, backend, gui)


def make_world(
    config: Config, game: Game, seed: int, start_zones: NDArray[np.int64], backend: str | None = None, gui: bool = False
) -> Backend:
    """The world of `config` (or of `backend`), its robots parked in `start_zones` [robot].

    Raises:
        UserError: as `check_world`, or bodies asked to drive a graph that is no ring.
    """
    name = check_world(config, backend, gui)
    if name == "model":
        return ModelWorld(config, game, seed, start_zones)
    _check_ring(name, config)
    return _driving(name, config, seed, start_zones, gui)


def make_driving_world(config: Config, seed: int, backend: str | None = None) -> Backend:
    """A world of bodies for counting P_l, its robots spread evenly over the zones.

    Raises:
        UserError: an unknown backend, the model backend, which has nothing to count, or a graph that is no ring.
    """
    name = check_world(config, backend, gui=False)
    require_command(config, "count")
    if name == "model":
        raise UserError("the model backend jumps by P_l itself: count with --backend bullet or kinematic")
    _check_ring(name, config)
    return _driving(name, config, seed, np.arange(len(config.robots)) % len(config.zones), gui=False)


def _check_ring(name: str, config: Config) -> None:
    if not config.zone_graph.is_ring:
        raise UserError(
            f"the {name} backend drives round a ring, and {config.source} has {config.zone_graph}: "
            "use the model backend, or leave out 'graph'"
        )


def _driving(name: str, config: Config, seed: int, start_zones: NDArray[np.int64], gui: bool) -> Backend:
    if name == "kinematic":
        from .backends.kinematic import KinematicWorld

        return KinematicWorld(config, seed, start_zones)
    from .backends.bullet import BulletWorld

    return BulletWorld(config, seed, start_zones, gui=gui)
