"""Which kind of configuration a file is, so that a mistake in it is judged by its own keys."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection

from meanfleet.base.errors import UserError

from .families import ZONES, Kind, kind, names

CROWD = Kind("robots that are paid together", "meanfleet mfq", ("squeeze", "exploration"), ("robots",))
FEDERATED = Kind("federated optimization", "meanfleet federated", ("federated",), ("solver",))
PLAYERS = Kind("a small game of learners", "meanfleet dynamics", ("markov_game",), ("dynamics",))
OTHERS = (CROWD, FEDERATED, PLAYERS)


def every() -> tuple[Kind, ...]:
    """All kinds: of fleets, and of studies; zones last, for which a key of another decides otherwise."""
    fleets = [kind(name) for name in names()]
    return (*fleets[1:], *OTHERS, fleets[0])


def kind_of(keys: Collection[str], likely: Kind | None = None) -> Kind:
    """By a decisive key; without one by how many keys are its own or resemble them, `likely` (zones) among equals."""
    for one in every():
        if any(key in keys for key in one.decisive):
            return one
    return max((likely or kind(ZONES), *every()), key=lambda one: sum(bool(_own(key, one)) for key in keys))


def _own(key: str, one: Kind) -> list[str]:
    return difflib.get_close_matches(key, (*one.decisive, *one.keys), n=1, cutoff=0.75)


def take(path: str | os.PathLike[str], keys: Collection[str], *kinds: Kind) -> Kind:
    """The kind of a file with these keys at its top level, the first of `kinds` among equals.

    Raises:
        UserError: it is none of `kinds`.
    """
    found = kind_of(keys, kinds[0])
    if found in kinds:
        return found
    wanted = " or ".join(f"{one.what} ('{one.decisive[0]}:')" for one in kinds)
    raise UserError(f"{path} describes {found.what}, which '{found.command}' takes: expected {wanted}")
