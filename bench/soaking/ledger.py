"""Whether a dispatcher's ledger accounts for every tick that was due. No ROS.

The reports of two neighbouring ticks carry stamps [s, ROS time] on the grid of ticks, so the ticks that were due from
one to the next are counted without asking the dispatcher. Its ledger must have grown by as many, or, if it was dead,
inactive or lost its clock in between, by fewer, but no more fewer than fell due in that time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

DECIDED = ("complete", "partial", "held")
OUTCOMES = (*DECIDED, "skipped")
Cause = Literal["dead", "inactive", "clock"]
EPSILON = 1e-6  # of a tick: stamps are whole nanoseconds
# Ticks of a kill that nobody may hear of: one whose dispatcher was killed between its checkpoint and its report, and
# two of its successor before DDS has discovered it, for reports are volatile.
UNHEARD = 1 + 2


@dataclass(frozen=True)
class Report:
    """What a dispatcher said of a tick.

    Attributes:
        heard: when it was heard [s, wall, any monotonic clock].
        tick: its number.
        stamp: its time [s, ROS time], a multiple of the tick.
        outcome: how it ended, judged from the report and not from the ledger.
        ledger: ticks by outcome so far, this one included.
        polled: robots asked, replacements included: subscriptions made.
        gather: [s, wall] until it was decided.
    """

    heard: float
    tick: int
    stamp: float
    outcome: str
    ledger: Mapping[str, int]
    polled: int
    gather: float

    @classmethod
    def of(cls, values: Mapping[str, Any], heard: float) -> Report:
        """From the values of the dispatcher's status in diagnostics."""
        if values["rule"] != "random" and values["table_k"] is None and values["kappa"] is None:
            outcome = "held"
        else:
            outcome = "complete" if len(values["zones"]) >= values["k"] else "partial"
        polled = len(values["sampled"]) + len(values["replacements"])
        stamp, gather = float(values["stamp"]), float(values["gather_seconds"])
        return cls(heard, values["tick"], stamp, outcome, values["ledger"], polled, gather)


@dataclass
class Outage:
    """A time in which the dispatcher could not tick.

    Attributes:
        cause: dead: killed, until its successor's first report; inactive: deactivated, until it is active again;
            clock: the clock died, until the first report by a new one, which begins at 0 and is behind the old one.
        began: [s, wall]; and `clock_began` [s, ROS time], the latest that was heard.
        ended: the same of its end; infinite while it lasts.
        last_clock: of "clock": the latest time of the clock that died [s].
    """

    cause: Cause
    began: float
    clock_began: float
    ended: float = math.inf
    clock_ended: float = math.inf
    last_clock: float = 0.0


@dataclass
class Balance:
    """Ticks due = the sum of `counts` and `down`.

    Attributes:
        due: from the first report to the last, by the stamps.
        counts: as the ledger says.
        down: by cause: due while the dispatcher could not tick.
        reported: ticks heard of; `unreported` were decided around a kill and told to nobody.
        wrong: what does not add up, in sentences.
    """

    due: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    down: dict[str, int] = field(default_factory=lambda: {"dead": 0, "inactive": 0, "clock": 0})
    reported: int = 0
    unreported: int = 0
    wrong: list[str] = field(default_factory=list)


def balance(reports: Sequence[Report], outages: Sequence[Outage], tick: float) -> Balance:
    """Audit the reports of a run that began with an empty ledger; `tick` in [s, ROS time]."""
    result = Balance()
    if not reports:
        result.wrong.append("no tick was reported")
        return result
    first = reports[0]
    result.due, result.reported = sum(first.ledger.values()), len(reports)
    if first.tick or first.ledger.get(first.outcome) != 1 or _decided(first) != 1:
        result.wrong.append(f"the first report is of tick {first.tick} with the ledger {dict(first.ledger)}")
    for before, after in itertools.pairwise(reports):
        between = [outage for outage in outages if outage.began <= after.heard and before.heard <= outage.ended]
        _compare(before, after, between, tick, result)
    result.counts = dict(reports[-1].ledger)
    total = sum(result.counts.values()) + sum(result.down.values())
    if total != result.due:
        result.wrong.append(f"{result.due} ticks were due, the ledger and the times down account for {total}")
    return result


def _compare(before: Report, after: Report, outages: Sequence[Outage], tick: float, result: Balance) -> None:
    where = f"tick {before.tick} at {before.stamp:g} s to tick {after.tick} at {after.stamp:g} s"
    lost = after.tick - before.tick - 1
    killed = sum(outage.cause == "dead" for outage in outages)
    if not 0 <= lost <= UNHEARD * killed:
        result.wrong.append(f"{where}: {lost} ticks decided and not reported")
    result.unreported += lost
    gains = {outcome: after.ledger[outcome] - before.ledger[outcome] for outcome in OUTCOMES}
    if _decided(after) - _decided(before) != lost + 1 or gains[after.outcome] < 1 or min(gains.values()) < 0:
        result.wrong.append(f"{where}: reported {after.outcome}, but the ledger grew by {gains}")
    due = _due(before, after, outages, tick)
    down = due - sum(gains.values())
    result.due += due
    if down:
        _excuse(where, down, outages, tick, result)


def _due(before: Report, after: Report, outages: Sequence[Outage], tick: float) -> int:
    if after.stamp > before.stamp:
        return round((after.stamp - before.stamp) / tick)
    # Time went back: due were the ticks left of the old clock, and those of the new one, which begins at 0.
    end = max((outage.last_clock for outage in outages if outage.cause == "clock"), default=before.stamp)
    return max(_index(end, tick) - _index(before.stamp, tick), 0) + _index(after.stamp, tick)


def _excuse(where: str, down: int, outages: Sequence[Outage], tick: float, result: Balance) -> None:
    """Put ticks that are in no ledger down to outages, as far as they can be."""
    possible = {outage.cause: 0 for outage in outages}
    for outage in outages:
        # One more: the tick that was being gathered when it began.
        if outage.cause == "clock":
            possible["clock"] += _index(outage.last_clock, tick) - _index(outage.clock_began, tick)
            possible["clock"] += _index(outage.clock_ended, tick) + 1
        else:
            possible[outage.cause] += _index(outage.clock_ended, tick) - _index(outage.clock_began, tick) + 1
    if not 0 <= down <= sum(possible.values()):
        result.wrong.append(f"{where}: {down} ticks are in no ledger, {sum(possible.values())} can be explained")
    for cause, ticks in possible.items():
        part = min(down, ticks)
        result.down[cause] += part
        down -= part


def _index(seconds: float, tick: float) -> int:
    """Number of the latest multiple of the tick."""
    return 2**62 if math.isinf(seconds) else math.floor(seconds / tick + EPSILON)


def _decided(report: Report) -> int:
    return sum(report.ledger[outcome] for outcome in DECIDED)
