"""What the dispatcher calls a priority in its messages: a zone's name, or a place on the line, as text."""

from __future__ import annotations

from .config import Config


def priority_name(zone: int, place: float | None, config: Config) -> str:
    """What is told of s_g: the shortest text that gives a place back exactly, or the name of the zone."""
    return config.zones[zone] if place is None else repr(place)


class Priorities:
    """Reads what is told."""

    def __init__(self, config: Config) -> None:
        self._zones = {name: i for i, name in enumerate(config.zones)}
        self._line = None if config.tracks is None else config.tracks.line

    @property
    def kind(self) -> str:
        """What a priority is, in a word or two."""
        return "zone" if self._line is None else "place on the line"

    def read(self, name: str) -> float | None:
        """s_g: a zone's index, or a place on the line; None if it is neither."""
        if self._line is None:
            return self._zones.get(name)
        try:
            place = float(name)
        except ValueError:
            return None
        return place if abs(place) <= self._line.limit else None

    def zone(self, priority: float) -> int:
        """Index of the zone, or of the bin that a place lies in."""
        if self._line is None:
            return int(priority)
        bins, limit = len(self._line.targets), self._line.limit
        return min(int((priority + limit) * (bins / (2 * limit))), bins - 1)
