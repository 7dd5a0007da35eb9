"""Loading the policies that a configuration can be run by."""

from __future__ import annotations

import os

from .bundle import PolicyBundle, read_content
from .config import Config
from .continuous_bundle import ContinuousBundle
from .errors import UserError
from .solver import Game


def load_policies(path: str | os.PathLike[str], config: Config, by_number: bool = False) -> PolicyBundle:
    """The bundle in a file: of robots on a line where the configuration has one.

    Args:
        path: the file.
        config: what the policies are to run.
        by_number: moves are needed by number alone, and may lead to no zones in particular.

    Raises:
        UserError: damaged, or for other zones, ways or another line than the configuration's.
    """
    bundle = (PolicyBundle if config.tracks is None else ContinuousBundle).load(path)
    require_fit(bundle, config, by_number)
    return bundle


def require_fit(bundle: PolicyBundle, config: Config, by_number: bool = False) -> None:
    """Raise UserError unless the bundle is for the configuration's zones and ways, or for its line.

    Where moves are needed `by_number` alone, a bundle for the very game that the configuration names fits too.
    """
    on_line = isinstance(bundle, ContinuousBundle)
    if on_line != (config.tracks is not None):
        whose = ("a line", "zones") if on_line else ("zones", "a line")
        raise UserError(f"the policy is for robots on {whose[0]}, but {config.source} describes {whose[1]}")
    if isinstance(bundle, ContinuousBundle) and config.tracks is not None:
        bundle.require_line(config.tracks.line)
    elif by_number and bundle.game.graph is None and config.game.file is not None:
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
    return (ContinuousBundle if "line" in content else PolicyBundle).from_content(content, path)
