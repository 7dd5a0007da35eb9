"""What a bag says of a fleet: zones over ticks, and everything that was dropped on the way, counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1
"""A zone, priority or move that the bag does not tell."""


@dataclass(frozen=True)
class FleetLog:
    """A fleet over ticks.

    Attributes:
        robots: names, sorted.
        zone_names: names of the zones that indices stand for; of states (type/zone) in a log over states (`kinds`).
        stamps: float64 [tick], in [s]: times of the ticks, increasing but for clock jumps; see `consecutive`.
        zones: int64 [tick, robot]: the latest zone told no later than the tick and at most `max_age` before it, or
            UNKNOWN (not joined yet, left, gap, nowhere).
        priority: int64 [tick]: the priority zone published for the tick, or UNKNOWN.
        moves: int64 [tick, robot]: what the robots drew at the tick, or UNKNOWN; None: no robot told.
        messages: zone or pose messages read.
        bytes: their payload.
        source: the bag's path.
        sha256: of the bag's storage files, in order.
        counts: what was found and dropped, by name; names with no occurrence are missing.
        ticks: what the dispatcher said in diagnostics, one entry per tick, in the order it was recorded.
        priority_names: names of the zones that priorities stand for where they are others; empty: `zone_names`.
        remarks: what a person should know of the bag, a sentence each: wrong clocks, strange frames, absent robots.
    """

    robots: tuple[str, ...]
    zone_names: tuple[str, ...]
    stamps: NDArray[np.float64]
    zones: NDArray[np.int64]
    priority: NDArray[np.int64]
    moves: NDArray[np.int64] | None
    messages: int
    bytes: int
    source: str
    sha256: str
    counts: dict[str, int] = field(default_factory=dict)
    ticks: list[dict[str, Any]] = field(default_factory=list)
    priority_names: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def steered(self) -> tuple[str, ...]:
        """Names of the zones that may have priority."""
        return self.priority_names or self.zone_names

    @property
    def consecutive(self) -> NDArray[np.bool_]:
        """Whether tick t + 1 follows tick t by one tick [tick - 1]: elsewhere nothing can be said of a transition."""
        gaps = np.diff(self.stamps)
        usual = float(np.median(gaps[gaps > 0])) if np.any(gaps > 0) else 0.0
        return np.asarray((gaps > 0.5 * usual) & (gaps < 1.5 * usual), dtype=np.bool_)

    def summary(self) -> dict[str, Any]:
        """What was read and what of it was dropped; JSON-ready."""
        return {
            "messages": self.messages,
            "counts": dict(sorted(self.counts.items())),
            "remarks": list(self.remarks),
        }
