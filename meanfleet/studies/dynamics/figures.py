"""The figures of a study of learning dynamics, as PNG."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from meanfleet.base.figures import BLUE, GREEN, GREY, ORANGE, rendered
from meanfleet.base.files import replacing
from meanfleet.base.statistics import half_width
from meanfleet.solver.dynamics.learners import POLICY_GRADIENT

from .study import Study

PANELS = 4  # observations shown per player, those visited most
LINES = 3  # actions shown per observation
LAPS = 0.1  # share of the time drawn at the start and, while it still moves, at the end of a path
MARKS = {"stable": ("o", "black"), "unstable": ("o", "white"), "undecided": ("s", "lightgrey")}


def draw(study: Study, out: Path) -> list[Path]:
    """Write paths.png, phase.png and distance.png; returns those written."""
    figures = {"paths": paths(study), "phase": phase(study), "distance": distance(study)}
    written = []
    for name, figure in figures.items():
        if figure is None:
            continue
        with replacing(out / f"{name}.png") as stream:
            stream.write(rendered(figure, name, "png"))
        written.append(out / f"{name}.png")
    return written


def paths(study: Study) -> Figure:
    """Tables over time: the ODE, and mean and 95 % band of the runs at the largest speed-up."""
    system, runs = study.setup.system, max(study.runs, key=lambda one: one.speedup)
    layout = system.layout
    shown = [_most_visited(study, player) for player in range(layout.players)]
    columns = max(len(some) for some in shown)
    figure = Figure(figsize=(3.1 * columns + 1, 2.6 * layout.players + 1.2), layout="constrained")
    grid = figure.subplots(layout.players, columns, squeeze=False, sharex=True)
    ode, mean, (low, high) = study.path.at(runs.times), runs.mean(), runs.band()
    for player, row in enumerate(grid):
        for axes, o in zip(row, shown[player], strict=False):
            for b, colour in zip(range(layout.actions[player]), (BLUE, ORANGE, GREEN), strict=False):
                at = int(layout.shapes[player, 3]) + o * layout.actions[player] + b
                axes.fill_between(runs.times, low[:, at], high[:, at], color=colour, alpha=0.2, linewidth=0)
                axes.plot(runs.times, mean[:, at], ":", color=colour)
                axes.plot(runs.times, ode[:, at], color=colour, label=f"action {b}")
            axes.set_title(f"{study.setup.names[player]}, observation {o}", fontsize="medium")
            axes.grid(alpha=0.3)
        for axes in row[len(shown[player]) :]:
            axes.set_axis_off()
        symbol = "θ" if layout.shapes[player, 0] == POLICY_GRADIENT else "Q"
        row[0].set_ylabel(symbol)
        row[0].legend(fontsize="small")
    figure.supxlabel("time [learning steps at N = 1]")
    figure.suptitle(f"Learning: ODE (lines), mean (dots) and 95 % band of {len(runs.paths)} runs at N = {runs.speedup}")
    return figure


def _most_visited(study: Study, player: int) -> list[int]:
    """The observations whose tables move most along the ODE: those that are seen and learned."""
    layout = study.setup.system.layout
    moved = np.abs(layout.table(study.path.end - study.path.start, player)).max(axis=1)
    return sorted(int(o) for o in np.argsort(-moved, kind="stable")[:PANELS])


def phase(study: Study) -> Figure | None:
    """How often the first two players take an action, along the ODE from every start; None for one player."""
    system = study.setup.system
    if system.layout.players < 2:
        return None
    figure = Figure(figsize=(6.6, 6), layout="constrained")
    axes = figure.subplots()
    for index, path in enumerate(study.followed):
        # Early times count most: half of the points on a logarithmic scale.
        early, late = LAPS * path.time, (1 - LAPS) * path.time
        times = np.unique(np.r_[0, np.geomspace(max(early, 1) / 1e4, max(early, 1), 300)])
        shares = _first_shares(study, path.at(times))
        home = study.reached[index]
        colour = GREY if home is None else (BLUE, GREEN, ORANGE)[home % 3]
        axes.plot(*shares.T, color=colour, alpha=0.7, linewidth=1)
        if home is None:
            axes.plot(*_first_shares(study, path.at(np.linspace(late, path.time, 400))).T, color="black", linewidth=1)
        axes.plot(*shares[0], ".", color=colour)
        axes.annotate("", xy=shares[100], xytext=shares[98], arrowprops={"arrowstyle": "->", "color": colour})
    for point in study.points:
        marker, fill = MARKS[point.stability]
        at = [row[0] for row in system.action_shares(point.x)[:2]]
        axes.plot(*at, marker, color=fill, markeredgecolor="black", markersize=9, zorder=5)
    _phase_key(axes, study)
    first, second = study.setup.names[:2]
    axes.set(
        xlabel=f"{first}: share of action 0 in the long run",
        ylabel=f"{second}: share of action 0 in the long run",
        title=f"Where learning leads from {len(study.followed)} starts (dots), {study.setup.options.settle:g} steps",
    )
    axes.grid(alpha=0.3)
    return figure


def _first_shares(study: Study, states: np.ndarray) -> np.ndarray:
    """Shares of action 0 of the first two players [time, 2]."""
    return np.array([[row[0] for row in study.setup.system.action_shares(x)[:2]] for x in states])


def _phase_key(axes: Axes, study: Study) -> None:
    """What colours and marks mean, of those that occur."""
    if None in study.reached:
        axes.plot([], [], color=GREY, label=f"the first {LAPS:.0%} of a path that does not come to rest")
        axes.plot([], [], color="black", label=f"its last {LAPS:.0%}")
    for home in sorted({home for home in study.reached if home is not None}):
        axes.plot([], [], color=(BLUE, GREEN, ORANGE)[home % 3], label=f"comes to fixed point {home}")
    for kind in sorted({point.stability for point in study.points}):
        marker, fill = MARKS[kind]
        axes.plot([], [], marker, color=fill, markeredgecolor="black", label=f"{kind} fixed point")
    axes.legend(loc="best", fontsize="small")


def distance(study: Study) -> Figure | None:
    """Distance of the runs from the ODE against N, with the slopes that theory expects; None for a single N."""
    points = study.decay.points
    if len(points) < 2:
        return None
    figure = Figure(figsize=(6.6, 4.8), layout="constrained")
    axes = figure.subplots()
    n = np.array([point.speedup for point in points], dtype=np.float64)
    single = [p.distance for p in points], [p.distance_error for p in points], study.decay.distance_power
    together = [p.bias for p in points], [p.bias_error for p in points], study.decay.bias_power
    for name, (values, errors, power), expected, colour in (
        ("a run", single, -0.5, BLUE),
        ("the runs' mean", together, -1.0, ORANGE),
    ):
        fitted = "" if power is None else f", ~ N^{power:.2f} {'(all times)' if expected == -1.0 else ''}".rstrip()
        axes.errorbar(
            n,
            values,
            [half_width(error, study.setup.options.runs) for error in errors],
            fmt="o-",
            color=colour,
            capsize=3,
            label=f"{name}{fitted}",
        )
        axes.plot(
            n, values[0] * (n / n[0]) ** expected, "--", color=colour, alpha=0.6, label=f"expected: N^{expected:g}"
        )
    axes.set(
        xscale="log",
        yscale="log",
        xticks=n,
        xlabel="N: steps N times smaller, N times as many",
        ylabel="largest distance from the ODE",
        title=f"How close {study.setup.options.runs} runs come to the ODE (95 % intervals)",
    )
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure
