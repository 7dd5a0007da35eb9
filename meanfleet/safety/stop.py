"""The emergency stop: who stops, who may release it, and what a node that starts learns of it. No ROS.

Two kinds of sources stop. A *button* is the service `~/estop` of a node: the dispatcher's stops everybody, a robot
node's its own robots. A *panel* is a publisher of the topic `estop`: it stops everybody. Each is released where it was
pressed: by the same button, by the same publisher's `false`. A panel that has left the graph can do so no more: it is
released by an operator's act, a `false` of any panel or of the dispatcher's button, and by nothing else: not by time, a
restart, or another source's silence. A dispatcher that has left for good is released by another dispatcher's button.

Every node keeps all it knows of all sources, publishes it, and joins what others publish, so that whoever starts learns
what anybody alive knows. `Word.joined` is commutative, associative and idempotent (a state-based replicated data type):
in whatever order knowledge arrives, and however often, all end up with the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

UNSEEN = 25.0  # [s, wall] after which a source that a node knows of and never saw has left; DDS has dropped it by then
RHYTHM = 3.0  # [s, wall]: a `false` sooner after the same panel's last one belongs to a stream, and is no act
MOST_RELEASED = 50  # sources kept that stop nobody: they release what a node that was down still believes
BUTTON, PANEL = "button", "panel"
UNNAMED = f"{PANEL}:"  # all panels of which rclpy does not say which published


@dataclass(frozen=True)
class Word:
    """What is known of one source.

    Attributes:
        pressed: what it said last.
        number: of that: a panel's sequence number, a button's count; greater is later.
        cleared: up to which number an operator's act released it after it had left; -1: none did.
        name: of its node, for people.
        scope: node whose robots it stops; empty: everybody.
    """

    pressed: bool
    number: int
    cleared: int = -1
    name: str = ""
    scope: str = ""

    def joined(self, other: Word) -> Word:
        """What both together know; at the same number a stop counts."""
        key = (self.number, self.pressed, self.name, self.scope)
        later = self if key >= (other.number, other.pressed, other.name, other.scope) else other
        return replace(later, cleared=max(self.cleared, other.cleared))

    @property
    def stops(self) -> bool:
        """Whether it stops somebody even after it has left the graph."""
        return self.pressed and self.number > self.cleared

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Word:
        """From `vars` of one.

        Raises:
            TypeError, ValueError or KeyError: it is none.
        """
        numbers = [given["number"], given["cleared"]]
        if not isinstance(given["pressed"], bool) or any(isinstance(n, bool) or int(n) != n for n in numbers):
            raise ValueError("no word of an emergency stop")
        return cls(given["pressed"], int(numbers[0]), int(numbers[1]), str(given["name"]), str(given["scope"]))


class Stop:
    """What one node knows of all sources.

    Args:
        node: its full name, such as /site_a/dispatcher.
        fleet: its button stops everybody, and releases those who have left.
        words: what it knew before, by key.
    """

    def __init__(self, node: str, fleet: bool = False, words: Mapping[str, Word] | None = None) -> None:
        self.node, self.fleet = node, fleet
        self.words: dict[str, Word] = dict(words or {})
        self._pressed_now = False  # the own button, in this process's life
        self._latest: dict[str, int] = {}  # number of a panel's last word, in this process's life
        self._false_at: dict[str, float] = {}  # wall time of a panel's last `false`, until it says `true`
        self._present: frozenset[str] = frozenset()
        self._seen: set[str] = set()  # ever present
        self._known: dict[str, float] = {}  # wall time since when a source is known that was never seen
        self._acted_on: set[str] = set()  # not there when an operator acted, and not known yet to have left

    @property
    def own(self) -> str:
        """Key of this node's button."""
        return f"{BUTTON}:{self.node}"

    # --- what changes it; each returns whether others have to know

    def press(self, pressed: bool) -> bool:
        """The node's own button."""
        before = self.words.get(self.own)
        self._pressed_now = pressed
        if before is None and not pressed:
            return False
        number = 0 if before is None else max(before.number, before.cleared) + 1
        scope = "" if self.fleet else self.node
        return self._put(self.own, Word(pressed, number, -1 if before is None else before.cleared, self.node, scope))

    def receive(self, panel: str, pressed: bool, number: int, name: str, wall: float, fresh: bool = True) -> bool:
        """A panel's word, by the publisher's identity; a `false` that is an operator's act clears who has left.

        Words arrive by several subscriptions, so one may come twice, or after a later one. One that is not `fresh`, as
        the latched one that a node receives when it starts, says what the panel wants and is no act of now.
        """
        key = f"{PANEL}:{panel}"
        if number <= self._latest.get(key, -1):
            return False
        self._latest[key] = number
        changed = (pressed or key in self.words) and self._put(key, Word(pressed, number, -1, name))
        if pressed:
            self._false_at.pop(key, None)
            return changed
        last = self._false_at.get(key)
        self._false_at[key] = wall
        if fresh and (last is None or wall - last >= RHYTHM):
            changed = self.clear() or changed
        return changed

    def call(self, panel: str, name: str) -> None:
        """Name a panel whose node's name was discovered after its word."""
        key = f"{PANEL}:{panel}"
        if key in self.words and name:
            self.words[key] = replace(self.words[key], name=name)

    def join(self, words: Mapping[str, Word]) -> bool:
        """What another node knows.

        A button that is pressed stays so whatever others have made of it meanwhile; one that a node read from its
        disk, and that an operator released while the node was dead, is released.
        """
        changed = False
        for key, word in words.items():
            changed = self._put(key, word) or changed
        mine = self.words.get(self.own)
        if mine is None:
            return changed
        if self._pressed_now and not mine.stops:
            return self.press(True) or changed
        if not self._pressed_now and mine.pressed and not mine.stops:
            return self.press(False) or changed
        return changed

    def clear(self, buttons: bool = False) -> bool:
        """An operator's act: panels, and `buttons` of dispatchers, that have left the graph stop nobody any more."""
        self._acted_on |= {
            key
            for key, word in self.words.items()
            if key not in self._present and (key.startswith(PANEL) or (buttons and key != self.own and not word.scope))
        }
        return self._release(self._acted_on & self._seen)

    def see(self, present: Collection[str], wall: float) -> bool:
        """Who is in the graph now, by key.

        Who was there and is no more has left. Others may know of a source before this node has discovered it: one that
        it never saw has left once it has been known of for so long that it would have been found, or dropped.
        """
        self._present = frozenset(present)
        self._seen |= (self._present | {UNNAMED}) & self.words.keys()  # who has no name will never be found
        for key in self.words.keys() - self._seen:
            self._known.setdefault(key, wall)
        self._acted_on -= self._present
        old = {key for key in self._acted_on if wall - self._known.get(key, wall) >= UNSEEN}
        return self._release(old)

    def _release(self, left: set[str]) -> bool:
        changed = False
        self._acted_on -= left
        for key in left & self.words.keys():
            word = self.words[key]
            if word.stops:
                changed = self._put(key, replace(word, cleared=word.number)) or changed
        return changed

    # --- what it says

    @property
    def stopping(self) -> dict[str, Word]:
        """Sources that stop this node's robots, or the fleet, by key."""
        return {key: word for key, word in self.words.items() if word.scope in ("", self.node) and self._holds(key)}

    @property
    def stopped(self) -> bool:
        """Whether nobody may move."""
        return bool(self.stopping)

    @property
    def by(self) -> str:
        """Whose stop it is, and how it is released; empty if nobody has stopped."""
        return "; ".join(self.release_of(key) for key in sorted(self.stopping))

    def release_of(self, key: str) -> str:
        """Whose stop it is, and how it is released."""
        word = self.words[key]
        if key == self.own:
            return f"service {word.name}/estop (call it with data: false)"
        if key == UNNAMED:
            how = "which one rclpy does not say: call the dispatcher's estop with data: false"
        elif key in self._present:
            how = "call it with data: false" if key.startswith(BUTTON) else "it publishes false itself"
        elif key.startswith(BUTTON):
            how = "its node has left: start it again and call it with data: false"
        else:
            how = "it has left" if key in self._seen else f"not seen here; {UNSEEN:.0f} s after it was first known of"
            how += ": publish one false on estop, or call the dispatcher's estop with data: false"
        who = f"service {word.name}/estop" if key.startswith(BUTTON) else f"panel {word.name or 'unknown'}"
        return f"{who} ({how})"

    def _holds(self, key: str) -> bool:
        """Whether a source stops: one that is there and pressed does, whatever was cleared while it was not seen."""
        word = self.words[key]
        return word.stops or (word.pressed and key != self.own and key in self._present)

    def _put(self, key: str, word: Word) -> bool:
        """Join; whether that changed who stops. A panel that repeats itself says nothing new."""
        before = self.words.get(key)
        after = self.words[key] = word if before is None else before.joined(word)
        if key in self._present:
            self._seen.add(key)
        self._forget()
        if before is None:
            return after.stops
        return after.stops != before.stops or after.cleared != before.cleared

    def _forget(self) -> None:
        """Drop the oldest of those that stop nobody; a dictionary keeps the order in which they came."""
        idle = [key for key, word in self.words.items() if not word.stops and key != self.own]
        for key in idle[: max(len(idle) - MOST_RELEASED, 0)]:
            del self.words[key]
            self._seen.discard(key)
            self._known.pop(key, None)
