"""The faults: each a generator that does harm, says what it waits for, and undoes it."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .arena import Arena, BrokenPromiseError, Steps

LASTS = 5.0  # [s, wall] of most faults
INTRUSION = 3.0  # [s, wall] of a second publisher of the priority
FLOOD, BURST = 10_000, 100  # messages per robot, and per look
MANY = 0.3  # of the processes of robots
VICTIMS = 30  # robots with broken odometry
FLOODED = 10  # robots
FUTURE = 1e4  # [s]
CHANGES: tuple[dict[str, Any], ...] = (
    {"k": 5},
    {"k": 20},
    {"sampling": "oldest"},
    {"sampling": "stratified"},
    {"observer": "memoryless"},
    {"observer": "particle"},
)


def kill_robots(arena: Arena) -> Steps:
    """kill -9 of a process of robots, started again at once; it must act again."""
    (group,) = groups = arena.borrow(1)
    arena.crew.kill(group)
    yield 1.0
    began = time.monotonic()
    arena.start(group)
    first = arena.groups[group][0]
    yield lambda: arena.node.spoken.get(first, 0.0) > began
    arena.give_back(groups)


def freeze_robots(arena: Arena) -> Steps:
    """SIGSTOP of one process of robots, then SIGCONT."""
    yield from _freeze(arena, 1)


def freeze_many(arena: Arena) -> Steps:
    """The same of 30 % of them at once."""
    yield from _freeze(arena, max(round(MANY * len(arena.groups)), 1))


def _freeze(arena: Arena, count: int) -> Steps:
    groups = arena.borrow(count)
    for group in groups:
        arena.crew.signal(group, signal.SIGSTOP)
    yield LASTS
    for group in groups:
        arena.crew.signal(group, signal.SIGCONT)
    arena.give_back(groups)


def broken_poses(arena: Arena) -> Steps:
    """Odometry of some robots that is no number, between the true one; they must tell of it."""
    before = arena.node.bad_poses
    with _publishers([arena.node.broken_odometry(robot) for robot in arena.robots(VICTIMS)]) as sends:
        yield from _repeat(LASTS, 0.1, lambda: [send() for send in sends])
        yield lambda: arena.node.bad_poses > before


def nonsense_zones(arena: Arena) -> Steps:
    """Zones that do not exist, or from the future, on the topics of robots whose own process is frozen meanwhile."""
    zone, (group,) = arena.given.fleet.zones[0], arena.borrow(1)

    def send() -> None:
        for i, say in enumerate(sends):
            say(*(("atlantis", arena.node.clock) if i % 2 else (zone, arena.node.clock + FUTURE)))

    arena.crew.signal(group, signal.SIGSTOP)  # else its next true zone would take the place of the refused one
    with _publishers([arena.node.zones(robot) for robot in arena.groups[group]]) as sends:
        yield from _repeat(LASTS, 0.1, send)
    arena.crew.signal(group, signal.SIGCONT)
    arena.give_back([group])


def flood(arena: Arena) -> Steps:
    """10,000 messages on the zone topic of each of some robots, as fast as they can be sent."""
    zone = arena.given.fleet.zones[1]
    with _publishers([arena.node.zones(robot) for robot in arena.robots(FLOODED)]) as sends:
        for _ in range(FLOOD // BURST):
            for say in sends:
                for _ in range(BURST):
                    say(zone, arena.node.clock)
            yield 0.02


def intruder(arena: Arena) -> Steps:
    """A second publisher of the priority, which sends one too; the dispatcher must tell of it."""
    before = arena.node.clashes
    with _publishers([arena.node.priorities()]) as (say,):
        say(arena.given.fleet.zones[0], arena.node.clock)
        yield INTRUSION
        yield lambda: arena.node.clashes > before
    began = time.monotonic()
    yield arena.report_after(began)


def damaged_policy(arena: Arena) -> Steps:
    """`policy` set to a damaged file, for the dispatcher and for robots: refused by name; the good one is taken."""
    content = bytearray(arena.given.policy.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path = arena.given.folder / "damaged.npz"
    path.write_bytes(content)
    groups = arena.borrow(1)
    for node in ("dispatcher", *groups):
        reason = yield from arena.set(node, {"policy": str(path)}, accepted=False)
        if path.name not in reason:
            raise BrokenPromiseError(f"{node} refused a damaged policy without naming it: {reason}")
        yield from arena.set(node, {"policy": str(arena.given.policy)})
    arena.give_back(groups)


def other_settings(arena: Arena) -> Steps:
    """k, sampling or observer changed while it runs, and back."""
    change = CHANGES[arena.rng.integers(len(CHANGES))]
    yield from change_and_back(arena, change, LASTS)


def change_and_back(arena: Arena, change: dict[str, Any], seconds: float) -> Steps:
    """Set a parameter of the dispatcher for so long."""
    usual = {"k": arena.given.k, "sampling": "", "observer": ""}
    yield from arena.set("dispatcher", change)
    yield seconds
    yield from arena.set("dispatcher", {name: usual[name] for name in change})


def deactivate(arena: Arena) -> Steps:
    """The dispatcher deactivated, and activated again."""
    outage = arena.down("inactive")
    yield from arena.lead("dispatcher", "deactivate", "inactive")
    yield LASTS
    yield from arena.lead("dispatcher", "activate", "active")
    arena.up(outage)
    yield arena.report_after(outage.ended)


def kill_dispatcher(arena: Arena) -> Steps:
    """kill -9 of the dispatcher; another goes on from its checkpoint."""
    outage = arena.down("dead")
    arena.crew.kill("dispatcher")
    yield 1.0  # its last report may still be on the way
    began = time.monotonic()
    arena.start("dispatcher")
    yield arena.report_after(began)
    arena.up(outage)


def restart_world(arena: Arena) -> Steps:
    """The simulation ended and started anew: its clock jumps back to 0."""
    outage = arena.down("clock")
    arena.crew.end("world")
    yield lambda: arena.crew.ended("world")
    if code := arena.crew.members["world"].handle.returncode:
        raise BrokenPromiseError(f"the world answered SIGTERM with code {code}")
    arena.start("world")
    reports, count = arena.node.reports, len(arena.node.reports)
    yield lambda: any(b.stamp < a.stamp for a, b in itertools.pairwise(reports[max(count - 1, 0) :]))
    outage.last_clock = arena.node.last_clock
    arena.up(outage)


@contextmanager
def _publishers(made: list[tuple[Any, Callable[[], None]]]) -> Iterator[list[Any]]:
    try:
        yield [send for send, _ in made]
    finally:
        for _, end in made:
            end()


def _repeat(seconds: float, period: float, do: Callable[[], Any]) -> Steps:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        do()
        yield period


@dataclass(frozen=True)
class Kind:
    """A kind of fault: what it needs for itself alone, how often it is drawn, and whether the dispatcher dies of it."""

    run: Callable[[Arena], Steps]
    needs: frozenset[str] = frozenset()
    weight: float = 1.0
    deadly: bool = False

    @property
    def name(self) -> str:
        """As people say it."""
        return self.run.__name__.replace("_", " ")


DISPATCHER = frozenset({"dispatcher"})
KINDS: tuple[Kind, ...] = (
    Kind(kill_robots),
    Kind(freeze_robots),
    Kind(freeze_many),
    Kind(broken_poses),
    Kind(nonsense_zones),
    Kind(flood),
    Kind(intruder, DISPATCHER),
    Kind(damaged_policy, DISPATCHER),
    Kind(other_settings, DISPATCHER),
    Kind(deactivate, DISPATCHER),
    Kind(kill_dispatcher, DISPATCHER, deadly=True),
    Kind(restart_world, DISPATCHER | {"world"}, weight=0.25),
)
