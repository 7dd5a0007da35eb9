"""One soak: start the fleet, break something every few seconds, watch, and let everything recover at the end."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from .arena import STARTUP, Arena, BrokenPromiseError, Step, Steps
from .faults import CHANGES, DISPATCHER, KINDS, Kind, change_and_back
from .node import Ears

LIMIT = 120.0  # [s, wall] for anything awaited of a fault; a fleet that works needs at most a participant's lease
LOOK = 0.02  # [s, wall] between two looks at the faults under way
SAMPLING = 2.0  # [s, wall] between two looks at memory
PROGRESS = 30.0  # [s, wall] between two lines
DEADLY_SHARE = 1 / 3  # of the time in which dispatchers are killed; then one lives on
WARM_SHARE, TOUCH = 0.1, 2.0  # of the time: warm-up of the last life; [s, wall] with every setting before it
LAST_TICKS = 3  # complete ticks in a row that end the run


@dataclass
class Injected:
    """One fault, and what went wrong with it. Times in [s, wall] since the start."""

    kind: str
    began: float
    ended: float = float("nan")
    wrong: str = ""


@dataclass(frozen=True)
class Sample:
    """Memory at a moment: [s, wall], subscriptions made so far, resident and shared bytes by process."""

    time: float
    subscriptions: int
    used: dict[str, tuple[int, int]]


@dataclass
class History:
    """What was seen. `began`: [s, monotonic]; `measured_from`: [s] since then, when the last life was warm."""

    began: float = 0.0
    measured_from: float = float("inf")
    faults: list[Injected] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    interrupted: bool = False


class _Task:
    """A fault under way."""

    def __init__(self, kind: Kind, arena: Arena, note: Injected) -> None:
        self.kind, self.note = kind, note
        self.steps: Steps = kind.run(arena)
        self.ready: Callable[[], object] = lambda: True
        self.since = time.monotonic()

    def advance(self) -> bool:
        """Do what can be done now; whether it is over."""
        try:
            if not self.ready():
                if time.monotonic() - self.since > LIMIT:
                    raise BrokenPromiseError(f"waited {LIMIT:g} s in vain")
                return False
            self.ready, self.since = _condition(next(self.steps)), time.monotonic()
        except StopIteration:
            return True
        except BrokenPromiseError as error:
            self.note.wrong = str(error)
            self.steps.close()
            return True
        return False


def _condition(step: Step) -> Callable[[], object]:
    if callable(step):
        return step
    deadline = time.monotonic() + step
    return lambda: time.monotonic() >= deadline


class Soak:
    """Runs one.

    Args:
        arena: the fleet, not started yet.
        ears: hears it.
        seconds: [s, wall] in which faults begin.
        period: [s, wall] between two.
    """

    def __init__(self, arena: Arena, ears: Ears, seconds: float, period: float) -> None:
        self.arena, self.ears, self.seconds, self.period = arena, ears, seconds, period
        self.history = History()
        self.tasks: list[_Task] = []
        self.toured = False
        self._opened = self._next_sample = self._next_line = 0.0
        self._subscriptions = self._counted = 0

    @property
    def now(self) -> float:
        """[s, wall] since the start."""
        return time.monotonic() - self.history.began

    @property
    def _open(self) -> float:
        """[s, wall] since faults may come."""
        return self.now - self._opened

    def run(self) -> History:
        """To the end, or until a process dies that should not, or Ctrl-C; everybody has ended then."""
        history, crew = self.history, self.arena.crew
        try:
            if self._start():
                self._break_things()
                self._recover()
        except KeyboardInterrupt:
            history.interrupted = True
        finally:
            died = crew.crashes()
            history.wrong += died + crew.end_all()
            history.wrong += [crash for crash in crew.crashes() if crash not in died]
        return history

    def _start(self) -> bool:
        _say(f"starting {len(self.arena.groups)} processes of robots, the world and the dispatcher")
        self.history.began = time.monotonic()
        self.arena.start_all()
        ready = self._until(lambda: self._calm(LAST_TICKS), "the first complete ticks", STARTUP + LIMIT)
        self._opened = self.now
        return ready

    def _break_things(self) -> None:
        due = self.period
        while self._open < self.seconds and not self.history.wrong:
            if self._open >= due:
                due += self.period
                self._inject(self._draw())
            if not self.toured and self._open >= DEADLY_SHARE * self.seconds and not DISPATCHER & self._taken():
                self.toured = True
                self._inject(Kind(every_setting, DISPATCHER))
            self._step()

    def _recover(self) -> None:
        """Let the faults under way end, then wait until ticks are complete again."""
        self._until(lambda: not self.tasks, "the last faults to end", LIMIT + self.period)
        self._until(lambda: self._calm(LAST_TICKS), "complete ticks after the last fault", LIMIT)

    def _until(self, condition: Callable[[], bool], what: str, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self.history.wrong and not condition():
            if time.monotonic() > deadline:
                self.history.wrong.append(f"waited {seconds:g} s in vain for {what}")
            self._step()
        return not self.history.wrong

    def _calm(self, ticks: int) -> bool:
        last = self.arena.node.reports[-ticks:]
        return len(last) == ticks and all(report.outcome == "complete" for report in last)

    def _step(self) -> None:
        self.ears.spin(LOOK)
        for task in list(self.tasks):
            if task.advance():
                task.note.ended = self.now
                self.tasks.remove(task)
                if task.note.wrong:
                    self.history.wrong.append(f"{task.note.kind}: {task.note.wrong}")
                if task.kind.run is every_setting:
                    self.history.measured_from = self.now + WARM_SHARE * self.seconds
        if self.now >= self._next_sample:
            self._next_sample = self.now + SAMPLING
            self._sample()
        if self.now >= self._next_line:
            self._next_line = self.now + PROGRESS
            self._tell()

    def _sample(self) -> None:
        reports, crew = self.arena.node.reports, self.arena.crew
        self._subscriptions += sum(report.polled for report in reports[self._counted :])
        self._counted = len(reports)
        self.history.samples.append(Sample(self.now, self._subscriptions, crew.memory()))
        self.history.wrong += [
            f"{name} ended without being told" for name, m in crew.members.items() if not m.told and crew.ended(name)
        ]

    # Drawing

    def _taken(self) -> frozenset[str]:
        return frozenset().union(*(task.kind.needs for task in self.tasks))

    def _draw(self) -> Kind:
        """One of the kinds that can happen now and came least often; those that may come only early come first."""
        taken, early = self._taken(), self._open < DEADLY_SHARE * self.seconds
        came = Counter(fault.kind for fault in self.history.faults)
        kinds = [kind for kind in KINDS if not kind.needs & taken and (early or not kind.deadly)]
        least = min(came[kind.name] / kind.weight for kind in kinds)
        kinds = [kind for kind in kinds if came[kind.name] / kind.weight == least]
        kinds = [kind for kind in kinds if kind.deadly] or kinds
        return kinds[int(self.arena.rng.integers(len(kinds)))]

    def _inject(self, kind: Kind) -> None:
        note = Injected(kind.name, self.now)
        self.history.faults.append(note)
        self.tasks.append(_Task(kind, self.arena, note))

    def _tell(self) -> None:
        reports = self.arena.node.reports
        ledger = dict(reports[-1].ledger) if reports else {}
        under_way = ", ".join(task.note.kind for task in self.tasks) or "nothing broken"
        _say(f"{self.now:6.0f} s  {len(self.history.faults):3} faults  {ledger}  {under_way}")


def every_setting(arena: Arena) -> Steps:
    """Every setting and a policy once, so that what it loads or compiles on first use does not count as growth."""
    for change in CHANGES:
        yield from change_and_back(arena, change, TOUCH)
    yield from arena.set("dispatcher", {"policy": str(arena.given.policy)})


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
