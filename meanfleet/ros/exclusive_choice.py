"""Which messages of a topic count that one node alone may publish: those of its only publisher. No ROS."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

SETTLED = 0.5  # [s, wall] a publisher has been alone before it counts; that of a command that publishes once is gone

M = TypeVar("M")


class Choice(Generic[M]):
    """The latest message of the publisher that was alone on the topic when it came, and still is.

    A publisher that publishes once and leaves was never alone for long enough, whether another is there or not, and
    what it published goes with it. What counted last goes on doing so when its publisher leaves, until another counts.

    Attributes:
        latest: the message that counts; None before the first.
        publishers: how many there are.
        came: publishers discovered so far, also those that left between two looks; the reader counts them.
        strays: those that have left, and of which no message ever counted.
    """

    def __init__(self) -> None:
        self.latest: M | None = None
        self.publishers = self.came = self.strays = 0
        self._came, self._quiet = 0, 0.0  # when `came` was seen to change last
        self._messages: dict[bytes, M] = {}  # the last of each publisher
        self._seen: dict[bytes, float] = {}  # when each was seen first, and
        self._lonely: dict[bytes, float] = {}  # since when it is alone [s, wall]
        self._counted: set[bytes] = set()  # publishers of which a message has counted

    def look(self, present: Iterable[bytes], received: Iterable[tuple[bytes, M]], wall: float) -> None:
        """Take in who is there at `wall` [s, any monotonic clock], and what came since the last look, by publisher."""
        there = set(present)
        for publisher, message in received:
            self._messages[publisher] = message
            self._seen.setdefault(publisher, wall)
        for publisher in there:
            self._seen.setdefault(publisher, wall)
        self.publishers = len(there)
        self._lonely = {one: self._lonely.get(one, wall) for one in there} if len(there) == 1 else {}
        for publisher, since in self._lonely.items():
            if publisher in self._messages and wall - since >= SETTLED:
                self.latest = self._messages[publisher]
                self._counted.add(publisher)
        self._forget(there, wall)
        if self.came != self._came:
            self._came, self._quiet = self.came, wall
        elif wall - self._quiet >= SETTLED:  # by then whoever came is discovered everywhere, or has left
            self.strays = max(self.strays, self.came - len(self._counted | there))

    def _forget(self, there: set[bytes], wall: float) -> None:
        """Whoever has left; a message may come a moment before its publisher is seen."""
        for publisher in self._seen.keys() - there:
            if wall - self._seen[publisher] >= SETTLED:
                self._messages.pop(publisher, None)
                del self._seen[publisher]


__all__ = ["SETTLED", "Choice"]
