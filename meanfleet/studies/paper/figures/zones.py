"""Where the robots are over time, for several k."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from meanfleet.base.arrays import Tell
from meanfleet.base.resources import config_file
from meanfleet.base.statistics import band
from meanfleet.config import Config
from meanfleet.solver.fleet import Fleet

from .. import warehouse
from ..figure import ALTERNATING, Finding, PaperFigure, Settings, Summary, save

SHOWN = 4  # values of k drawn


def run(settings: Settings, folder: Path, shared: Path, tell: Tell) -> Summary:
    """One rollout of several k from the same start; over all rollouts, the share in the priority zone at the end."""
    result, _ = warehouse.sweep(settings, shared, tell)
    names, ks = Config.from_yaml(config_file(warehouse.CONFIG)).zones, settings["ks"]
    shown = sorted({ks[i] for i in np.linspace(0, len(ks) - 1, SHOWN).round().astype(int)})
    figure = Figure(figsize=(10, 2.1 * len(shown) + 0.8), layout="constrained")
    rows, curve = figure.subplots(len(shown), 1, sharex=True, squeeze=False).ravel(), []
    for axes, k in zip(rows, shown, strict=True):
        tell(f"k = {k}")
        bundle = result.bundles[k]
        fleet, table = Fleet(bundle.game, settings["n"], k), warehouse.dispatch_table(bundle)
        shares = []
        for seed in range(settings["seeds"]):
            priority, counts = fleet.visits(table, bundle.local_policy, settings["rollouts"], settings["horizon"], seed)
            there = np.take_along_axis(counts, priority[:, :, None], axis=2)[:, :, 0] / settings["n"]
            shares.append(float(there[:, settings["horizon"] // 2 :].mean()))
            if seed == 0:
                image = axes.imshow(counts[0].T / settings["n"], aspect="auto", vmin=0, vmax=1, cmap="Blues")
                axes.plot(priority[0], ".", color="#d55e00", markersize=4, label="priority")
        curve.append({"k": k, "share": asdict(band(shares))})
        axes.set(title=f"k = {k}", ylabel="zone", yticks=range(len(names)), yticklabels=names)
    rows[-1].set_xlabel("tick")
    rows[0].legend(loc="upper right", fontsize="small")
    figure.colorbar(image, ax=list(rows), label="share of the robots", shrink=0.6)
    figure.suptitle(f"Where {settings['n']} robots are: one run for each k, all from the same start")
    save(figure, folder, "zones")
    return {"curve": curve}


def findings(summary: Summary) -> list[Finding]:
    """More of the fleet where it pays?"""
    first, last = summary["curve"][0], summary["curve"][-1]
    holds, words = warehouse.lead(last["share"], first["share"])
    return [
        Finding(
            "With larger k more robots are in the zone that has priority.",
            holds,
            f"over the second half of all runs the share goes from k = {first['k']} to {last['k']} from {words}.",
        )
    ]


FIGURE = PaperFigure(
    "zones",
    ALTERNATING,
    "Figure 7, fraction of robots per zone",
    "Zones over time",
    50,
    warehouse.settings,
    run,
    findings,
    lambda settings: "",
    warehouse.differs,
)
