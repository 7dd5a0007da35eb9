"""The figures of a study of the continuous warehouse, as PNG."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.figure import Figure

from meanfleet.base.figures import rendered
from meanfleet.base.files import replacing
from meanfleet.base.statistics import half_width

from .study import HOLD, RANDOM, Row, Study


def draw(study: Study, out: Path) -> list[Path]:
    """Write reward.png and population.png, after learning accuracy.png and time.png too; returns those written."""
    learned = [row for row in study.rows if row.seconds is not None]
    figures = {"reward": reward(study), "population": population(study)}
    if learned:
        figures["accuracy"] = against_k(learned, [100 * (row.accuracy or 0) for row in learned], "modes named [%]")
        figures["time"] = against_k(learned, [row.seconds or 0 for row in learned], "learning, all runs [s]")
    for name, figure in figures.items():
        with replacing(out / f"{name}.png") as stream:
            stream.write(rendered(figure, name, "png"))
    return [out / f"{name}.png" for name in figures]


def reward(study: Study) -> Figure:
    """Return against k with 95 % bands; those who ask nobody as lines across."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    asking = [row for row in study.rows if row.rule not in (HOLD, RANDOM)]
    for name in dict.fromkeys(row.rule for row in asking):
        rows = [row for row in asking if row.rule == name]
        ks, means = [row.k for row in rows], np.array([row.estimate.mean for row in rows])
        band = np.array([half_width(row.estimate.error, row.estimate.fleets) for row in rows])
        [line] = axes.plot(ks, means, "o-", label=name)
        axes.fill_between(ks, means - band, means + band, color=line.get_color(), alpha=0.2, linewidth=0)
    for row, style in zip((row for row in study.rows if row.rule in (HOLD, RANDOM)), ("--", ":"), strict=True):
        axes.axhline(row.estimate.mean, color="grey", linestyle=style, label=f"{row.rule}, no samples")
    axes.set_xscale("log")
    axes.set_xticks(study.config.polled, [str(k) for k in study.config.polled])
    axes.set(xlabel="robots polled per tick, k", ylabel="discounted return")
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    return figure


def population(study: Study) -> Figure:
    """Share of the robots in every bin over time, with where the dispatcher steers to."""
    figure = Figure(figsize=(5 * len(study.populations), 3.5), layout="constrained")
    row = figure.subplots(1, len(study.populations), squeeze=False, sharey=True)[0]
    for axes, (title, record) in zip(row, study.populations.items(), strict=True):
        ticks = np.arange(len(record.dispatch[0]))
        shares = record.histogram[0] / record.histogram[0].sum(axis=1, keepdims=True)
        image = axes.imshow(shares.T, aspect="auto", origin="lower", cmap="YlOrRd", vmin=0, vmax=1)
        axes.step(ticks, record.dispatch[0], where="mid", color="tab:blue", label="steered to")
        axes.set(title=title, xlabel="tick")
        axes.title.set_fontsize("medium")
        axes.set_yticks(range(len(study.config.line.targets)), [f"{t:g}" for t in study.config.line.targets])
        axes.legend(fontsize="small", loc="upper right")
    row[0].set_ylabel("place of the bin")
    figure.colorbar(image, ax=row.tolist(), label="share of robots")
    return figure


def against_k(rows: list[Row], values: list[float], label: str) -> Figure:
    """One number per k."""
    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    polled = [row.k for row in rows]
    axes.plot(polled, values, "o-", label=rows[0].rule)
    axes.set(xlabel="robots polled per tick, k", ylabel=label, ylim=(0, 1.1 * max(values)), xscale="log")
    axes.set_xticks(polled, [str(k) for k in polled])
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    return figure
