"""Learning dynamics: two Q-learners in a prisoner's dilemma, their ODE and the noisy process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from meanfleet.base.arrays import Tell
from meanfleet.base.resources import config_file
from meanfleet.base.statistics import half_width

from ...dynamics import figures
from ...dynamics.study import conduct, load, summary
from ..figure import DYNAMICS, Finding, PaperFigure, Settings, Summary

CONFIG = "prisoners.yaml"
QUICK = {"runs": 100, "settle": 30_000.0, "guesses": 5}


def settings(quick: bool) -> Settings:
    """The configuration as it is; fewer runs and shorter paths if it must be quick."""
    changed = QUICK if quick else {}
    return {"quick": quick, "config": config_file(CONFIG).read_text(encoding="utf-8"), "changed": changed}


def run(settings: Settings, folder: Path, shared: Path, tell: Tell) -> Summary:
    """The study of `meanfleet dynamics`."""
    setup = load(config_file(CONFIG))
    setup = replace(setup, options=setup.options.model_copy(update=settings["changed"]))
    study = conduct(setup, 0, tell)
    figures.draw(study, folder)
    found = summary(study)
    return {key: found[key] for key in ("process", "fixed_points", "paths", "options")}


def findings(summary: Summary) -> list[Finding]:
    """Does the process come to the ODE?"""
    points, power = summary["process"]["points"], summary["process"]["distance_power"]
    first, last = points[0], points[-1]
    stable = sum(point["stability"] == "stable" for point in summary["fixed_points"])
    moving = sum(path["fixed_point"] is None for path in summary["paths"])
    ends = [half_width(point["distance_error"], summary["options"]["runs"]) for point in (first, last)]
    closer = last["distance"] + ends[1] < first["distance"] - ends[0]
    rate = "" if power is None else f", like N^{power:.2f}"
    return [
        Finding(
            "With steps N times smaller and N times as many, learning converges to the ODE.",
            closer,
            f"a run's largest distance from the ODE falls from {first['distance']:.3f} ± {first['distance_error']:.3f} "
            f"at N = {first['speedup']} to {last['distance']:.3f} ± {last['distance_error']:.3f} at N = "
            f"{last['speedup']}{rate}.",
        ),
        Finding(
            "Learning comes to rest at a stable point of the ODE.",
            None if moving else stable > 0,
            f"{moving} of {len(summary['paths'])} paths still move after {summary['options']['settle']:g} steps; "
            f"fixed points found: {len(summary['fixed_points'])}, stable: {stable}.",
        ),
    ]


FIGURE = PaperFigure(
    "learning",
    DYNAMICS,
    "the example: Q-learning in a repeated prisoner's dilemma",
    "Learning dynamics",
    200,
    settings,
    run,
    findings,
    lambda settings: f"meanfleet dynamics config/{CONFIG} -o out/prisoners",
    lambda settings: f"quick: {', '.join(f'{k} = {v:g}' for k, v in QUICK.items())}." if settings["quick"] else "",
)
