"""The watch as a ROS 2 node: shows what the nodes of a fleet say; publishes nothing.

Subscribes: diagnostics (diagnostic_msgs/DiagnosticArray).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from diagnostic_msgs.msg import DiagnosticArray
from rich.console import Console
from rich.live import Live

from meanfleet.base.errors import UserError
from meanfleet.ros.node import DIAGNOSTICS, WorkingNode, run

from ..security import WATCH
from .conversions import statuses
from .faults import faults
from .view import View, plain_line

REFRESH = 0.25  # [s, wall]
SETTLE = 0.5  # [s, wall] after a tick until its robots have acted
ENOUGH = 5.0  # [s, wall] after the first tick, by which those who act on it have been discovered
Shape = Literal["live", "lines", "json"]


@dataclass(frozen=True)
class Watching:
    """How to watch.

    Attributes:
        shape: live: a picture on the terminal; lines: one per tick; json: one object per tick.
        once: one picture (or object), then the end.
        patience: [s, wall] to wait for the first tick when `once`.
    """

    shape: Shape
    once: bool
    patience: float


class WatchNode(WorkingNode):
    """Thin: the picture is `FleetState`'s, its drawing `View`'s."""

    def __init__(self, view: View, how: Watching, console: Console) -> None:
        super().__init__("meanfleet_watch")
        self.view, self.how, self.console = view, how, console
        self.state = view.state
        self.told: set[str] = set()
        self.due: float | None = None  # [s, wall] when the last tick may be told
        self.first: float | None = None  # [s, wall] when the first tick came
        self.live: Live | None = None
        self.drawn = 0.0
        if how.shape == "live" and not how.once:
            self.live = Live(console=console, auto_refresh=False, screen=True)
        self.listen(DiagnosticArray, "diagnostics", self._store, DIAGNOSTICS)

    def start(self) -> None:
        """Take the terminal."""
        if self.live is not None:
            self.live.start()

    def _store(self, message: Any) -> None:
        now = time.monotonic()
        for status in statuses(message):
            if self.state.add(status, now) and self.due is None:
                self.due, self.first = now + SETTLE, self.first or now

    def work(self) -> float:
        """Draw, or tell a tick once its robots had time to act."""
        now = time.monotonic()
        if self.live is not None:
            if now - self.drawn >= REFRESH:  # many statuses may come between two pictures
                self.drawn = now
                self.live.update(self.view.render(now), refresh=True)
            return REFRESH
        if self.due is not None and now >= self.due and self._ready(now):
            self.due = None
            self._tell(now)
            if self.how.once:
                raise SystemExit(0)
        elif self.how.once and self.state.tick is None and now - self.born > self.how.patience:
            raise UserError(
                f"no dispatcher was heard on {self.view.where} for {self.how.patience:.0f} s: "
                "run 'meanfleet doctor' to see why"
            )
        return REFRESH / 5

    def _ready(self, now: float) -> bool:
        """One view waits for the robots: whoever joins hears some nodes sooner than others."""
        if not self.how.once or self.first is None or now - self.first > ENOUGH:
            return True
        reported = sum(self.state.seen)
        return reported == self.state.robots if self.state.robots else bool(reported) and len(self.state.ticks) > 1

    def _tell(self, now: float) -> None:
        """The last tick, as picture, object or line; ticks that came faster than they are told are in its ledger."""
        tick = self.state.tick
        assert tick is not None
        if self.how.shape == "json":
            found = [{"level": fault.level, "text": fault.text} for fault in faults(self.state, now)]
            self.console.file.write(json.dumps(self.state.as_dict() | {"faults": found}) + "\n")
        elif self.how.once:
            self.console.print(self.view.render(now))
        else:
            self._print_lines(plain_line(self.state, tick), now)
        self.console.file.flush()

    def _print_lines(self, line: str, now: float) -> None:
        print(line, file=self.console.file)
        present = {fault.text: fault.level for fault in faults(self.state, now)}
        for text in present.keys() - self.told:
            print(f"  {present[text]}: {text}", file=self.console.file)
        self.told = set(present)

    def finish(self) -> None:
        """Give the terminal back, with the last picture on it."""
        if self.live is not None:
            self.live.stop()
            self.console.print(self.view.render(time.monotonic()))


def watch(view: View, how: Watching, console: Console, namespace: str) -> int:
    """Watch until a signal, or once; returns the exit code."""
    make: Callable[[Any], WorkingNode] = lambda _: WatchNode(view, how, console)  # noqa: E731
    return run(make, ["--ros-args", "-r", f"__ns:={namespace or '/'}", "--enclave", WATCH])
