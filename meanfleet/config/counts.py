"""Counted transitions: the file beside a configuration that `meanfleet count` writes, or `meanfleet fit` from a bag."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from meanfleet.base.errors import UserError
from meanfleet.base.files import replacing
from meanfleet.base.yaml_files import read_yaml
from meanfleet.space.zone_graph import ZoneGraph

from .whole import Config


def world_digest(config: Config) -> str:
    """Hash of what the counts depend on: zones, ways, bodies, how they drive, the tick; not n, so a fleet may grow."""
    world = config.world.model_dump(include={"layout", "step", "speed", "acceleration"})
    world |= {"zones": len(config.zones), "tick": config.dispatcher.tick}
    if not config.zone_graph.is_ring:
        world["targets"] = config.zone_graph.targets.tolist()
    return hashlib.sha256(json.dumps(world, sort_keys=True).encode()).hexdigest()[:16]


def write_counts(
    path: str | os.PathLike[str],
    config: Config,
    counts: NDArray[np.int64],
    how: dict[str, Any],
    steering: NDArray[np.int64] | None = None,
) -> None:
    """Write counts [zone, move, next zone] or [zone, priority, move, next zone] with how they came about.

    `steering` are counts of the priority, [priority, dispatch, next priority].
    """
    body = {"world": world_digest(config), **how, "counts": counts.tolist()}
    if steering is not None:
        body["steering"] = steering.tolist()
    index = "[zone][move][next zone]" if counts.ndim == 3 else "[zone][priority][move][next zone]"
    origin = (
        "in the simulated world under random moves by `meanfleet count`"
        if "bag" not in how
        else ("in a bag by `meanfleet fit`")
    )
    text = (
        f"# Zone transitions counted per tick {origin}:\n"
        f"# counts{index}, move: {_moves(config.zone_graph)}. `world` is the hash of the layout,\n"
        "# bodies and tick they hold for.\n" + yaml.safe_dump(body, sort_keys=False, default_flow_style=None)
    )
    with replacing(path) as stream:
        stream.write(text.encode())


def read_counts(path: str | os.PathLike[str], config: Config) -> NDArray[np.int64]:
    """Read counts [zone, move, next zone] or [zone, priority, move, next zone] for the world of `config`.

    Raises:
        UserError: unreadable, of the wrong shape, negative, or counted in another world.
    """
    zones, moves = config.zone_graph.targets.shape
    shapes = ((zones, moves, zones), (zones, zones, moves, zones))
    return _read(path, config, "counts", "[zone][move][next zone]", shapes)


def read_steering(path: str | os.PathLike[str], config: Config) -> NDArray[np.int64]:
    """Read counts [priority, dispatch, next priority] for the world of `config`; raises UserError as `read_counts`."""
    zones = len(config.zones)
    return _read(path, config, "steering", "[priority][dispatch][next priority]", ((zones, zones, zones),))


def _moves(graph: ZoneGraph) -> str:
    return "0 stay, 1 next, 2 previous" if graph.is_ring else "0 stay, j to the zone's j-th neighbour"


def _read(
    path: str | os.PathLike[str], config: Config, key: str, index: str, shapes: tuple[tuple[int, ...], ...]
) -> NDArray[np.int64]:
    data = read_yaml(path)
    try:
        counts = np.array(data[key], dtype=np.int64)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UserError(f"{path}: key '{key}' must hold whole numbers {index}") from None
    if counts.shape not in shapes or (counts < 0).any():
        raise UserError(f"{path}: {key} have shape {counts.shape}, expected {shapes[0]}, none negative")
    if data.get("world") != world_digest(config):
        raise UserError(
            f"{path} was counted in another world than {config.source} describes: run 'meanfleet count' again"
        )
    return counts
