"""What the dispatcher says of a tick: enough to replay its decision exactly."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .dispatcher import Decision
from .gather import Gather


@dataclass(frozen=True)
class TickReport:
    """One tick. Zones are names, times are seconds of ROS time, `gather_seconds` is wall time.

    Attributes:
        messages: how many messages each robot sent into the tick's subscriptions.
        missing: asked robots that sent nothing.
        stale: asked robots whose sample was refused, with the reason.
        clashes: other publishers of the priority seen in the graph.
    """

    tick: int
    stamp: float
    priority: str
    sampled: list[str]
    replacements: list[str]
    zones: dict[str, str]
    messages: dict[str, int]
    missing: list[str]
    stale: dict[str, str]
    k: int
    answered: int
    complete: bool
    gather_seconds: float
    histogram: list[int]
    table_k: int | None
    dispatch: str
    next_priority: str
    skipped: int
    clashes: int

    @property
    def level(self) -> str:
        """ok: complete; warn: decided on fewer; error: held, or somebody else steers as well."""
        if self.clashes or self.table_k is None:
            return "error"
        return "ok" if self.complete else "warn"

    @property
    def message(self) -> str:
        """The tick in one line."""
        text = f"tick {self.tick}: priority {self.priority}, {self.answered}/{self.k} robots answered"
        if self.table_k is None:
            text += ", holding"
        elif not self.complete:
            text += f", decided on {self.table_k}"
        if self.clashes:
            text += f"; {self.clashes} other publisher(s) of the priority on this domain"
        return text

    def values(self) -> dict[str, Any]:
        """Plain values for diagnostics."""
        return asdict(self)


def tick_report(
    gather: Gather,
    decision: Decision,
    zone_names: tuple[str, ...],
    stamp: float,
    gather_seconds: float,
    skipped: int,
    clashes: int,
) -> TickReport:
    """Put a tick's gathering and decision together."""
    return TickReport(
        tick=decision.tick,
        stamp=stamp,
        priority=zone_names[decision.priority],
        sampled=gather.asked[: gather.k],
        replacements=gather.replacements,
        zones={name: zone_names[zone] for name, zone in gather.zones.items()},
        messages=gather.messages,
        missing=gather.missing,
        stale=gather.rejected,
        k=gather.k,
        answered=len(gather.zones),
        complete=gather.complete,
        gather_seconds=gather_seconds,
        histogram=list(decision.histogram),
        table_k=decision.table_k,
        dispatch=zone_names[decision.dispatch],
        next_priority=zone_names[decision.next_priority],
        skipped=skipped,
        clashes=clashes,
    )
