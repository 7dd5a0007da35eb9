"""Time to solve against k."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from meanfleet.base.arrays import Tell

from ...sweep import figures
from .. import warehouse
from ..figure import ALTERNATING, Finding, PaperFigure, Settings, Summary, save

GROWS = 5  # k from which the machine's fixed costs no longer hide the growth


def run(settings: Settings, folder: Path, shared: Path, tell: Tell) -> Summary:
    """The sweep, its solve times drawn."""
    _, summary = warehouse.sweep(settings, shared, tell)
    save(figures.seconds(summary), folder, "runtime")
    return {"ks": summary["ks"], "seconds": [point["solve"]["cpu_seconds"] for point in summary["curve"]]}


def findings(summary: Summary) -> list[Finding]:
    """Grows like a power of k, no faster than the number of histograms."""
    ks, seconds = np.array(summary["ks"], dtype=float), np.array(summary["seconds"])
    late = ks >= GROWS
    power = float(np.polyfit(np.log(ks[late]), np.log(seconds[late]), 1)[0])
    return [
        Finding(
            "The time to learn grows with k.",
            bool(seconds[-1] > seconds[0]),
            f"{seconds[0]:.2f} CPU-seconds at k = {ks[0]:.0f}, {seconds[-1]:.2f} at k = {ks[-1]:.0f}.",
        ),
        Finding(
            "The cost is polynomial in k (k^|S_l| tuples, k^(|S_l|−1) histograms).",
            power <= 5,
            f"from k = {GROWS} on it grows like k^{power:.1f}, |S_l| = 5.",
        ),
    ]


FIGURE = PaperFigure(
    "runtime",
    ALTERNATING,
    "Figure 6, runtime",
    "Time to learn an approximate Nash equilibrium against k",
    20,
    warehouse.settings,
    run,
    findings,
    warehouse.command,
    warehouse.differs,
)
