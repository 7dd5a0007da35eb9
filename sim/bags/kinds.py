"""A recorded fleet whose robots have types: its log over the game's states, and the part of it that is of one type.

A bag tells robots' names and zones; their types are those that the configuration gives them by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from meanfleet.base.errors import UserError, suggestion
from meanfleet.config import Config

from .log import UNKNOWN, FleetLog


def kinds_by_name(config: Config) -> dict[str, int] | None:
    """Index of every robot's type by its name; None in a fleet whose robots are alike."""
    return dict(zip(config.robots, config.type_of, strict=True)) if config.types else None


def over_states(log: FleetLog, config: Config) -> FleetLog:
    """The log with states, type·zones + zone, in the place of zones; the log itself where robots are alike.

    Raises:
        UserError: a robot of the bag is not in the configuration's fleet, so that its type is not known.
    """
    if not config.types:
        return log
    first = len(config.zones) * np.array(_kinds(log.robots, config), dtype=np.int64)
    states = np.where(log.zones == UNKNOWN, UNKNOWN, log.zones + first)
    return replace(log, zones=states, zone_names=config.states, priority_names=log.zone_names)


def of_type(log: FleetLog, config: Config, name: str) -> FleetLog:
    """The part of a log that is about the robots of one type; raises UserError as `over_states`."""
    kind = tuple(config.types).index(name)
    own = np.flatnonzero(np.array(_kinds(log.robots, config), dtype=np.int64) == kind)
    return replace(
        log,
        robots=tuple(log.robots[i] for i in own.tolist()),
        zones=log.zones[:, own],
        moves=None if log.moves is None else log.moves[:, own],
        source=f"{log.source}, type {name},",
    )


def _kinds(robots: Iterable[str], config: Config) -> list[int]:
    known = kinds_by_name(config) or {}
    for name in robots:
        if name not in known:
            raise UserError(
                f"robot {name!r} of the bag is not in the fleet of {config.source}, so its type is not known"
                f"{suggestion(name, known)}: give the fleet's own configuration, its size with --n, or choose --robots"
            )
    return [known[name] for name in robots]
