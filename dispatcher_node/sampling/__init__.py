"""Which robots a tick polls: sampling designs, their inclusion probabilities and the weights that follow."""

from __future__ import annotations

import math

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.floors.floor import floor_of

from .budget import Budget
from .designs import Graphon, Nearest, Oldest, Stratified, Uniform, Weighted
from .estimation import reweighted, rounded, weighted_shares
from .polling import Polling
from .protocol import Design, Roster

DESIGNS = ("uniform", "oldest", "stratified", "nearest", "weighted", "graphon")
NEEDS = {"nearest": "dispatcher.position", "weighted": "dispatcher.probabilities", "graphon": "the key 'interactions'"}


def simple_design(name: str) -> Design:
    """A design that needs no configuration.

    Raises:
        UserError: there is none of that name, or it needs a configuration.
    """
    if name not in DESIGNS:
        raise UserError(f"sampling {name!r} is unknown: choose from {', '.join(DESIGNS)}")
    if name in NEEDS:
        raise UserError(f"sampling {name!r} needs {NEEDS[name]} in the configuration")
    return {"uniform": Uniform, "oldest": Oldest, "stratified": Stratified}[name]()


def design_from_config(config: Config, name: str = "") -> Design:
    """The design of that name (empty: the configuration's) with what the configuration says of it.

    Raises:
        UserError: an unknown name, or a configuration that lacks what the design needs.
    """
    settings = config.dispatcher
    name = name or settings.sampling
    if name == "nearest" and settings.position is not None:
        x, y = settings.position
        distances = tuple(math.hypot(a - x, b - y) for a, b in floor_of(config).centres.tolist())
        return Nearest(distances * max(len(config.types), 1))
    if name == "weighted" and settings.probabilities:
        return Weighted(tuple(settings.probabilities.get(robot, 1.0) for robot in config.robots))
    if name == "graphon" and config.interactions:
        kinds = config.type_of
        return Graphon([[row[kind] for kind in kinds] for row in config.interaction_weights])
    return Stratified(config.type_of) if name == "stratified" else simple_design(name)


__all__ = [
    "DESIGNS",
    "Budget",
    "Design",
    "Graphon",
    "Nearest",
    "Oldest",
    "Polling",
    "Roster",
    "Stratified",
    "Uniform",
    "Weighted",
    "design_from_config",
    "reweighted",
    "rounded",
    "simple_design",
    "weighted_shares",
]
