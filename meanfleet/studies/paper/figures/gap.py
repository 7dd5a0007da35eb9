"""The theorem's 1/√k."""

from __future__ import annotations

from pathlib import Path

from meanfleet.base.arrays import Tell

from ...sweep import figures
from .. import warehouse
from ..figure import ALTERNATING, Finding, PaperFigure, Settings, Summary, save


def run(settings: Settings, folder: Path, shared: Path, tell: Tell) -> Summary:
    """The sweep, the gap to its largest k drawn with the theorem's shape fitted."""
    _, summary = warehouse.sweep(settings, shared, tell)
    save(figures.gap(summary), folder, "gap")
    return {"fit": summary["fit"], "largest": summary["ks"][-1]}


def findings(summary: Summary) -> list[Finding]:
    """A bound may be loose; its shape fits or not."""
    fit = summary["fit"]
    return [
        Finding(
            "The gap falls like 1/√k (the shape of the bound; a gap below the bound may have another).",
            not fit["refuted"],
            f"a + c/√k explains {fit['r_squared']:.0%} of the gap to k = {summary['largest']}; at k = {fit['worst_k']} "
            f"the residual is {fit['worst']:.1f} times its error. Best power instead of 1/2: {fit['exponent']:.2f}.",
        )
    ]


FIGURE = PaperFigure(
    "gap",
    ALTERNATING,
    "the theorem's bound Õ(1/√k)",
    "Gap against k, with 1/√k fitted",
    30,
    warehouse.settings,
    run,
    findings,
    warehouse.command,
    warehouse.differs,
)
