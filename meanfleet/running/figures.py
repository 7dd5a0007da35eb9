"""The figures of a run, drawn from what was recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from numpy.typing import NDArray

from meanfleet.base.files import replacing

from .simulation import Trajectory

PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")
RULE_COLOURS = {"learned": "#0072b2", "hold": "#d55e00", "random": "#999999"}


def occupancy(path: Path, run: Trajectory, zones: Sequence[str], title: str) -> None:
    """Share of the fleet in every zone over time, with the priority and the zone most robots are really in."""
    ticks, n = run.zones.shape
    shares = np.stack([(run.zones == zone).sum(axis=1) / n for zone in range(len(zones))])
    mode = shares.argmax(axis=0)
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.4])
    colours = [PALETTE[zone % len(PALETTE)] for zone in range(len(zones))]
    edges = np.arange(ticks + 1)
    bottom = np.zeros(ticks)
    for zone, name in enumerate(zones):
        upper.stairs(bottom + shares[zone], edges, baseline=bottom, fill=True, color=colours[zone], label=name)
        bottom = bottom + shares[zone]
    upper.set(ylabel="share of the fleet", ylim=(0, 1), title=title)
    upper.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="zone")
    strips = np.stack([[to_rgba(colours[z]) for z in run.priority], [to_rgba(colours[z]) for z in mode]])
    lower.imshow(strips, aspect="auto", extent=(0, ticks, 2, 0), interpolation="nearest")
    agree = float((mode == run.priority).mean())
    lower.set(yticks=[0.5, 1.5], yticklabels=["priority", "most robots"], xlabel="tick")
    lower.axhline(1, color="white", linewidth=2)
    lower.set_title(f"the priority zone is where most robots are in {agree:.0%} of ticks", fontsize="medium")
    save(figure, path)


def reward(path: Path, runs: Mapping[str, Sequence[Trajectory]], live: Trajectory, title: str) -> None:
    """Reward per tick, averaged over the ticks so far: every rule on the same seeds, and the run over ROS."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for rule, trajectories in runs.items():
        means = np.stack([_running_mean(trajectory.reward) for trajectory in trajectories])
        ticks = np.arange(1, means.shape[1] + 1)
        colour = RULE_COLOURS[rule]
        axes.plot(ticks, means.mean(axis=0), color=colour, label=f"{rule}: {means[:, -1].mean():.2f}")
        axes.fill_between(ticks, means.min(axis=0), means.max(axis=0), color=colour, alpha=0.15, linewidth=0)
    seen = _running_mean(live.reward)
    ticks = np.arange(1, len(seen) + 1)
    axes.plot(ticks, seen, color="black", linestyle="--", label=f"learned, over ROS 2, first seed: {seen[-1]:.2f}")
    count = len(next(iter(runs.values())))
    axes.set(xlabel="tick", ylabel="reward per tick, mean so far", title=title)
    axes.legend(title=f"dispatcher (mean and range of {count} seeds)", loc="lower right")
    axes.grid(alpha=0.3)
    save(figure, path)


def messages(path: Path, measured: Sequence[Mapping[str, Any]], title: str) -> None:
    """Messages per tick into the dispatcher against the fleet's size, and what the fleet published meanwhile."""
    rows = sorted(measured, key=lambda row: row["robots"])
    n = [row["robots"] for row in rows]
    figure = Figure(figsize=(7.5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot(
        n, [row["published"] for row in rows], "o-", color="#d55e00", label="published by all robots' zone topics"
    )
    axes.plot(n, [row["received"] for row in rows], "o-", color="#0072b2", label="received by the dispatcher")
    for row in rows:
        axes.annotate(
            f"{row['received']:.1f}",
            (row["robots"], row["received"]),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            color="#0072b2",
        )
    axes.set(xlabel="robots n", ylabel="messages per tick", title=title, xscale="log", yscale="log")
    axes.set_xticks(n, [str(value) for value in n])
    axes.minorticks_off()
    axes.legend()
    axes.grid(alpha=0.3)
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically."""
    with replacing(path) as stream:
        figure.savefig(stream, format="png", dpi=110)


def _running_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.cumsum(values) / np.arange(1, len(values) + 1))
