"""The robots of a process and their goals, of the configuration's family."""

from __future__ import annotations

from collections.abc import Sequence

from meanfleet.config import Config
from meanfleet.config.families import family_of
from meanfleet.floors.floor import floor_of
from meanfleet.solver.bundle.policy import PolicyBundle

from .goals import Goals
from .team import Team


def crew_of(config: Config, bundle: PolicyBundle, names: Sequence[str], seed: int) -> tuple[Team, Goals]:
    """The team of these robots of the fleet, and their goals."""
    fleet = {name: i for i, name in enumerate(config.robots)}
    crew: tuple[Team, Goals] = family_of(config).crew(config, bundle, [fleet[name] for name in names], seed)
    return crew


def crew_of_zones(config: Config, bundle: PolicyBundle, robots: Sequence[int], seed: int) -> tuple[Team, Goals]:
    """As `crew_of`, of robots in zones; `robots` are their places in the fleet."""
    floor, kinds, settings = floor_of(config), config.type_of, config.robot
    names = [config.robots[i] for i in robots]
    team = Team(names, floor.zone_map, bundle, seed, settings.heartbeat, [kinds[i] for i in robots])
    return team, Goals(floor.slots[list(robots)], settings.goal_timeout, settings.goal_tolerance)


def check_mode(mode: str, config: Config) -> str:
    """The mode.

    Raises:
        UserError: the family's fleets cannot be led in it.
    """
    family_of(config).check_mode(mode, config)
    return mode
