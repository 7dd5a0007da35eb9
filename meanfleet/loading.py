"""Loading the policies that a configuration can be run by."""

from __future__ import annotations

import os

from .bundle import PolicyBundle, read_content
from .config import Config
from .continuous_bundle import ContinuousBundle
from .errors import UserError


def load_policies(path: str | os.PathLike[str], config: Config) -> PolicyBundle:
    """The bundle in a file: of robots on a line where the configuration has one.

    Raises:
        UserError: damaged, or for other zones, ways or another line than the configuration's.
    """
    bundle = (PolicyBundle if config.tracks is None else ContinuousBundle).load(path)
    require_fit(bundle, config)
    return bundle


def require_fit(bundle: PolicyBundle, config: Config) -> None:
    """Raise UserError unless the bundle is for the configuration's zones and ways, or for its line."""
    on_line = isinstance(bundle, ContinuousBundle)
    if on_line != (config.tracks is not None):
        whose = ("a line", "zones") if on_line else ("zones", "a line")
        raise UserError(f"the policy is for robots on {whose[0]}, but {config.source} describes {whose[1]}")
    if isinstance(bundle, ContinuousBundle) and config.tracks is not None:
        bundle.require_line(config.tracks.line)
    else:
        bundle.require_graph(config.state_graph, len(config.zones))


def load_any(path: str | os.PathLike[str]) -> PolicyBundle:
    """The bundle in a file, whatever it is for.

    Raises:
        UserError: damaged, or no bundle.
    """
    content = read_content(path, PolicyBundle.made_by)
    return (ContinuousBundle if "line" in content else PolicyBundle).from_content(content, path)
