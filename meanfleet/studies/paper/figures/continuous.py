"""The continuous warehouse: what dispatchers earn against k, learned by TRPO as in the appendix, and by solved bins."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from meanfleet.base.arrays import Tell
from meanfleet.base.resources import config_file
from meanfleet.base.statistics import half_width
from meanfleet.families.line.config import ContinuousConfig

from ...continuous import figures
from ...continuous.study import HOLD, RANDOM, REMEMBERING, conduct, summary
from ..figure import ALTERNATING, Finding, PaperFigure, Settings, Summary

CONFIG = "continuous.yaml"
QUICK_FLEETS = 100
PUBLISHED = {1: 127.8, 75: 152.0}


def settings(quick: bool) -> Settings:
    """The configuration; fewer fleets if it must be quick; then nothing is learned, nor without JAX and optax."""
    learn = not quick and all(importlib.util.find_spec(name) is not None for name in ("jax", "optax"))
    config = config_file(CONFIG).read_text(encoding="utf-8")
    return {"quick": quick, "config": config, "fleets": QUICK_FLEETS, "learn": learn}


def run(settings: Settings, folder: Path, shared: Path, tell: Tell) -> Summary:
    """The study of `meanfleet continuous`, with `--learn` if the settings say so; killed, it goes on with its runs."""
    config = ContinuousConfig.from_yaml(config_file(CONFIG))
    if settings["quick"]:
        fewer = config.evaluation.model_copy(update={"rollouts": settings["fleets"]})
        config = config.model_copy(update={"evaluation": fewer})
    study = conduct(config, 0, settings["learn"], shared / "continuous" if settings["learn"] else None, tell)
    figures.draw(study, folder)
    return summary(study)


def findings(summary: Summary) -> list[Finding]:
    """What the paper's figures say, and whether more robots polled earn more."""
    algorithm = summary["config"]["learning"]["algorithm"]
    return [
        *(_published(summary, algorithm, k, value) for k, value in PUBLISHED.items()),
        _rising(summary),
        _above_holding(summary),
    ]


def _rows(summary: Summary, rule: str) -> dict[int, dict[str, Any]]:
    return {row["k"]: row["estimate"] for row in summary["rows"] if row["rule"] == rule}


def _said(row: dict[str, Any]) -> str:
    return f"{row['mean']:.1f} ± {half_width(row['error'], row['fleets']):.1f}"


def _apart(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Half of the interval of the difference of two means."""
    return half_width((one["error"] ** 2 + other["error"] ** 2) ** 0.5, one["fleets"])


def _published(summary: Summary, algorithm: str, k: int, value: float) -> Finding:
    claim = f"TRPO earns {value} at k = {k}."
    row = _rows(summary, algorithm).get(k)
    if row is None:
        return Finding(claim, None, "nothing was learned in this run.")
    holds = abs(row["mean"] - value) <= half_width(row["error"], row["fleets"])
    return Finding(claim, holds, f"the best of {summary['config']['learning']['runs']} runs earns {_said(row)} (95 %).")


def _rising(summary: Summary) -> Finding:
    rows = _rows(summary, REMEMBERING)
    first, last = rows[min(rows)], rows[max(rows)]
    holds = last["mean"] - first["mean"] > _apart(first, last)
    found = f"solved bins with a filter: {_said(first)} at k = {min(rows)}, {_said(last)} at k = {max(rows)} (95 %)."
    return Finding("The reward increases with k.", holds, found)


def _above_holding(summary: Summary) -> Finding:
    rows, hold = _rows(summary, REMEMBERING), _rows(summary, HOLD)[0]
    leads = {k: (row["mean"] - hold["mean"], _apart(row, hold)) for k, row in rows.items()}
    chance = _rows(summary, RANDOM)[0]
    said = ", ".join(f"{lead:+.1f} ± {half:.1f} at k = {k}" for k, (lead, half) in leads.items())
    return Finding(
        "Sampling is worth something: who polls earns more than who holds a first priority and polls nobody.",
        all(lead > half for lead, half in leads.values()),
        f"solved bins with a filter against holding, {_said(hold)}: {said}; at random {_said(chance)}.",
    )


FIGURE = PaperFigure(
    "continuous",
    ALTERNATING,
    "Appendix G.2, continuous states",
    "The continuous warehouse",
    60,
    settings,
    run,
    findings,
    lambda settings: f"meanfleet continuous config/{CONFIG}{' --learn' if settings['learn'] else ''} -o out/continuous",
    lambda settings: (
        "TRPO's step is our own, on JAX; the bins and the filter are not in the paper."
        + (f" Quick: {settings['fleets']} fleets." if settings["quick"] else "")
        + ("" if settings["learn"] else " Nothing learned: that takes a full run and the extra 'continuous'.")
    ),
)
