"""How often the dispatcher steers to the zone where most robots are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from meanfleet.base.arrays import Tell
from meanfleet.base.figures import BLUE, GREEN
from meanfleet.base.statistics import band
from meanfleet.solver.fleet import Fleet
from meanfleet.solver.fleet.candidates import follow_the_sample
from meanfleet.solver.histograms import rank

from .. import warehouse
from ..figure import ALTERNATING, Finding, PaperFigure, Settings, Summary, save

RULES = {"learned": ("the learned dispatcher", BLUE), "follow": ("dispatcher that follows its sample's mode", GREEN)}


def run(settings: Settings, folder: Path, shared: Path, tell: Tell) -> Summary:
    """Rollouts of every k; in each state a sample is drawn anew, as the dispatcher's was, its decision looked up."""
    result, _ = warehouse.sweep(settings, shared, tell)
    curve = []
    for k in settings["ks"]:
        tell(f"k = {k}")
        bundle = result.bundles[k]
        tables = {"learned": warehouse.dispatch_table(bundle), "follow": follow_the_sample(bundle.game, k)}
        point: dict[str, Any] = {"k": k}
        for name, table in tables.items():
            fleet, shares = Fleet(bundle.game, settings["n"], k), []
            for seed in range(settings["seeds"]):
                visited = fleet.visits(table, bundle.local_policy, settings["rollouts"], settings["horizon"], seed)
                shares.append(_hits(table, *visited, k, np.random.default_rng([seed, k])))
            point[name] = asdict(band(shares))
        curve.append(point)
    save(_draw(curve), folder, "mode")
    return {"curve": curve}


def _hits(table: np.ndarray, priority: np.ndarray, counts: np.ndarray, k: int, rng: np.random.Generator) -> float:
    """Share of states [rollout, tick] in which the dispatch is a zone that no other has more robots than."""
    flat, s = counts.reshape(-1, counts.shape[-1]), priority.ravel()
    sample = np.stack([rng.multivariate_hypergeometric(row, k) for row in flat])
    dispatch = table[s, rank(sample)]
    return float((flat[np.arange(len(flat)), dispatch] == flat.max(axis=1)).mean())


def _draw(curve: list[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    ks = [point["k"] for point in curve]
    for name, (label, colour) in RULES.items():
        low, mean, high = (np.array([point[name][key] for point in curve]) for key in ("low", "mean", "high"))
        axes.plot(ks, mean, "o-", color=colour, markersize=4, label=label)
        axes.fill_between(ks, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.set(
        xlabel="robots polled per tick, k",
        ylabel="share of ticks",
        title="How often the dispatch is the zone where most robots are\nmean and 95 % band over seeds",
        ylim=(0, 1.02),
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def findings(summary: Summary) -> list[Finding]:
    """Rises with k?"""
    first, last = summary["curve"][0], summary["curve"][-1]
    learned = warehouse.lead(last["learned"], first["learned"])
    follow = warehouse.lead(last["follow"], first["follow"])
    span = f"from k = {first['k']} to {last['k']}"
    return [
        Finding(
            "With more robots polled the dispatch is the population's mode more often.",
            learned[0],
            f"the learned dispatcher's share goes {span} from {learned[1]}.",
        ),
        Finding(
            "A larger sample shows the population's mode more often.",
            follow[0],
            f"of a dispatcher that follows its sample's mode the share goes {span} from {follow[1]}.",
        ),
    ]


FIGURE = PaperFigure(
    "mode",
    ALTERNATING,
    "Figure 7, the dispatch and the true population mode",
    "Mode accuracy against k",
    40,
    warehouse.settings,
    run,
    findings,
    lambda settings: "",
    warehouse.differs,
)
