"""The figures of a study of SUBSAMPLE-MFQ, drawn from its summary alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from meanfleet.base.figures import BLUE, GREEN, GREY, ORANGE, rendered
from meanfleet.base.files import replacing

MFQ, ALTERNATING = "SUBSAMPLE-MFQ", "ALTERNATING-MARL"
SHARING = {"name": ("places in the plan by robots' names", BLUE), "lot": ("places in the plan by lot", ORANGE)}


def draw(summary: dict[str, Any], out: Path, title: str) -> list[Path]:
    """Write mfq.png or gap.png; returns the paths."""
    name, figure = ("gap", gap(summary, title)) if "optimum" in summary else ("mfq", comparison(summary))
    path = out / f"{name}.png"
    with replacing(path) as stream:
        stream.write(rendered(figure, name, "png"))
    return [path]


def gap(summary: dict[str, Any], title: str) -> Figure:
    """Gap to the optimum of n robots against k, with a + c/√k fitted."""
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    curve, ks = summary["curve"], [point["k"] for point in summary["curve"]]
    fine = np.linspace(ks[0], ks[-1], 300)
    for sharing, (label, colour) in SHARING.items():
        _banded(axes, ks, [point[sharing]["gap"] for point in curve], colour, label)
        fit = summary["fit"][sharing]
        if fit is not None:
            a, c = fit["offset"]["mean"], fit["slope"]["mean"]
            text = f"{a:.3g} + {c:.3g}/√k fitted, R² = {fit['r_squared']:.2f}".replace("+ -", "− ")
            axes.plot(fine, a + c / np.sqrt(fine), "--", color=colour, alpha=0.7, label=text)
    axes.axhline(0, color=GREY, linewidth=0.8)
    best, options = summary["optimum"]["low"], summary["options"]
    axes.set(
        xlabel="robots in a sample, k",
        ylabel="gap to the optimum [discounted return]",
        title=f"{title}: n = {summary['n']}, optimum {best:.4g}\n"
        f"{options['seeds']} seeds × {options['rollouts']} rollouts, 95 % bands",
    )
    axes.legend(fontsize="small")
    return _finish(figure, [axes])


def comparison(summary: dict[str, Any]) -> Figure:
    """Return, messages, table size and solve time of both algorithms against k, and the last two against |A_l|."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    grid = figure.subplots(2, 3).ravel()
    curve, ks = summary["curve"], [point["k"] for point in summary["curve"]]
    for which, label, colour in (("mfq", MFQ, BLUE), ("alternating", ALTERNATING, GREEN)):
        _banded(grid[0], ks, [point[which]["return"] for point in curve], colour, label)
        grid[1].plot(ks, [point[which]["messages"] for point in curve], "o-", color=colour, label=label)
        grid[2].plot(ks, [_cells(point[which]) for point in curve], "o-", color=colour, label=label)
        grid[3].plot(ks, [point[which]["cpu_seconds"] for point in curve], "o-", color=colour, label=label)
        rows = summary["moves"]
        moves = [row["moves"] for row in rows]
        grid[4].plot(moves, [_cells(row[which]) for row in rows], "o-", color=colour, label=label)
        grid[5].plot(moves, [row[which]["cpu_seconds"] for row in rows], "o-", color=colour, label=label)
    grid[2].plot(ks, [point["mfq"]["cells"]["joint"] for point in curve], ":", color=BLUE, label="robots not tagged")
    at = f", k = {summary['moves'][0]['k']}" if summary["moves"] else ""
    for axes, title, label in zip(
        grid,
        ("what the fleet earns", "messages per tick", "table size", "solve time", f"table size{at}", f"solve time{at}"),
        ("discounted return", "messages", "entries of Q", "CPU-seconds", "entries of Q", "CPU-seconds"),
        strict=True,
    ):
        axes.set(title=title, ylabel=label, xlabel="robots in a sample, k")
    for axes in grid[4:]:
        axes.set_xlabel("moves of a robot, |A_l|")
    for axes in grid[1:]:
        axes.set_yscale("log")
    grid[0].legend(fontsize="small")
    grid[2].legend(fontsize="small")
    options = summary["options"]
    figure.suptitle(
        f"Warehouse, n = {summary['n']}: everybody samples, or the dispatcher alone\n"
        f"{options['seeds']} seeds × {options['rollouts']} rollouts × {options['horizon']} ticks, 95 % bands; "
        f"solve time of {ALTERNATING}: all starting policies and the certificate",
    )
    return _finish(figure, list(grid))


def _cells(part: dict[str, Any]) -> int:
    cells = part["cells"]
    return int(cells["tagged"] if isinstance(cells, dict) else cells)


def _banded(axes: Axes, ks: list[int], bands: list[dict[str, float]], colour: str, label: str) -> None:
    axes.plot(ks, [each["mean"] for each in bands], "o-", color=colour, markersize=4, label=label)
    axes.fill_between(ks, [e["low"] for e in bands], [e["high"] for e in bands], color=colour, alpha=0.2, linewidth=0)


def _finish(figure: Figure, rows: list[Axes]) -> Figure:
    for axes in rows:
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
