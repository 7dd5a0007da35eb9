"""What is known of a fleet at work, from the statuses heard so far. No ROS, no terminal."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .statuses import MOST_ZONES, Act, Hold, Status, Tick, World, read_as

REMEMBERED = 200  # ticks
MOST_PROCESSES = 5000  # of robots; more are not kept apart
FRESH_TICKS = 2  # a process of robots that missed more ticks than these is silent
SHADOW = "shadow"  # mode of a dispatcher that moves nobody
OTHER_GONE = 60.0  # [s, wall] without a tick of the dispatcher in charge, before one in mode shadow counts
NOTES = 50  # warnings kept
REMARKS = {"awaiting", "stopped", "strays", "twins"}  # what robots say beside acts and holds: it is shown as it is


@dataclass
class Note:
    """A warning, and how often it came.

    Attributes:
        at: when it came last [s, wall, monotonic].
        speaker: who said it.
        level: warn or error.
        text: as it was said last.
        count: how often.
    """

    at: float
    speaker: str
    level: str
    text: str
    count: int = 1


@dataclass(frozen=True)
class Fault:
    """Something that is wrong now."""

    level: str
    text: str


class FleetState:
    """Folds statuses into a picture of the present.

    Args:
        zones: their names, or with `kinds` those of the states (type/zone); empty: they are numbered.
        robots: how many there should be; None: not known.
        began: when watching began [s, wall, monotonic].
        period: [s, ROS time] between two ticks as configured; None: known from the second tick on.
        kinds: index of every robot's type by name, in a fleet with several; None: all are alike.
        types: how many there are; in a small fleet some may have no robots.
    """

    def __init__(
        self,
        zones: Sequence[str] = (),
        robots: int | None = None,
        began: float = 0.0,
        kinds: Mapping[str, int] | None = None,
        types: int = 1,
        period: float | None = None,
    ) -> None:
        self._zone_names, self.robots, self.began = tuple(zones), robots, began
        self._kinds = kinds or {}
        self._own_zones = len(self._zone_names) // types  # of one type
        self.ticks: deque[Tick] = deque(maxlen=REMEMBERED)
        self.tick_at = began  # [s, wall, monotonic] of the last tick
        self.period = period  # [s, ROS time] between the last two ticks, at first as configured
        self.acts: dict[str, Act] = {}  # the last of every process of robots
        self.holds: dict[str, Hold] = {}
        self.world: World | None = None
        self.clock_error: tuple[float, str] | None = None
        self.notes: dict[tuple[str, str], Note] = {}
        self.unreadable = 0

    @property
    def tick(self) -> Tick | None:
        """The last one."""
        return self.ticks[-1] if self.ticks else None

    def add(self, status: Status, now: float) -> bool:
        """Take in a status heard at `now` [s, wall, monotonic]; True if it was a tick of the dispatcher."""
        if status.name == "dispatcher":
            return self._add_tick(status, now)
        if status.name.startswith("robots "):
            self._add_robots(status)
        elif status.name == "world":
            world = read_as(World, status)
            self.world = world or self.world
            self.unreadable += world is None
        elif status.name == "dispatcher clock":
            self.clock_error = (now, status.message)
        if status.level != "ok":
            self._note(status.name, status.name, status.level, status.message, now)
        return False

    def _add_tick(self, status: Status, now: float) -> bool:
        tick = read_as(Tick, status)
        if tick is None:
            self.unreadable += 1
            return False
        if self.tick is not None and self.tick.mode != tick.mode and tick.tick != self.tick.tick + 1:
            # Two dispatchers, one of them a shadow beside the other: robots follow the one that is none.
            if tick.mode == SHADOW and now - self.tick_at < max(OTHER_GONE, 3 * (self.period or 0.0)):
                return False
            self.ticks.clear()
        if self.tick is not None:
            self.period = tick.stamp - self.tick.stamp
        self.ticks.append(tick)
        self.tick_at, self.clock_error = now, None
        if status.level != "ok":
            kind = "clash" if tick.clashes else "held" if tick.held else "partial"
            self._note(kind, status.name, status.level, status.message, now)
        return True

    def _add_robots(self, status: Status) -> None:
        act, hold = read_as(Act, status), read_as(Hold, status)
        known = status.name in self.acts or status.name in self.holds
        if not known and len(self.acts) + len(self.holds) >= MOST_PROCESSES:
            self.unreadable += 1
        elif (
            act is not None
            and len(act.robots) == len(act.zones)
            and max(act.zones, default=0) < (self.zones or MOST_ZONES)
        ):
            self.acts[status.name] = act
            self.holds.pop(status.name, None)
        elif hold is not None:
            self.holds[status.name] = hold
        elif not status.values.keys() & REMARKS:
            self.unreadable += 1

    def _note(self, kind: str, speaker: str, level: str, text: str, now: float) -> None:
        old = self.notes.pop((speaker, kind), None)
        self.notes[speaker, kind] = Note(now, speaker, level, text, old.count + 1 if old else 1)
        while len(self.notes) > NOTES:
            del self.notes[next(iter(self.notes))]

    # --- the fleet

    def zone_name(self, zone: int) -> str:
        """Its name, or its number."""
        return self._zone_names[zone] if zone < len(self._zone_names) else f"zone {zone}"

    @property
    def steerable(self) -> tuple[str, ...]:
        """Names of the zones that may have priority; empty where none are known."""
        return tuple(name.rpartition("/")[2] for name in self._zone_names[: self._own_zones])

    @property
    def zones(self) -> int:
        """How many zones there are, as far as is known."""
        return max(len(self._zone_names), len(self.tick.mean) if self.tick else 0)

    @property
    def believed(self) -> tuple[float, ...]:
        """Share of the fleet in every zone as the dispatcher's belief has it; empty before the first tick."""
        return self.tick.mean if self.tick else ()

    def current(self, act: Act) -> bool:
        """Whether a process of robots keeps up with the dispatcher."""
        if self.tick is None or not self.period or self.period < 0:
            return True
        return act.stamp >= self.tick.stamp - FRESH_TICKS * self.period

    @property
    def seen(self) -> tuple[int, ...]:
        """Robots in every zone as those report that keep up; empty if none does."""
        counts: Counter[int] = Counter()
        for act in self.acts.values():
            if self.current(act):
                counts.update(self._states(act))
        zones = max(self.zones, max(counts, default=-1) + 1)
        return tuple(counts[zone] for zone in range(zones)) if counts else ()

    def _states(self, act: Act) -> Iterator[int]:
        """States of the robots that told zones; a robot whose type is not known counts nowhere."""
        for name, zone in zip(act.robots, act.zones, strict=True):
            if not self._kinds:
                yield zone
            elif name in self._kinds and zone < self._own_zones:
                yield self._kinds[name] * self._own_zones + zone

    # --- polling

    @property
    def gather_milliseconds(self) -> tuple[float, float, float]:
        """Gather latency [ms] of the last tick, and median and 99th percentile of those remembered."""
        last = 1e3 * np.array([tick.gather_seconds for tick in self.ticks] or [np.nan])
        return float(last[-1]), float(np.median(last)), float(np.percentile(last, 99))

    def refused(self, ticks: int = 20) -> dict[str, tuple[int, str]]:
        """Robots asked in vain in the last ticks: how often, and why the last time; the most frequent first."""
        times: Counter[str] = Counter()
        reasons: dict[str, str] = {}
        for tick in list(self.ticks)[-ticks:]:
            for name, reason in [*((name, "silent") for name in tick.missing), *tick.stale.items()]:
                times[name] += 1
                reasons[name] = reason
        return {name: (count, reasons[name]) for name, count in times.most_common()}

    def as_dict(self) -> dict[str, Any]:
        """The picture for machines."""
        tick, (last, median, high) = self.tick, self.gather_milliseconds
        if tick is None:
            return {"tick": None}
        return {
            "tick": tick.model_dump(mode="json"),
            "zones": [self.zone_name(zone) for zone in range(max(self.zones, len(self.seen)))],
            "believed": list(self.believed),
            "seen": list(self.seen),
            "reports": {name: {"stamp": act.stamp, "robots": len(act.robots)} for name, act in self.acts.items()},
            "gather_ms": {"last": last, "p50": median, "p99": high, "ticks": len(self.ticks)},
            "ledger": tick.ledger,
            "refused": {name: {"times": times, "reason": why} for name, (times, why) in self.refused().items()},
            "real_time_factor": self.world.real_time_factor if self.world else None,
        }
