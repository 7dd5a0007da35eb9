"""Making the world that a configuration names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanfleet.config import Config
from meanfleet.errors import UserError
from meanfleet.solver import Game

from .backends.model import ModelWorld
from .backends.protocol import Backend

BACKENDS = ("bullet", "kinematic", "model")


def make_world(
    config: Config, game: Game, seed: int, start_zones: NDArray[np.int64], backend: str | None = None, gui: bool = False
) -> Backend:
    """The world of `config` (or of `backend`), its robots parked in `start_zones` [robot].

    Raises:
        UserError: an unknown backend, or a window asked of a world that has none.
    """
    name = _known(backend or config.world.backend)
    if gui and name != "bullet":
        raise UserError(f"gui: the {name} backend has no window; use the bullet backend")
    if name == "model":
        return ModelWorld(config, game, seed, start_zones)
    return _driving(name, config, seed, start_zones, gui)


def make_driving_world(config: Config, seed: int, backend: str | None = None) -> Backend:
    """A world of bodies for counting P_l, its robots spread evenly over the zones.

    Raises:
        UserError: an unknown backend, or the model backend, which has nothing to count.
    """
    name = _known(backend or config.world.backend)
    if name == "model":
        raise UserError("the model backend jumps by P_l itself: count with --backend bullet or kinematic")
    return _driving(name, config, seed, np.arange(len(config.robots)) % len(config.zones), gui=False)


def _known(name: str) -> str:
    if name not in BACKENDS:
        raise UserError(f"backend {name!r} is unknown: choose from {', '.join(BACKENDS)}")
    return name


def _driving(name: str, config: Config, seed: int, start_zones: NDArray[np.int64], gui: bool) -> Backend:
    if name == "kinematic":
        from .backends.kinematic import KinematicWorld

        return KinematicWorld(config, seed, start_zones)
    from .backends.bullet import BulletWorld

    return BulletWorld(config, seed, start_zones, gui=gui)
