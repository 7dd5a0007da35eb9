"""What the dispatcher and the robots said of the ticks: priorities, reports and moves, in a first pass over the bag."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from meanfleet.base.arrays import IntArray

from .bag import Bag, Channel
from .definitions import typestore
from .log import UNKNOWN
from .segments import RUN
from .topics import absolute

PRIORITY, DIAGNOSTICS = "std_msgs/msg/Header", "diagnostic_msgs/msg/DiagnosticArray"
LONG = 1000  # ticks: a longer gap is a jump of the clock
CLOSE = 5  # ticks: a priority farther ahead is taken once others follow it


@dataclass
class Stretch:
    """Priorities between two jumps of their clock: stamps and receive times [ns], zones."""

    stamps: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    zones: list[int] = field(default_factory=list)

    def extend(self, later: Stretch) -> None:
        """Go on with priorities that came later."""
        self.stamps += later.stamps
        self.received += later.received
        self.zones += later.zones

    def timeline(self, by_receipt: bool, tick: int) -> tuple[IntArray, IntArray, list[int]]:
        """Ticks [ns] with regular ones in gaps, their priorities, and their stamps [µs] (0: no priority)."""
        times: list[int] = []
        zones: list[int] = []
        stamps: list[int] = []
        for at, zone, stamp in zip(self.received if by_receipt else self.stamps, self.zones, self.stamps, strict=True):
            while times and at - times[-1] > 1.5 * tick:
                times.append(times[-1] + tick)
                zones.append(UNKNOWN)
                stamps.append(0)
            if not times or at > times[-1]:
                times.append(at)
                zones.append(zone)
                stamps.append(microseconds(stamp * 1e-9))
        return np.array(times, dtype=np.int64), np.array(zones, dtype=np.int64), stamps


@dataclass
class Announcements:
    """Everything said of the ticks.

    One odd stamp among others (a priority published by hand, an old latched one, another clock) is dropped: the clock
    has jumped, or ticks were left out, once `RUN` priorities in a row agree on it.

    Attributes:
        stretches: of priorities, in order.
        acts: moves by robot, under the stretch's number and the tick's stamp [µs].
        ticks: the dispatcher's reports.
        counts: what could not be used.
    """

    stretches: list[Stretch] = field(default_factory=list)
    acts: dict[tuple[int, int], dict[str, int]] = field(default_factory=dict)
    ticks: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _doubtful: Stretch = field(default_factory=Stretch)
    _acts: list[tuple[int, dict[str, int]]] = field(default_factory=list)  # of doubtful ticks, perhaps

    def hear(self, stamp: int, received: int, zone: int, tick: int) -> None:
        """Take in a priority; all times in [ns]."""
        if not self.stretches:
            self.stretches.append(Stretch())
        stretch, doubtful = self.stretches[-1], self._doubtful
        ahead = stamp - stretch.stamps[-1] if stretch.stamps else tick
        goes_on = bool(doubtful.stamps) and 0 < stamp - doubtful.stamps[-1] <= CLOSE * tick
        if -2 * tick <= ahead <= CLOSE * tick and not (ahead <= 0 and goes_on):
            self._settle_doubt(tick, accept=False)
            self._add(stretch, stamp, received, zone)
            return
        if doubtful.stamps and not -2 * tick <= stamp - doubtful.stamps[-1] <= CLOSE * tick:
            self._settle_doubt(tick, accept=False)
            doubtful = self._doubtful
        self._add(doubtful, stamp, received, zone)
        if len(doubtful.stamps) >= RUN:
            self._settle_doubt(tick, accept=True)

    def end(self, tick: int) -> None:
        """No more comes: two doubtful priorities that agree with each other are taken, a single one is not."""
        self._settle_doubt(tick, accept=len(self._doubtful.stamps) > 1)

    def _add(self, stretch: Stretch, stamp: int, received: int, zone: int) -> None:
        if stretch.stamps and stamp <= stretch.stamps[-1]:
            self.counts["duplicate priorities" if stamp == stretch.stamps[-1] else "priorities out of order"] += 1
            return
        stretch.stamps.append(stamp)
        stretch.received.append(received)
        stretch.zones.append(zone)

    def _settle_doubt(self, tick: int, accept: bool) -> None:
        """Take doubtful priorities in, as a new stretch or after ticks left out, or drop them."""
        doubtful, acts = self._doubtful, self._acts
        self._doubtful, self._acts = Stretch(), []
        if accept:
            last = self.stretches[-1]
            gap, waited = doubtful.stamps[0] - last.stamps[-1], doubtful.received[0] - last.received[-1]
            if len(last.stamps) == 1 and abs(gap - waited) > CLOSE * tick:
                self.stretches[-1] = doubtful  # the very first was the odd one
                self.counts["priorities off clock"] += 1
            elif 0 < gap <= LONG * tick:
                last.extend(doubtful)
            else:
                self.stretches.append(doubtful)
        else:
            self.counts["priorities off clock"] += len(doubtful.stamps)
        for key, moves in acts:
            self._file(key, moves)

    def _file(self, key: int, moves: dict[str, int]) -> None:
        self.acts.setdefault((max(len(self.stretches) - 1, 0), key), {}).update(moves)

    def be_told(self, name: str, values: dict[str, Any]) -> None:
        """Take in a status of meanfleet's diagnostics."""
        if name == "dispatcher":
            self.ticks.append(values)
        elif name.startswith("robots ") and "moves" in values:
            key = microseconds(float(values["stamp"]))
            moves = {str(robot): int(move) for robot, move in zip(values["robots"], values["moves"], strict=True)}
            if self._doubtful.stamps:
                self._acts.append((key, moves))
            else:
                self._file(key, moves)


def listen(bag: Bag, priority: str, diagnostics: str, zones: Mapping[str, int], tick: int) -> Announcements:
    """Read priorities (std_msgs/Header) and diagnostics of a bag; a tick is `tick` [ns] long."""
    found = Announcements()
    wanted = [
        channel
        for channel in (Channel(absolute(priority), PRIORITY), Channel(absolute(diagnostics), DIAGNOSTICS))
        if channel in bag.channels
    ]
    if not wanted:
        return found
    store = typestore()
    for batch in bag.batches(wanted):
        for number, (channel, received) in enumerate(zip(batch.channel.tolist(), batch.received.tolist(), strict=True)):
            msgtype = wanted[channel].msgtype
            try:
                message: Any = store.deserialize_cdr(batch.payload(number), msgtype)
                if msgtype == PRIORITY:
                    zone = zones.get(message.frame_id, UNKNOWN)
                    found.counts["unknown priorities"] += zone == UNKNOWN and message.frame_id != ""  # "": a stop
                    found.hear(message.stamp.sec * 10**9 + message.stamp.nanosec, received, zone, tick)
                else:
                    for status in message.status:
                        if status.hardware_id == "meanfleet":
                            values = {item.key: json.loads(item.value) for item in status.values}
                            found.be_told(status.name, values)
            except Exception:  # damaged bytes drive the decoder to exceptions of every kind
                found.counts["undecodable announcements"] += 1
    found.end(tick)
    return found


def microseconds(seconds: float) -> int:
    """A stamp as a key: its float64 value is right to less than a microsecond."""
    return round(seconds * 1e6)
