"""Mode advise: robots act on a priority once an operator has confirmed it. No ROS."""

from __future__ import annotations


class Confirmation:
    """What was confirmed, and what awaits it.

    Args:
        lasts: [s, ROS time] for which a confirm allows every priority; None: it allows one, for as long as that stays.

    Attributes:
        awaiting: the zone whose priority waits for a confirm; empty if none does.
    """

    def __init__(self, lasts: float | None) -> None:
        self.lasts, self.awaiting = lasts, ""
        self._zone, self._at = "", float("inf")  # confirmed, and when

    def allows(self, zone: str, now: float) -> bool:
        """Whether robots may act on the priority `zone` at `now` [s]; if not, it awaits a confirm from now on."""
        valid = self.covers(zone, now)
        if not valid:
            self.void()
        self.awaiting = "" if valid else zone
        return valid

    def give(self, now: float) -> str:
        """Confirm what awaits, and return it; empty if nothing does."""
        zone, self.awaiting = self.awaiting, ""
        if zone:
            self._zone, self._at = zone, now
        return zone

    def void(self) -> None:
        """What was confirmed is so no longer, and nothing awaits."""
        self._zone, self._at, self.awaiting = "", float("inf"), ""

    def covers(self, zone: str, now: float) -> bool:
        """Whether a confirm allows the priority `zone` at `now` [s]."""
        if self.lasts is None:
            return zone == self._zone
        return 0 <= now - self._at < self.lasts  # a clock that jumped back behind the confirm makes it void
