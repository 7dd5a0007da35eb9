"""A soak as a picture: memory over time, ticks by outcome over time, faults marked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from meanfleet.base.files import replacing

from .ledger import OUTCOMES, Report
from .run import History

BINS, WIDTH = 90, 5.0  # at most so many bars, at least so wide [s]
GROWN = 0.85  # of its greatest memory: a dispatcher that has started
COLOURS = {"complete": "#4c9f70", "partial": "#e0b040", "held": "#c0504d", "skipped": "#7f7f7f"}


def figure(history: History, reports: Sequence[Report], path: Path) -> None:
    """Write the picture (PNG)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(11, 10), layout="constrained")
    memory, dispatcher, ticks, faults = drawing.subplots(4, 1, sharex=True, height_ratios=(3, 2, 2, 2.5))
    _memory(memory, history)
    _dispatcher(dispatcher, history)
    _ticks(ticks, history, reports)
    kinds = sorted({fault.kind for fault in history.faults}, reverse=True)
    for fault in history.faults:
        row, until = kinds.index(fault.kind), np.nan_to_num(fault.ended, nan=fault.began)
        faults.plot([fault.began / 60, until / 60], [row, row], color="black", marker="|", linewidth=2)
        for axes in (memory, dispatcher, ticks):
            axes.axvline(fault.began / 60, color="black", alpha=0.12, linewidth=0.6)
    faults.set_yticks(range(len(kinds)), kinds)
    faults.set(xlabel="time [min]", title="faults")
    with replacing(path) as stream:
        drawing.savefig(stream, format="png", dpi=130)


def _memory(axes: Any, history: History) -> None:
    names = sorted({name for sample in history.samples for name in sample.used})
    for name in names:
        points = [(s.time / 60, s.used[name][0] / 1e6) for s in history.samples if name in s.used]
        robots = name.startswith("robots")
        label = name if not robots else "robots, each process" if name == "robots_00" else None
        style = {"color": "#9ab", "linewidth": 0.7} if robots else {"linewidth": 1.6}
        axes.plot(*zip(*points, strict=True), label=label, **style)
    axes.set(ylabel="resident [MB]", ylim=(0, None), title="memory")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _dispatcher(axes: Any, history: History) -> None:
    """Close up, without the seconds in which a life imports and loads."""
    samples = [(s.time / 60, s.used["dispatcher"][0] / 1e6) for s in history.samples if "dispatcher" in s.used]
    times, resident = np.array(samples).T
    grown = resident > GROWN * resident.max()
    axes.plot(times, np.where(grown, resident, np.nan))
    if np.isfinite(history.measured_from):
        axes.axvline(history.measured_from / 60, linestyle="--", label="measured from here")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.set(ylabel="resident [MB]", title="memory of the dispatcher")


def _ticks(axes: Any, history: History, reports: Sequence[Report]) -> None:
    times = np.array([report.heard - history.began for report in reports]) / 60
    bins = max(min(BINS, int(60 * np.ptp(times) / WIDTH)), 1)
    edges = np.linspace(times.min(), times.max() + 1e-9, bins + 1)
    counts = {outcome: np.zeros(bins) for outcome in OUTCOMES}
    for i, (time, report) in enumerate(zip(times, reports, strict=True)):
        place = min(int(np.searchsorted(edges, time, "right")) - 1, bins - 1)
        counts[report.outcome][place] += 1
        before = reports[i - 1].ledger["skipped"] if i else 0
        counts["skipped"][place] += report.ledger["skipped"] - before
    bottom = np.zeros(bins)
    for outcome, height in counts.items():
        axes.bar(edges[:-1], height, np.diff(edges), bottom, align="edge", color=COLOURS[outcome], label=outcome)
        bottom += height
    axes.set(ylabel=f"ticks per {60 * (edges[1] - edges[0]):.0f} s", title="ticks by outcome")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
