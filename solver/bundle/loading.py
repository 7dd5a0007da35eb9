"""Loading the policies that a configuration can be run by."""

from __future__ import annotations

import os

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.config.families import family_of, kind, owner_of

from .. import Game
from .policy import PolicyBundle, read_content


def load_policies(path: str | os.PathLike[str], config: Config, by_number: bool = False) -> PolicyBundle:
    """The bundle in a file, of the configuration's family.

    Args:
        path: the file.
        config: what the policies are to run.
        by_number: moves are needed by number alone, and may lead to no zones in particular.

    Raises:
        UserError: damaged, or for another family of fleets, other zones or ways than the configuration's.
    """
    bundle: PolicyBundle = family_of(config).bundle.load(path)
    require_fit(bundle, config, by_number)
    return bundle


def require_fit(bundle: PolicyBundle, config: Config, by_number: bool = False) -> None:
    """Raise UserError unless the bundle is of the configuration's family, and for its zones and ways.

    Where moves are needed `by_number` alone, a bundle for the very game that the configuration names fits too.
    """
    if bundle.family != config.family:
        whose = (kind(bundle.family).what, kind(config.family).what)
        raise UserError(f"the policy is for {whose[0]}, but {config.source} describes {whose[1]}")
    family_of(config).require_fit(bundle, config, by_number)


def require_zones(bundle: PolicyBundle, config: Config, by_number: bool = False) -> None:
    """As `require_fit`, of robots in zones."""
    if by_number and bundle.game.graph is None and config.game.file is not None:
        require_game(bundle, config)
    else:
        bundle.require_graph(config.state_graph, len(config.zones))


def require_game(bundle: PolicyBundle, config: Config) -> None:
    """Raise UserError unless the bundle is for the game in the file that the configuration names, zone by zone."""
    game = Game.from_config(config)
    if bundle.game.digest != game.digest:
        raise UserError(
            f"the policy was solved for another game than that of {config.source}: run 'meanfleet solve' again"
        )
    if game.zones != len(config.zones):
        raise UserError(
            f"{config.source} names {len(config.zones)} zones, but the game in {config.game.file} has {game.zones}: "
            "name each of them under 'zones'"
        )
    if config.dispatcher.priority_dynamics == "direct" and game.dispatches != game.priorities:
        raise UserError(
            f"key 'dispatcher.priority_dynamics' of {config.source}: the game has {game.priorities} priorities and "
            f"{game.dispatches} dispatches, so none can be the other: leave out 'direct'"
        )
    if config.interactions and game.priorities != game.zones:
        raise UserError(f"key 'interactions' of {config.source}: priorities of this game are no zones: leave it out")


def load_any(path: str | os.PathLike[str]) -> PolicyBundle:
    """The bundle in a file, whatever it is for.

    Raises:
        UserError: damaged, or no bundle.
    """
    content = read_content(path, PolicyBundle.made_by)
    bundle: PolicyBundle = owner_of(content).bundle.from_content(content, path)
    return bundle
