"""What the dispatcher calls a priority in its messages: a zone's name, or what a family has in its place, as text."""

from __future__ import annotations

from typing import Protocol

from meanfleet.config import Config
from meanfleet.config.families import family_of


class Priorities(Protocol):
    """Reads the names of priorities."""

    @property
    def kind(self) -> str:
        """What a priority is, in a word or two."""

    def read(self, name: str) -> float | None:
        """s_g: a zone's index, or a place; None if it is neither."""

    def zone(self, priority: float) -> int:
        """Index of the zone that a priority lies in."""


def priorities_of(config: Config) -> Priorities:
    """The priorities of a configuration's fleet."""
    found: Priorities = family_of(config).priorities(config)
    return found


def priority_name(zone: int, place: float | None, config: Config) -> str:
    """s_g as text: the shortest that gives a place back exactly, or the name of the zone."""
    return config.zones[zone] if place is None else repr(place)


class ZonePriorities:
    """Priorities that are zones."""

    kind = "zone"

    def __init__(self, config: Config) -> None:
        self._zones = {name: i for i, name in enumerate(config.zones)}

    def read(self, name: str) -> float | None:
        """As `Priorities.read`."""
        return self._zones.get(name)

    def zone(self, priority: float) -> int:
        """As `Priorities.zone`."""
        return int(priority)
