"""The figures of a federated study, as PNG."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from meanfleet.base.arrays import FloatArray
from meanfleet.base.figures import BLUE, GREY, ORANGE, rendered
from meanfleet.base.files import replacing
from meanfleet.base.statistics import band

from .study import FEDAVG, LEARNED, TUNED, Arm, Study

COLOURS = {LEARNED: BLUE, FEDAVG: ORANGE, TUNED: GREY}
LABELS = {LEARNED: "solved policy", FEDAVG: "FedAvg", TUNED: "best fixed pair"}
PANELS = 3  # k shown round by round: the smallest, one in the middle, the largest


def draw(study: Study, out: Path) -> list[Path]:
    """Write rounds.png and k.png; returns the paths."""
    written = []
    for name, figure in (("rounds", rounds(study)), ("k", against_k(study))):
        with replacing(out / f"{name}.png") as stream:
            stream.write(rendered(figure, name, "png"))
        written.append(out / f"{name}.png")
    return written


def rounds(study: Study) -> Figure:
    """Accuracy against rounds at three k: mean over seeds and its 95 % band."""
    middle = study.points[len(study.points) // 2]
    shown = list(dict.fromkeys((study.points[0], middle, study.points[-1])))[:PANELS]
    figure = Figure(figsize=(4.4 * len(shown) + 0.6, 4.4), layout="constrained")
    row = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, point in zip(row, shown, strict=True):
        for arm in point.arms:
            _curve(axes, arm)
        axes.set(title=f"k = {point.k}", xlabel="round")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", loc="lower right")
    row[0].set_ylabel("accuracy on the server's test set")
    row[0].set_ylim(0, 1)  # Student's intervals of a few seeds may leave what is possible
    figure.suptitle(_title(study))
    return figure


def _curve(axes: Axes, arm: Arm) -> None:
    low, mean, high = _band(arm.accuracy)
    time = np.arange(1, len(mean) + 1)
    axes.fill_between(time, low, high, color=COLOURS[arm.name], alpha=0.2, linewidth=0)
    axes.plot(time, mean, color=COLOURS[arm.name], linewidth=1.2, label=f"{LABELS[arm.name]}: {arm.about}")


def _band(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Low, mean and high [round] of values [seed, round]."""
    bands = [band(column) for column in values.T]
    return tuple(np.array([getattr(one, end) for one in bands]) for end in ("low", "mean", "high"))  # type: ignore[return-value]


def against_k(study: Study) -> Figure:
    """Accuracy at the end against k, and how far the policy leads, seed by seed."""
    last = study.options.last
    figure = Figure(figsize=(9.6, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    ks = np.array([point.k for point in study.points])
    ends = {
        name: np.array([point.arm(name).accuracy[:, -last:].mean(axis=1) for point in study.points]) for name in COLOURS
    }
    for name, values in ends.items():
        _errors(left, ks, values, name, LABELS[name])
        if name != LEARNED:
            _errors(right, ks, ends[LEARNED] - values, name, f"over {LABELS[name]}")
    right.axhline(0, color="black", linewidth=0.8)
    left.set(ylabel=f"accuracy, mean of the last {last} rounds")
    right.set(ylabel="lead of the solved policy, same seeds")
    for axes in (left, right):
        axes.set(xscale="log", xticks=ks, xlabel="clients queried per round, k")
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.suptitle(_title(study))
    return figure


def _errors(axes: Axes, ks: FloatArray, values: FloatArray, name: str, label: str) -> None:
    """Mean and 95 % interval of values [k, seed]."""
    bands = [band(row) for row in values]
    means = [one.mean for one in bands]
    half = [one.high - one.mean for one in bands]
    axes.errorbar(ks, means, half, fmt="o-", color=COLOURS[name], capsize=3, markersize=4, label=label)


def _title(study: Study) -> str:
    o = study.options
    return (
        f"Digits on {o.clients} clients with {o.shards} shards each; {len(study.seeds)} seeds, mean and 95 % interval"
    )
