"""Transitions counted in a world under random moves: the file beside a configuration that `meanfleet count` writes."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from .config import Config, read_yaml
from .errors import UserError
from .files import replacing
from .ring import MOVES


def world_digest(config: Config) -> str:
    """Hash of what the counts depend on: the ring, its bodies, how they drive, the tick; not n, so a fleet may grow."""
    world = config.world.model_dump(include={"layout", "step", "speed", "acceleration"})
    world |= {"zones": len(config.zones), "tick": config.dispatcher.tick}
    return hashlib.sha256(json.dumps(world, sort_keys=True).encode()).hexdigest()[:16]


def write_counts(path: str | os.PathLike[str], config: Config, counts: NDArray[np.int64], how: dict[str, Any]) -> None:
    """Write counts [zone, move, next zone] with how they came about."""
    body = {"world": world_digest(config), **how, "counts": counts.tolist()}
    text = (
        "# Zone transitions counted per tick in the simulated world under random moves by `meanfleet count`:\n"
        "# counts[zone][move][next zone], move: 0 stay, 1 next, 2 previous. `world` is the hash of the layout,\n"
        "# bodies and tick they hold for.\n" + yaml.safe_dump(body, sort_keys=False, default_flow_style=None)
    )
    with replacing(path) as stream:
        stream.write(text.encode())


def read_counts(path: str | os.PathLike[str], config: Config) -> NDArray[np.int64]:
    """Read counts [zone, move, next zone] for the world of `config`.

    Raises:
        UserError: unreadable, of the wrong shape, negative, or counted in another world.
    """
    data = read_yaml(path)
    zones = len(config.zones)
    try:
        counts = np.array(data["counts"], dtype=np.int64)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UserError(f"{path}: key 'counts' must hold whole numbers [zone][move][next zone]") from None
    if counts.shape != (zones, MOVES, zones) or (counts < 0).any():
        raise UserError(f"{path}: counts have shape {counts.shape}, expected {(zones, MOVES, zones)}, none negative")
    if data.get("world") != world_digest(config):
        raise UserError(
            f"{path} was counted in another world than {config.source} describes: run 'meanfleet count' again"
        )
    return counts
