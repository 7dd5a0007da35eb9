"""A running fleet that faults are injected into: its processes, the node that listens, and what is broken right now."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from meanfleet.config import Config
from meanfleet.running.graph import Process, warehouse_graph

from .crew import Crew
from .ledger import Cause, Outage
from .node import SoakNode

Step = float | Callable[[], Any]
"""What a fault waits for: seconds [wall], or a condition."""
Steps = Generator[Step, None, Any]

GROUP = 30  # robots per process
STARTUP = 240.0  # [s, wall] the first dispatcher waits for all robots, which all start at once
AGAIN = 10.0  # [s, wall] until a question is asked again: the first may have gone to a process that was killed


class BrokenPromiseError(Exception):
    """A fault did not do what an operator would expect, in a sentence."""


@dataclass(frozen=True)
class Fleet:
    """What the fleet is started with.

    Attributes:
        config, policy: files.
        fleet: the configuration with its n robots.
        k: robots polled per tick.
        seed: of everything.
        folder: for logs, checkpoint and a damaged policy.
    """

    config: Path
    policy: Path
    fleet: Config
    k: int
    seed: int
    folder: Path


class Arena:
    """Starts the fleet and lends its parts to faults, each to one at a time.

    Args:
        fleet: what to start.
        crew: starts it.
        node: listens.
    """

    def __init__(self, fleet: Fleet, crew: Crew, node: SoakNode) -> None:
        self.given, self.crew, self.node = fleet, crew, node
        self.rng = np.random.default_rng(fleet.seed)
        self.outages: list[Outage] = []
        names = fleet.fleet.robots
        self.groups = {f"robots_{i // GROUP:02}": names[i : i + GROUP] for i in range(0, len(names), GROUP)}
        self.lent: set[str] = set()
        graph = warehouse_graph(
            {
                "config": str(fleet.config),
                "policy": str(fleet.policy),
                "n": len(names),
                "k": fleet.k,
                "seed": fleet.seed,
            }
        )
        self.parts = {process.executable: process for process in graph}

    def start(self, name: str, **parameters: Any) -> None:
        """Start the world, the dispatcher or a group of robots by its name."""
        kept = {"state_dir": str(self.given.folder / "state")}
        if name in self.groups:
            robots = self.parts["robot"].parameters | kept | {"robots": list(self.groups[name])}
            self.crew.start(name, Process("robot", robots), node=name)
            return
        own: dict[str, Any] = kept if name == "dispatcher" else {}
        if name == "dispatcher":
            own |= {"checkpoint": str(self.given.folder / "dispatcher.json"), "await_nodes": [self.node.get_name()]}
        self.crew.start(name, Process(name, self.parts[name].parameters | own | parameters))

    def start_all(self) -> None:
        """Everybody."""
        self.start("world")
        for group in self.groups:
            self.start(group)
        self.start("dispatcher", startup_timeout=STARTUP)

    # Lending

    def borrow(self, count: int) -> list[str]:
        """Groups of robots, drawn from those no fault has."""
        free = sorted(self.groups.keys() - self.lent)
        drawn = [free[i] for i in self.rng.permutation(len(free))[:count].tolist()]
        self.lent.update(drawn)
        return drawn

    def give_back(self, names: list[str]) -> None:
        """The opposite of `borrow`."""
        self.lent.difference_update(names)

    def robots(self, count: int) -> list[str]:
        """Names of some robots."""
        names = self.given.fleet.robots
        return [names[i] for i in self.rng.permutation(len(names))[:count].tolist()]

    # Outages of the dispatcher

    def down(self, cause: Cause) -> Outage:
        """From now on it cannot tick."""
        outage = Outage(cause, time.monotonic(), self.node.clock)
        self.outages.append(outage)
        return outage

    def up(self, outage: Outage) -> None:
        """From now on it can."""
        outage.ended, outage.clock_ended = time.monotonic(), self.node.clock

    # What faults wait for

    def ask(self, question: Callable[[], Any]) -> Steps:
        """Ask a service until it answers; returns the answer."""
        while True:
            future = None
            while future is None:
                future = question()
                yield 0.05
            deadline = time.monotonic() + AGAIN
            yield lambda future=future, deadline=deadline: future.done() or time.monotonic() > deadline
            if future.done():
                return future.result()

    def set(self, node: str, values: Mapping[str, Any], accepted: bool = True) -> Steps:
        """Set parameters of a node; returns the answer's reason.

        Raises:
            BrokenPromiseError: it is refused, or accepted against what was expected.
        """
        result = (yield from self.ask(lambda: self.node.set_parameters(node, **values))).result
        if result.successful != accepted:
            how = f"refused: {result.reason}" if accepted else "accepted"
            raise BrokenPromiseError(f"{node}: {dict(values)} was {how}")
        return result.reason

    def lead(self, node: str, transition: str, goal: str) -> Steps:
        """Bring a managed node to a state, asking again while it refuses."""
        state = ""
        while state != goal:
            yield from self.ask(lambda: self.node.change_state(node, transition))
            state = (yield from self.ask(lambda: self.node.get_state(node))).current_state.label

    def report_after(self, moment: float) -> Callable[[], bool]:
        """Whether a tick was heard of that ended after a moment [s, wall]."""
        return lambda: bool(self.node.reports) and self.node.reports[-1].heard > moment
