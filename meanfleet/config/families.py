"""The kinds of fleet there are, found by name: every folder of `meanfleet/families` is one.

What differs between them is asked of a family's object alone, which `meanfleet.families.protocol` documents. It is
imported when it is asked for: whoever asks is on a floor below.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Collection
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from meanfleet.base.errors import UserError

HOME = "meanfleet.families"
ZONES = "zones"  # the family that a file with keys of none is judged by


@dataclass(frozen=True)
class Kind:
    """One kind of configuration.

    Attributes:
        what: it describes, in words.
        command: that takes it.
        decisive: keys of which one makes a file of this kind.
        keys: its other keys at the top level.
    """

    what: str
    command: str
    decisive: tuple[str, ...]
    keys: tuple[str, ...]


class Described(Protocol):
    """A configuration, as far as its family is asked for."""

    @property
    def family(self) -> str: ...

    @property
    def source(self) -> Path: ...


def names() -> tuple[str, ...]:
    """Names of all families, that of zones first."""
    found = {module.name for module in pkgutil.iter_modules(import_module(HOME).__path__) if module.ispkg}
    return (ZONES, *sorted(found - {ZONES}))


def kind(name: str) -> Kind:
    """What the files of a family look like."""
    found: Kind = import_module(f"{HOME}.{name}").KIND
    return found


def family(name: str) -> Any:
    """The family's object, a `meanfleet.families.protocol.Family`."""
    return import_module(f"{HOME}.{name}.family").FAMILY


def family_of(config: Described) -> Any:
    """The family of a configuration's fleet, a `meanfleet.families.protocol.Family`."""
    return family(config.family)


def owner_of(content: Collection[str]) -> Any:
    """The family of the policies in a file with arrays of these names."""
    return next((one for name in names() if name != ZONES and (one := family(name)).owns(content)), family(ZONES))


def require_command(config: Described, command: str) -> None:
    """Raise UserError unless a command takes fleets of the configuration's family."""
    own = family_of(config)
    if command not in own.commands:
        takers = [kind(name).what for name in names() if command in family(name).commands]
        raise UserError(
            f"{config.source} has {own.kind.what}, and 'meanfleet {command}' takes {' or '.join(takers)}: "
            f"'{own.kind.command}' solves such fleets"
        )
