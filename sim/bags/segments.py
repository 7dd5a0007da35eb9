"""From messages to ticks: the compiled steps, and stretches of time between jumps of the clock.

A message belongs to the first tick that is not before its stamp; at a tick a robot is where its latest message up to
then said. Memory is that of the result: ticks × robots, however many messages come.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit

from meanfleet.base.arrays import IntArray

from .log import UNKNOWN

OUTSIDE = -2
"""Zone of a message that says that its robot is in none."""

NEVER = np.iinfo(np.int64).min
RUN = 5  # messages in a row that must agree that the clock has jumped; one odd robot among others never does that
DONE, GROW, JUMP = range(3)
TALLIES = ("off clock", "out of order", "duplicate stamps")


@njit(cache=True)
def is_stray(i: int, stamp: IntArray, received: IntArray, reach: tuple[int, int, int], clock: IntArray) -> bool:
    """Whether a stamp far ahead is one message's alone: no time has passed at the recorder, and others are back.

    Where too few follow in a batch, the recorder's time decides alone. Arguments as of `settle`.
    """
    if stamp[i] <= clock[0] + reach[2] + max(received[i] - clock[2], 0):
        return False  # nothing came for a while
    for j in range(i + 1, min(i + 1 + RUN, len(stamp))):
        if clock[0] - reach[0] <= stamp[j] <= clock[0] + reach[2] + max(received[j] - clock[2], 0):
            return True
    return i + RUN >= len(stamp)


@njit(cache=True)
def settle(
    first: int,
    stamp: IntArray,
    received: IntArray,
    robot: IntArray,
    zone: IntArray,
    near: IntArray,
    reach: tuple[int, int, int],
    clock: IntArray,
    current: IntArray,
    last: IntArray,
    times: IntArray,
    zones: IntArray,
    seen: IntArray,
    tally: IntArray,
) -> tuple[int, int]:
    """Take in messages from number `first` on; returns the number of the first one not taken in, and why.

    Args:
        stamp, received, robot, zone: of the messages; a zone UNKNOWN means the one before, OUTSIDE none.
        near: zone of a message when there is none before.
        reach: [ns] how far stamps may lie behind the latest one and ahead of it, and how far ahead without a doubt.
        clock: latest stamp, messages in a row that are off, receive time of the latest stamp; mutated.
        current, last: of each robot its zone and its latest stamp; mutated.
        times: of the ticks; all messages up to the last one can be taken in.
        zones, seen: [tick, robot] zone and stamp of the latest message before the tick; mutated.
        tally: as `TALLIES`; mutated.
    """
    for i in range(first, len(stamp)):
        at, r = stamp[i], robot[i]
        if at > clock[0] + reach[1] or at < clock[0] - reach[0]:
            clock[1] += 1
            if clock[1] >= RUN:
                return i, JUMP
            tally[0] += 1
            continue
        clock[1] = 0
        if at > clock[0] + reach[2] and is_stray(i, stamp, received, reach, clock):
            tally[0] += 1
            continue
        if at > times[-1]:
            return i, GROW
        if at >= clock[0]:
            clock[0], clock[2] = at, received[i]
        if at < last[r]:
            tally[1] += 1
            continue
        if at == last[r]:
            tally[2] += 1
        last[r] = at
        if zone[i] == OUTSIDE:
            current[r] = UNKNOWN
        elif zone[i] != UNKNOWN:
            current[r] = zone[i]
        elif current[r] == UNKNOWN:
            current[r] = near[i]
        tick = np.searchsorted(times, at)
        zones[tick, r], seen[tick, r] = current[r], at
    return len(stamp), DONE


@njit(cache=True)
def carry(times: IntArray, max_age: int, zones: IntArray, seen: IntArray) -> None:
    """Let a zone hold until the next message, for `max_age` [ns] at most. Mutates `zones` [tick, robot]."""
    for r in range(zones.shape[1]):
        zone, at = UNKNOWN, NEVER
        for t in range(zones.shape[0]):
            if seen[t, r] != NEVER:
                zone, at = zones[t, r], seen[t, r]
            zones[t, r] = zone if at != NEVER and times[t] - at <= max_age else UNKNOWN


@dataclass
class Segment:
    """A stretch of time without a jump of the clock.

    Args:
        times: int64 [tick], in [ns], increasing: its ticks known beforehand, at least one.
        robots: how many.
        tick: [ns] between the ticks that follow.
        fixed: how many of `times` stay even if no message comes so late.
    """

    times: IntArray
    robots: int
    tick: int
    fixed: int = 0
    zones: IntArray = field(init=False)
    seen: IntArray = field(init=False)
    latest: int = NEVER

    def __post_init__(self) -> None:
        shape = (len(self.times), self.robots)
        self.zones = np.full(shape, UNKNOWN, dtype=np.int64)
        self.seen = np.full(shape, NEVER, dtype=np.int64)

    def grow(self, until: int) -> None:
        """Add regular ticks until one is not before `until` [ns], and as many as there are already."""
        more = max(-(-(until - int(self.times[-1])) // self.tick), len(self.times))
        self.times = np.concatenate([self.times, self.times[-1] + self.tick * np.arange(1, more + 1)])
        blank = np.full((more, self.robots), UNKNOWN, dtype=np.int64)
        self.zones = np.concatenate([self.zones, blank])
        self.seen = np.concatenate([self.seen, np.full_like(blank, NEVER)])

    def close(self, max_age: int) -> int:
        """Carry zones on; returns the number of ticks, those that a message has reached."""
        ticks = max(self.fixed, int(np.searchsorted(self.times, self.latest, side="right")))
        self.times, self.zones, self.seen = self.times[:ticks], self.zones[:ticks], self.seen[:ticks]
        carry(self.times, max_age, self.zones, self.seen)
        return ticks
