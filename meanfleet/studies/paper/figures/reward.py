"""Reward against k."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from meanfleet.base.arrays import Tell

from ...sweep import figures
from .. import warehouse
from ..figure import ALTERNATING, Finding, PaperFigure, Settings, Summary, save


def run(settings: Settings, folder: Path, shared: Path, tell: Tell) -> Summary:
    """The sweep, its reward curve drawn."""
    _, summary = warehouse.sweep(settings, shared, tell)
    save(figures.reward(summary), folder, "reward")
    return {"ks": summary["ks"], "returns": [point["return"] for point in summary["curve"]]}


def findings(summary: Summary) -> list[Finding]:
    """Rises, and by less and less."""
    ks, returns = summary["ks"], summary["returns"]
    means = np.array([each["mean"] for each in returns])
    holds, words = warehouse.lead(returns[-1], returns[0])
    rho = float(spearmanr(ks, means).statistic)
    rises = np.diff(means) / np.diff(ks)
    half = max(1, len(rises) // 2)
    early, late = float(rises[:half].mean()), float(rises[half:].mean())
    return [
        Finding(
            "The reward generally increases with k.",
            holds and rho > 0.5,
            f"from k = {ks[0]} to {ks[-1]} it goes from {words}; rank correlation with k {rho:.2f}.",
        ),
        Finding(
            "Marginal gains decrease with k.",
            early > late,
            f"{early:.2f} per robot polled on average up to k = {ks[half]}, {late:.2f} from there on.",
        ),
    ]


FIGURE = PaperFigure(
    "reward",
    ALTERNATING,
    "Figure 6, reward",
    "Discounted reward against k",
    10,
    warehouse.settings,
    run,
    findings,
    warehouse.command,
    warehouse.differs,
)
