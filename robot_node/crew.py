"""The robots of a process and their goals, of the kind that the configuration asks for: in zones, or on a line."""

from __future__ import annotations

from collections.abc import Sequence

from meanfleet.bundle import PolicyBundle
from meanfleet.config import Config
from meanfleet.continuous_bundle import ContinuousBundle
from meanfleet.errors import UserError
from meanfleet.floor import floor_of, tracks_of

from .goals import Goals
from .line import LineTeam, TrackGoals
from .team import Team


def crew_of(config: Config, bundle: PolicyBundle, names: Sequence[str], seed: int) -> tuple[Team, Goals]:
    """The team of these robots of the fleet, and their goals."""
    fleet, settings = {name: i for i, name in enumerate(config.robots)}, config.robot
    own, patience = [fleet[name] for name in names], (settings.goal_timeout, settings.goal_tolerance)
    if isinstance(bundle, ContinuousBundle):
        tracks = tracks_of(config)
        return LineTeam(names, tracks, bundle, seed, settings.heartbeat), TrackGoals(tracks, own, *patience)
    floor, kinds = floor_of(config), config.type_of
    team = Team(names, floor.zone_map, bundle, seed, settings.heartbeat, [kinds[i] for i in own])
    return team, Goals(floor.slots[own], *patience)


def check_mode(mode: str, config: Config) -> str:
    """The mode.

    Raises:
        UserError: every tick would have to be confirmed.
    """
    if mode == "advise" and config.tracks is not None and config.safety.confirm_for is None:
        raise UserError("mode advise: the priority on a line is new at every tick, so give safety.confirm_for")
    return mode
