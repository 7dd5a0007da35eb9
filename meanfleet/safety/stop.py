"""The emergency stop: who can press it, and who can release it.

Buttons are of two kinds: a node's own service, and everybody who publishes the topic `estop`. Any button stops. Each is
released where it was pressed; robots move again, at the next tick, when the last one is released. So the topic is
released by a publisher's `false`, and only if no other publisher that lives still says `true`, which a roll call finds
out: a fresh subscription, which every publisher's latched word reaches. A publisher that dies while it says `true`
releases nothing, and neither does a restart of dispatcher, panel or network: once stopped, it takes a `false`.
"""

from __future__ import annotations

QUIET = 1.0  # [s, wall] without a `true` that end a roll call
STEP = 0.1  # [s, wall] that count at most between two looks: while a process stands still it hears nobody's `true`


class Stop:
    """State of the stop at one node. Times are wall seconds on any monotonic clock."""

    def __init__(self) -> None:
        self.button = False  # the node's own service
        self.line = False  # the topic
        self._quiet: float | None = None  # for how long the roll call has heard no `true` [s]
        self._looked = 0.0

    @property
    def stopped(self) -> bool:
        """Whether nobody may move."""
        return self.button or self.line

    @property
    def by(self) -> str:
        """Who has stopped, and how it is released; empty if nobody has."""
        ways = [("topic estop", self.line), ("service estop of this node", self.button)]
        return " and ".join(way for way, pressed in ways if pressed)

    @property
    def asking(self) -> bool:
        """Whether a roll call is under way."""
        return self._quiet is not None

    def press(self, pressed: bool) -> None:
        """The node's own button."""
        self.button = pressed

    def hear(self, pressed: bool, wall: float) -> bool:
        """A publisher's word; True if a roll call has to begin, with a fresh subscription, for what it hears."""
        if pressed:
            self.line, self._quiet = True, None
            return False
        if self.line:
            self._quiet, self._looked = 0.0, wall
        return self.line

    def answer(self, pressed: bool) -> None:
        """A word heard in a roll call."""
        if pressed:
            self.line, self._quiet = True, None

    def look(self, wall: float) -> None:
        """End a roll call in which nobody said `true`: released. To be called again and again, between messages."""
        if self._quiet is None:
            return
        self._quiet += min(wall - self._looked, STEP)
        self._looked = wall
        if self._quiet >= QUIET:
            self.line, self._quiet = False, None
