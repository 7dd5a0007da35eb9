"""Making the world that a configuration with robots on a line names."""

from __future__ import annotations

from meanfleet.config import Config
from meanfleet.sim.world import check_world

from .world import LineWorld, ModelLine


def line_world(config: Config, seed: int, backend: str | None = None, gui: bool = False) -> LineWorld:
    """The world of robots on a line, in the clusters that its model begins with.

    Raises:
        UserError: as `check_world`.
    """
    if check_world(config, backend, gui) == "model":
        return ModelLine(config, seed)
    from .bullet import BulletLine

    return BulletLine(config, seed, gui)
