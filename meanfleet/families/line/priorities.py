"""Priorities that are places on the line."""

from __future__ import annotations

from meanfleet.config.line import LineConfig


class Places:
    """Implements `meanfleet.floors.priorities.Priorities`."""

    kind = "place on the line"

    def __init__(self, line: LineConfig) -> None:
        self._line = line

    def read(self, name: str) -> float | None:
        """As `Priorities.read`."""
        try:
            place = float(name)
        except ValueError:
            return None
        return place if abs(place) <= self._line.limit else None

    def zone(self, priority: float) -> int:
        """Index of the bin that a place lies in."""
        bins, limit = len(self._line.targets), self._line.limit
        return min(int((priority + limit) * (bins / (2 * limit))), bins - 1)
