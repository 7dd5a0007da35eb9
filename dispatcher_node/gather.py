"""One tick's gathering of zones, without ROS: who was asked, who answered, who is replaced, when it ends.

Times are wall seconds on any monotonic clock; ages are seconds of ROS time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

CHANCE = 0.5
"""Share of the time left when a robot is asked, after which it is replaced if it has said nothing."""

OUT = -1
"""What a robot out of service, or outside all zones, tells instead of a zone."""


class Gather:
    """Collects up to k fresh zones before a deadline.

    Args:
        names: robots asked first, k of them.
        began: wall time [s].
        timeout: [s] wall time until the gathering ends with what there is.
        max_age: [s] ROS time; older samples are stale.
        more: draws that many further robots and returns their names.
        reach: a stale sample of use to a belief is at most so many ticks old; 0: none is.
    """

    def __init__(
        self,
        names: Sequence[str],
        began: float,
        timeout: float,
        max_age: float,
        more: Callable[[int], Sequence[str]],
        reach: int = 0,
    ) -> None:
        self.k = len(names)
        self.began, self.timeout, self.max_age = began, timeout, max_age
        self._more, self._reach = more, reach
        self.asked: list[str] = list(names)
        self._patience = dict.fromkeys(names, began + CHANCE * timeout)  # wall time at which the silent are given up
        self.replacements: list[str] = []
        self.zones: dict[str, int] = {}
        self.late: dict[str, int] = {}  # zones of stale samples that a belief can carry forward
        self.ages: dict[str, int] = {}  # in ticks, of samples in `zones` and `late`
        self.messages: dict[str, int] = {}
        self.rejected: dict[str, str] = {}
        self._given_up: set[str] = set()

    def receive(self, name: str, zone: int | None, age: float, ticks: int = 0, count: int = 1) -> None:
        """Store a message of an asked robot: its zone index (None: no known zone) and its age [s] and in ticks.

        OUT instead of a zone says that the robot is out of service: it is replaced, whatever it said before.

        `count` messages came, of which this is the latest.

        A stale robot is replaced, but its zone is kept as `late` while a belief can use it. A later valid message of
        the same robot replaces an earlier one; stamps from the future beyond `max_age` are as wrong as stale ones.
        """
        self.messages[name] = self.messages.get(name, 0) + count
        if zone == OUT:
            for told in (self.zones, self.late, self.ages):
                told.pop(name, None)
            reason, zone = "out of service", None
        elif zone is None:
            reason = "unknown zone"
        elif abs(age) > self.max_age:
            reason = "stale" if age > 0 else "from the future"
        else:
            # A dispatcher that knows of no earlier tick takes a fresh sample as one of this tick.
            self.zones[name], self.ages[name] = zone, min(ticks, self._reach)
            self.rejected.pop(name, None)
            self.late.pop(name, None)
            return
        if name in self.zones:
            return
        self.rejected[name] = reason
        if zone is not None and reason == "stale" and 0 < ticks <= self._reach:
            self.late[name], self.ages[name] = zone, ticks

    def replace(self, now: float) -> list[str]:
        """Robots to ask as well now, instead of those rejected, or silent for half of the time they had."""
        end = self.began + self.timeout
        if now >= end:
            return []
        lost = [
            name
            for name in self.asked
            if name not in self.zones
            and name not in self._given_up
            and (name in self.rejected or now >= self._patience[name])
        ]
        self._given_up.update(lost)
        fresh = list(self._more(len(lost))) if lost else []
        self._patience |= dict.fromkeys(fresh, now + CHANCE * (end - now))
        self.asked += fresh
        self.replacements += fresh
        return fresh

    def done(self, now: float) -> bool:
        """Whether k zones are in or the time is up."""
        return len(self.zones) >= self.k or now >= self.began + self.timeout

    @property
    def complete(self) -> bool:
        """Whether k fresh zones are in."""
        return len(self.zones) >= self.k

    @property
    def missing(self) -> list[str]:
        """Asked robots that sent nothing at all."""
        return [name for name in self.asked if name not in self.messages]

    @property
    def stale(self) -> list[str]:
        """Asked robots whose message could not be used."""
        return list(self.rejected)
