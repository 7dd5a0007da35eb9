"""Zones of a fleet as messages come in: segments of time, jumps of the clock, and what became of it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.arrays import IntArray
from meanfleet.space.zone_map import ZoneMap

from .announcements import LONG
from .log import UNKNOWN
from .segments import GROW, JUMP, NEVER, OUTSIDE, RUN, TALLIES, Segment, settle

EARLY = 5  # ticks before the first priority that count as its own
Timeline = tuple[IntArray, IntArray, list[int]]


@dataclass(frozen=True)
class Result:
    """The arrays of a FleetLog, and what was counted on the way."""

    stamps: NDArray[np.float64]
    zones: IntArray
    priority: IntArray
    moves: IntArray | None
    counts: Counter[str]


class ZoneStream:
    """Takes messages in and knows every robot's zone at every tick.

    Args:
        robots: how many.
        tick: [ns].
        max_age: [ns] for which a zone holds without a message.
        timelines: known ticks by stretch: times [ns], priorities, keys of the robots' acts.
        by_receipt: stamps are receive times.
        zone_map: zones of positions.
    """

    def __init__(
        self,
        robots: int,
        tick: int,
        max_age: int,
        timelines: Sequence[Timeline],
        by_receipt: bool,
        zone_map: ZoneMap,
    ) -> None:
        self.robots, self.tick, self.max_age, self.by_receipt = robots, tick, max_age, by_receipt
        self.timelines, self.zone_map = list(timelines), zone_map
        self.boxes = [(pad.min(axis=0), pad.max(axis=0)) for pad in zone_map.pads]
        self.reach = (max(5 * tick, 2 * max_age), LONG * tick, 2 * tick)
        self.segments: list[tuple[int | None, Segment]] = []  # with the number of the timeline, in order of time
        self.clock = np.zeros(3, dtype=np.int64)
        self.current = np.full(robots, UNKNOWN, dtype=np.int64)
        self.last = np.full(robots, NEVER, dtype=np.int64)
        self.tally = np.zeros(len(TALLIES), dtype=np.int64)
        self.jumps = self.taken = 0

    def pads(self, xy: NDArray[np.float64]) -> IntArray:
        """Zone of the pad under each position [message, 2]; OUTSIDE all, or UNKNOWN: between, or within the margin."""
        near = np.zeros(len(xy), dtype=np.bool_)
        for low, high in self.boxes:
            near |= ((xy >= low) & (xy <= high)).all(axis=1)
        zones = np.full(len(xy), UNKNOWN, dtype=np.int64)
        zones[near] = self.zone_map.firm(xy[near])
        between = np.flatnonzero(zones == UNKNOWN)
        zones[between[self.zone_map.is_outside(xy[between])]] = OUTSIDE
        return zones

    def take(
        self, stamps: IntArray, received: IntArray, robots: IntArray, zones: IntArray, xy: NDArray[np.float64]
    ) -> None:
        """Take messages in, in the order they were recorded.

        Args:
            stamps, received: int64 [message], in [ns].
            robots: int64 [message].
            zones: int64 [message]; UNKNOWN: between pads, where the zone before holds; OUTSIDE: in none.
            xy: float64 [message, 2], in [m]: a robot without a zone before is in that of the nearest pad.
        """
        if not len(stamps):
            return
        self.taken += len(stamps)
        if not self.segments:
            self._begin(_first(stamps[:RUN], received[:RUN], self.reach[0]), int(received[0]))
        first = 0
        while first < len(stamps):
            segment = self.segments[-1][1]
            near = self._nearest(robots, zones, xy)
            first, why = settle(
                first, stamps, received, robots, zones, near, self.reach, self.clock, self.current, self.last,
                segment.times, segment.zones, segment.seen, self.tally,
            )  # fmt: skip
            segment.latest = max(segment.latest, int(self.clock[0]))
            if why == GROW:
                segment.grow(int(stamps[first]))
            elif why == JUMP:
                self.jumps += 1
                self._begin(int(stamps[first]), int(received[first]))

    def _nearest(self, robots: IntArray, zones: IntArray, xy: NDArray[np.float64]) -> IntArray:
        """Zone of the nearest pad for messages between pads of robots without a zone."""
        near = np.full(len(zones), UNKNOWN, dtype=np.int64)
        losing = self.current == UNKNOWN
        losing[robots[zones == OUTSIDE]] = True
        lost = np.flatnonzero((zones == UNKNOWN) & losing[robots])
        near[lost] = self.zone_map.locate(xy[lost])
        return near

    def _begin(self, stamp: int, received: int) -> None:
        """Begin a segment at a stamp [ns]: of the timeline that knows it or that follows, or a new one."""
        self.clock[:] = stamp, 0, received
        self.current[:], self.last[:] = UNKNOWN, NEVER
        used = [number for number, _ in self.segments if number is not None]
        for before in self.reach[:2]:  # robots may be recorded long before the first priority
            for number in range(max(used, default=-1) + 1, len(self.timelines)):
                times = self.timelines[number][0]
                if times[0] - before <= stamp <= times[-1] + self.reach[0]:
                    self._follow(number, stamp)
                    return
        times = np.array([stamp + self.tick], dtype=np.int64)
        self.segments.append((None, Segment(times, self.robots, self.tick)))

    def _follow(self, number: int, stamp: int) -> None:
        """Begin a segment with the ticks of a timeline, and regular ones before it from a stamp [ns] far before."""
        times, priorities, keys = self.timelines[number]
        if stamp < times[0] - EARLY * self.tick:
            early = np.arange(int(times[0]) - self.tick, stamp, -self.tick, dtype=np.int64)[::-1]
            unknown = np.full(len(early), UNKNOWN, dtype=np.int64)
            times = np.concatenate([early, times])
            self.timelines[number] = times, np.concatenate([unknown, priorities]), [0] * len(early) + keys
        self.segments.append((number, Segment(times, self.robots, self.tick, fixed=len(times))))

    def result(self, acts: Mapping[tuple[int, int], Mapping[str, int]], names: Sequence[str]) -> Result:
        """Close everything; `acts` are moves by robot, under timeline and key."""
        stamps, zones, priority, moves = [], [], [], []
        index = {name: i for i, name in enumerate(names)}
        for number, segment in self.segments:
            ticks = segment.close(self.max_age)
            own = np.full(ticks, UNKNOWN, dtype=np.int64)
            drawn = np.full((ticks, self.robots), UNKNOWN, dtype=np.int64)
            if number is not None:
                _, own[: segment.fixed], keys = self.timelines[number]
                for row, key in enumerate(keys):
                    for name, move in acts.get((number, key), {}).items() if key else ():
                        if name in index:
                            drawn[row, index[name]] = move
            stamps.append(segment.times // 10**9 + segment.times % 10**9 * 1e-9)
            zones.append(segment.zones)
            priority.append(own)
            moves.append(drawn)
        found = np.concatenate(zones)
        chosen = np.concatenate(priority)
        counts = Counter(dict(zip(TALLIES, self.tally.tolist(), strict=True)))
        counts["clock jumps"] = self.jumps
        counts["ticks without priority"] = int((chosen == UNKNOWN).sum()) if self.timelines else 0
        counts.update(presence(found))
        all_moves = np.concatenate(moves) if acts else None
        return Result(np.concatenate(stamps), found, chosen, all_moves, counts)


def _first(stamps: IntArray, received: IntArray, reach: int) -> int:
    """The earliest of the first few stamps [ns] that agrees with their middle one, by the stamp or by when it came."""
    middle = int(np.argsort(stamps, kind="stable")[len(stamps) // 2])
    apart = stamps - stamps[middle]
    agree = (abs(apart) <= reach) | (abs(apart - (received - received[middle])) <= reach)
    return int(stamps[agree].min())


def presence(zones: IntArray) -> dict[str, int]:
    """Robots that join late, leave or are never seen, and gaps between, counted from zones [tick, robot]."""
    known = zones != UNKNOWN
    if not len(known):
        return {}
    ever = known.any(axis=0)
    begins = (known[1:] & ~known[:-1]).sum(axis=0) + known[0]
    return {
        "late joiners": int((ever & ~known[0]).sum()),
        "left": int((ever & ~known[-1]).sum()),
        "gaps": int(np.maximum(begins - 1, 0).sum()),
        "silent robots": int((~ever).sum()),
    }
