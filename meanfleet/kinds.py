"""Which kind of configuration a file is, so that a mistake in it is judged by its own keys."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection
from dataclasses import dataclass

from .errors import UserError


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


LINE = Kind(
    "robots on a line",
    "meanfleet continuous",
    ("line",),
    (
        *("bins", "learning", "evaluation", "polled", "tracks"),
        *("fleet", "dispatcher", "robot", "safety", "world", "frames"),
    ),
)
CROWD = Kind("robots that are paid together", "meanfleet mfq", ("squeeze", "exploration"), ("robots",))
FEDERATED = Kind("federated optimization", "meanfleet federated", ("federated",), ("solver",))
PLAYERS = Kind("a small game of learners", "meanfleet dynamics", ("markov_game",), ("dynamics",))
WAREHOUSE = Kind(
    "a warehouse with zones",
    "meanfleet solve",
    ("zones",),
    (
        *("graph", "fleet", "game", "types", "interactions", "dispatcher", "robot", "safety", "world", "solver"),
        *("frames", "dynamics"),
    ),
)
KINDS = (LINE, CROWD, FEDERATED, PLAYERS, WAREHOUSE)


def kind_of(keys: Collection[str], likely: Kind = WAREHOUSE) -> Kind:
    """By a decisive key; without one by how many keys are its own or resemble them, `likely` among equals."""
    for kind in KINDS:
        if any(key in keys for key in kind.decisive):
            return kind
    return max((likely, *KINDS), key=lambda kind: sum(bool(_own(key, kind)) for key in keys))


def _own(key: str, kind: Kind) -> list[str]:
    return difflib.get_close_matches(key, (*kind.decisive, *kind.keys), n=1, cutoff=0.75)


def take(path: str | os.PathLike[str], keys: Collection[str], *kinds: Kind) -> Kind:
    """The kind of a file with these keys at its top level, the first of `kinds` among equals.

    Raises:
        UserError: it is none of `kinds`.
    """
    found = kind_of(keys, kinds[0])
    if found in kinds:
        return found
    wanted = " or ".join(f"{kind.what} ('{kind.decisive[0]}:')" for kind in kinds)
    raise UserError(f"{path} describes {found.what}, which '{found.command}' takes: expected {wanted}")
