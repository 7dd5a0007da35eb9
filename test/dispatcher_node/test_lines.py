"""Subscriptions of a tick, and those that stay, against a broadcaster that keeps the latest message of every robot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from meanfleet.dispatcher_node.subscriptions import Lines


class Air:
    """Latched topics: a new subscriber hears the latest message at once."""

    def __init__(self) -> None:
        self.latest: dict[str, Any] = {}
        self.hearing: list[tuple[str, Callable[[Any], None]]] = []
        self.delivered: list[tuple[str, Any, int]] = []
        self.lines = Lines(self.subscribe, self.hearing.remove, lambda *what: self.delivered.append(what))

    def subscribe(self, robot: str, callback: Callable[[Any], None]) -> tuple[str, Callable[[Any], None]]:
        self.hearing.append((robot, callback))
        if robot in self.latest:
            callback(self.latest[robot])
        return self.hearing[-1]

    def say(self, robot: str, what: Any) -> None:
        self.latest[robot] = what
        for name, callback in list(self.hearing):
            if name == robot:
                callback(what)

    def taken(self) -> list[tuple[str, Any, int]]:
        taken, self.delivered = self.delivered, []
        return taken


def test_a_ticks_lines_end_with_it() -> None:
    air = Air()
    air.say("a", 1)
    air.say("b", 2)
    air.lines.ask(["a"])
    air.say("b", 3)
    assert air.taken() == [("a", 1, 1)]
    air.lines.end(keep=False)
    assert air.hearing == []
    air.say("a", 4)
    assert air.taken() == []


def test_kept_lines_tell_the_latest_and_count_what_came_between_two_ticks() -> None:
    air = Air()
    air.lines.ask(["a", "b"])
    air.say("a", 1)
    air.lines.end(keep=True)
    for value in (2, 3, 4):
        air.say("a", value)
    air.lines.ask(["a", "b"])
    assert air.taken() == [("a", 1, 1), ("a", 4, 3)]
    air.lines.end(keep=True)
    air.lines.ask(["a", "b"])
    assert air.taken() == [("a", 4, 0)], "what a robot said last still stands, but is no new message"
    assert len(air.hearing) == 2


def test_lines_that_were_kept_can_be_given_up() -> None:
    air = Air()
    air.lines.ask(["a", "b"])
    air.lines.end(keep=True)
    air.lines.close()
    assert air.hearing == []
