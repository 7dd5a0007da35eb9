"""Robots that an operator has taken out."""

from __future__ import annotations

from collections.abc import Sequence

from meanfleet.base.errors import UserError, suggestion
from meanfleet.config import Config


def excluded(given: Sequence[str] | None, config: Config) -> tuple[str, ...]:
    """Names of the robots that are out, in the fleet's order.

    Args:
        given: the parameter `exclude`; without a name in it the configuration's `safety.exclude` counts. The name ""
            is nobody: `ros2 param set` cannot send an empty list of texts, and [''] readmits everybody.

    Raises:
        UserError: a name is not in the fleet.
    """
    for name in given or ():
        if name and name not in config.robots:
            raise UserError(
                f"parameter 'exclude': {name!r} is not in the fleet of {config.source}{suggestion(name, config.robots)}"
            )
    out = set(given or config.safety.exclude)
    return tuple(name for name in config.robots if name in out)
