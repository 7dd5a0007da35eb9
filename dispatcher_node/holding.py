"""When the priority is held whatever the policy says. No ROS."""

from __future__ import annotations

ESTOP, NOBODY, MIN_HOLD = "estop", "nobody", "min_hold"
REASONS = {
    ESTOP: "emergency stop",
    NOBODY: "all robots are excluded",
    MIN_HOLD: "the priority has not stayed for safety.min_hold",
}
"""Reasons by the word that stands for them in diagnostics."""
ROUNDING = 1e-6  # [s] stamps of today's clocks in float64 are true to 2e-7


class Holding:
    """Keeps a priority for at least `min_hold` [s, ROS time], and for as long as nobody may move.

    A dispatcher that restarts counts from its first tick: it may keep a priority longer, never shorter.
    """

    def __init__(self, min_hold: float) -> None:
        self.min_hold = min_hold
        self._priority: int | None = None
        self._since = 0.0

    def reason(self, priority: int, stamp: float, tick: float, stopped: bool, nobody: bool) -> str:
        """Why the tick at `stamp` [s], which publishes `priority`, holds it for the next one; empty: it may change.

        To be asked once per tick.

        Args:
            priority: s_g(t).
            stamp: of the tick [s]; a clock that jumped back counts anew from there.
            tick: [s] until the next priority is published, at the earliest.
            stopped: an emergency stop is on.
            nobody: no robot is left to be polled.
        """
        if priority != self._priority or stamp < self._since:
            self._priority, self._since = priority, stamp
        if stopped:
            return ESTOP
        if nobody:
            return NOBODY
        return MIN_HOLD if stamp + tick - self._since < self.min_hold - ROUNDING else ""
