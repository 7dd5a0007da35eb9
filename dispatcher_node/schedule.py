"""When ticks are due, by a clock that may stop, run ahead or jump back. No ROS."""

from __future__ import annotations

import math
from dataclasses import dataclass

STALLED = 3.0  # [s, wall] after which a clock that does not move is said to stand still


@dataclass(frozen=True)
class Due:
    """A tick to begin now.

    Attributes:
        stamp: its time [s], a multiple of the tick.
        skipped: ticks before it for which it is too late, or was inactive.
        jumped: how far the clock went back before it [s]; 0 if it did not.
    """

    stamp: float
    skipped: int
    jumped: float


class Schedule:
    """Ticks at the multiples of `tick` [s, ROS time]."""

    def __init__(self, tick: float) -> None:
        self.tick = tick
        self._next: float | None = None
        self._last = 0.0
        self._jumped = 0.0
        self._resuming = False
        self._missed = 0  # ticks for which nobody was there, since the last that was begun
        self._moved_at: float | None = None  # wall time at which the clock moved last

    def restart(self) -> None:
        """The next tick is the next multiple; those that were due until then count as skipped."""
        self._resuming = True

    def look(self, now: float, wall: float) -> Due | None:
        """The tick that is due at ROS time `now` [s], if any; `wall` [s] is any monotonic clock.

        A clock that went back by more than two ticks starts the ticks anew from there.
        """
        if now != self._last or self._moved_at is None:
            if self._next is not None and now < self._next - 2 * self.tick:
                self._jumped = self._last - now
                self._next = None
            self._last, self._moved_at = now, wall
        if now <= 0:
            return None
        if self._next is None or self._resuming:
            self._next = self._following(math.ceil(now / self.tick) * self.tick)
        if now < self._next:
            return None
        skipped = math.floor((now - self._next) / self.tick)
        due = Due(self._next + skipped * self.tick, skipped + self._missed, self._jumped)
        self._next, self._jumped, self._missed = due.stamp + self.tick, 0.0, 0
        return due

    def _following(self, multiple: float) -> float:
        """The tick to begin with at the present `multiple`; those before it, back to the last one, were missed."""
        self._resuming = False
        if self._next is None or multiple <= self._next:
            return multiple if self._next is None else self._next
        self._missed += round((multiple - self._next) / self.tick)
        return multiple

    def stalled(self, wall: float) -> float:
        """For how long the clock has not moved [s, wall]; 0 below `STALLED` or before the first look."""
        still = 0.0 if self._moved_at is None else wall - self._moved_at
        return still if still > STALLED else 0.0
