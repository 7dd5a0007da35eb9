"""Figures of a replay, drawn from its result alone."""

from __future__ import annotations

from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter, ScalarFormatter

from meanfleet.base.figures import BLUE, GREEN, GREY, ORANGE
from meanfleet.sim.bags.log import UNKNOWN

from .sweep import Replay

COLOURS = {"memoryless": BLUE, "dirichlet": GREEN}
LABELS = {"memoryless": "memoryless", "dirichlet": "remembering (dirichlet)"}
WIDE = (8, 4.2)


def draw(result: Replay) -> dict[str, Figure]:
    """All figures by name."""
    return {"loss": loss(result), "agreement": agreement(result), "fleet": fleet(result)}


def loss(result: Replay) -> Figure:
    """Share of the whole fleet's worth that is lost, against k, with the tolerance: on the bag, and in rollouts."""
    summary = result.summary
    shown = [name for name in ("regret_share", "rollouts_share") if name in summary["curve"][0]]
    figure = Figure(figsize=(4.4 * len(shown) + 0.4, 4.2), layout="constrained")
    titles = {"regret_share": "on the recorded ticks (loss in Q)", "rollouts_share": "in rollouts from recorded states"}
    for axes, name in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        _curves(axes, summary, name)
        tolerance = summary["options"]["tolerance"]
        axes.axhline(tolerance, color=ORANGE, linestyle="--", label=f"tolerance, {100 * tolerance:.3g} %")
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set(title=titles[name], ylabel="loss against polling everybody")
        _mark(axes, summary, name)
        axes.legend(fontsize="small")
    return figure


def agreement(result: Replay) -> Figure:
    """Share of ticks decided as by the whole fleet, and how far the estimate of the fleet is off, against k."""
    figure = Figure(figsize=(9.2, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _curves(left, result.summary, "agreement")
    left.set(title="decides as if everybody had been polled", ylabel="share of ticks")
    left.yaxis.set_major_formatter(PercentFormatter(1.0))
    left.legend(fontsize="small", loc="lower right")
    _curves(right, result.summary, "distance")
    right.set(
        title="how far the estimated fleet is off",
        ylabel="total variation: share of robots in a wrong zone",
        ylim=(0, None),
    )
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    right.legend(fontsize="small")
    return figure


def fleet(result: Replay) -> Figure:
    """What was in the bag: robots per zone over time, those not known left blank, and the priority."""
    scene, summary = result.scene, result.summary
    names, known = summary["bag"]["zones"], (scene.zones != UNKNOWN).sum(axis=1)
    figure = Figure(figsize=WIDE, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(5, 1.2))
    ticks = np.arange(len(scene.counts))
    edges = np.append(ticks, len(ticks)) - 0.5
    colours = [matplotlib.colormaps["viridis"](x) for x in np.linspace(0.1, 0.95, len(names))]
    below = np.zeros(len(ticks))
    for zone, name in enumerate(names):
        above = below + scene.counts[:, zone]
        upper.stairs(above, edges, baseline=below, fill=True, color=colours[zone], label=name)
        below = above
    n = len(scene.robots)
    upper.set(
        ylabel="robots with a known zone",
        ylim=(0, n),
        title=f"the fleet in the bag: the zones of {known.mean():.4g} of {n} robots known on average",
    )
    upper.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5), reverse=True)
    changes = np.flatnonzero(np.diff(scene.priority)) + 1
    for begin, end in zip([0, *changes], [*changes, len(ticks)], strict=True):
        lower.axvspan(begin - 0.5, end - 0.5, color=colours[scene.priority[begin]], linewidth=0)
    lower.set(xlabel="tick", yticks=[], ylabel="priority", ylim=(0, 1), xlim=(edges[0], edges[-1]))
    if summary["bag"]["priorities_assumed"] == len(ticks):
        lower.set_ylabel("priority\n(assumed)")
    return figure


def _curves(axes: Axes, summary: dict[str, Any], name: str) -> None:
    """One curve per observer with its 95 % band, k on a logarithmic axis."""
    points = summary["curve"]
    for observer, colour in COLOURS.items():
        own = [point for point in points if point["observer"] == observer]
        ks = [point["k"] for point in own]
        if own:
            mean, low, high = (np.array([p[name][key] for p in own]) for key in ("mean", "low", "high"))
            axes.errorbar(
                ks,
                mean,
                [mean - low, high - mean],
                fmt="o-",
                color=colour,
                markersize=4,
                capsize=2,
                label=LABELS[observer],
            )
            axes.fill_between(ks, low, high, color=colour, alpha=0.2, linewidth=0)
    every = sorted({point["k"] for point in points})
    axes.set(xscale="log", xlabel="robots polled per tick, k")
    axes.xaxis.set_major_locator(FixedLocator([float(k) for k in _apart(every)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.grid(alpha=0.3)


def _apart(ks: list[int]) -> list[int]:
    """Those of ks, ascending, whose labels do not touch on a logarithmic axis; the last always."""
    kept: list[int] = []
    span = max(ks[-1] / ks[0], 1.0001)
    for k in reversed(ks):
        if not kept or np.log(kept[-1] / k) > 0.06 * np.log(span):
            kept.append(k)
    return kept[::-1]


def _mark(axes: Axes, summary: dict[str, Any], name: str) -> None:
    """A ring round the recommended k."""
    verdict = summary["verdict"]
    for point in summary["curve"]:
        if (point["observer"], point["k"]) == (verdict["observer"], verdict["k"]):
            axes.plot(
                [point["k"]],
                [point[name]["mean"]],
                "o",
                markersize=13,
                markerfacecolor="none",
                color=ORANGE,
                markeredgewidth=1.8,
                label=f"recommended, k = {point['k']}",
            )
