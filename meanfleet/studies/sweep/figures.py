"""The figures of a sweep, as PNG and SVG, drawn from its summary (`results.summarise`) alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, StrMethodFormatter

from meanfleet.base.figures import BLUE, GREEN, GREY, ORANGE, rendered
from meanfleet.base.files import replacing

from .fitting import EXPONENTS


def draw(summary: dict[str, Any], out: Path) -> list[Path]:
    """Write reward, seconds and gap, each as .png and .svg; returns the paths."""
    figures = {"reward": reward(summary), "seconds": seconds(summary), "gap": gap(summary)}
    return [path for name, figure in figures.items() for path in _save(figure, out / name)]


def reward(summary: dict[str, Any]) -> Figure:
    """Mean discounted return against k with its 95 % band: memoryless, remembering, whole fleet and the plain rule."""
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    ks, hold = summary["ks"], summary["hold"]
    _banded(axes, ks, [point["return"] for point in summary["curve"]], BLUE, "memoryless: equilibrium for k robots")
    if "whole" in summary:
        whole = summary["whole"]
        remembering = [point["remembering"] for point in summary["curve"]]
        _banded(axes, ks, remembering, GREEN, "remembering every sample, robots take the shortest way")
        axes.axhline(whole["mean"], color=GREY, linestyle=":", label="whole fleet seen, robots take the shortest way")
        axes.axhspan(whole["low"], whole["high"], color=GREY, alpha=0.15, linewidth=0)
    axes.axhline(hold["mean"], color=ORANGE, linestyle="--", label="hold the priority, robots take the shortest way")
    axes.axhspan(hold["low"], hold["high"], color=ORANGE, alpha=0.15, linewidth=0)
    options = summary["options"]
    axes.set(
        xlabel="robots polled per tick, k",
        ylabel=f"discounted return, {options['horizon']} ticks",
        title=f"What the fleet earns when k of its robots are polled\n{_how(summary)}",
    )
    axes.legend(loc="lower right", title="mean and 95 % band over seeds")
    return _finish(figure, [axes])


def seconds(summary: dict[str, Any]) -> Figure:
    """Solve time against k, cold and warm-started solves apart."""
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    curve = summary["curve"]
    starts = len(summary["options"]["solver"]["starts"])
    for warm, colour, label in (
        (False, BLUE, f"from {starts} starting {'policies' if starts > 1 else 'policy'}"),
        (True, GREEN, "warm-started from a smaller k"),
    ):
        points = [point for point in curve if (point["solve"]["warm_from"] is not None) == warm]
        if points:
            ks = [point["k"] for point in points]
            axes.plot(
                ks, [point["solve"]["cpu_seconds"] for point in points], "o-", color=colour, markersize=4, label=label
            )
    tolerance = summary["options"]["solver"]["tolerance"]
    total = sum(point["solve"]["cpu_seconds"] for point in curve)
    axes.set(
        xlabel="robots polled per tick, k",
        ylabel="CPU-seconds of one solve (one thread)",
        yscale="log",
        title=f"Solving for k, certificate included, tolerance {tolerance:g}\nin all {total:.3g} CPU-seconds",
    )
    low, high = (
        limit(math.log10(choice(point["solve"]["cpu_seconds"] for point in curve)))
        for limit, choice in ((math.floor, min), (math.ceil, max))
    )
    axes.set_ylim(10.0**low, 10.0 ** max(high, low + 1))  # whole decades: both ends are labelled
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.legend(loc="upper left")
    return _finish(figure, [axes])


def gap(summary: dict[str, Any]) -> Figure:
    """Gap to the largest k, with the theorem's shape fitted and what the fit leaves."""
    fit, ks, curve = summary["fit"], summary["ks"], summary["curve"]
    figure = Figure(figsize=(8, 6 if fit else 4.8), layout="constrained")
    rows: list[Axes] = list(figure.subplots(2 if fit else 1, 1, sharex=True, squeeze=False).ravel())
    rows[0].axhline(0, color=GREY, linewidth=0.8)
    _banded(rows[0], ks, [point["gap"] for point in curve], BLUE, "measured: mean and 95 % band over seeds")
    rows[0].set(
        ylabel=f"gap to k = {ks[-1]}",
        title=f"How much less the fleet earns than with k = {ks[-1]} polled\n{_how(summary)}",
    )
    if fit is not None:
        _fitted(rows, ks, fit)
    rows[0].legend(loc="upper right", fontsize="small")
    rows[-1].set_xlabel("robots polled per tick, k")
    return _finish(figure, rows)


def _fitted(rows: Sequence[Axes], ks: Sequence[int], fit: dict[str, Any]) -> None:
    upper, lower = rows
    offset, slope = fit["offset"], fit["slope"]
    fine = np.linspace(ks[0], ks[-1], 400)
    half = (slope["high"] - slope["low"]) / 2
    label = (
        f"a + c/√k, the shape of the theorem's bound, least squares:\n"
        f"a = {offset['mean']:.2f}, c = {slope['mean']:.1f} ± {half:.1f}, "
        f"R² = {fit['r_squared']:.3f}"
    )
    upper.plot(fine, offset["mean"] + slope["mean"] / np.sqrt(fine), color=ORANGE, label=label)
    lower.axhline(0, color=ORANGE)
    _banded(lower, ks, fit["residuals"], BLUE, "")
    lower.set_ylabel("measured − fitted")
    verdict = (
        f"the shape does not fit: at k = {fit['worst_k']} the residual is {fit['worst']:.0f} times its error"
        if fit["refuted"]
        else "the shape is not refuted: no residual is beyond noise (5 %, all k together)"
    )
    low, high = EXPONENTS
    edge = "" if low * 1.1 < fit["exponent"] < high * 0.98 else ", the edge of what was tried"
    lower.set_title(
        f"{verdict}\nrms residual {fit['rms_residual']:.2f}, its error {fit['noise']:.2f}; "
        f"best power instead of 1/2: {fit['exponent']:.2f}{edge}, R² = {fit['exponent_r_squared']:.3f}",
        fontsize="medium",
    )


def _banded(axes: Axes, ks: Sequence[int], bands: Sequence[dict[str, float]], colour: str, label: str) -> None:
    axes.plot(ks, [band["mean"] for band in bands], "o-", color=colour, markersize=4, label=label)
    low, high = [band["low"] for band in bands], [band["high"] for band in bands]
    axes.fill_between(ks, low, high, color=colour, alpha=0.2, linewidth=0)


def _how(summary: dict[str, Any]) -> str:
    options, seeds = summary["options"], len(summary["seeds"])
    return f"n = {options['n']}, {seeds} seeds × {options['rollouts']} rollouts × {options['horizon']} ticks"


def _finish(figure: Figure, rows: Sequence[Axes]) -> Figure:
    for axes in rows:
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _save(figure: Figure, stem: Path) -> list[Path]:
    """Write PNG and SVG, atomically."""
    paths = [stem.with_suffix(f".{kind}") for kind in ("png", "svg")]
    for path in paths:
        with replacing(path) as stream:
            stream.write(rendered(figure, stem.name, path.suffix[1:]))
    return paths
