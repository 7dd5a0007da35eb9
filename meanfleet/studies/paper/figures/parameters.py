"""Table 3: the experiment's parameters, and those of this run."""

from __future__ import annotations

from pathlib import Path

from meanfleet.base.arrays import Tell
from meanfleet.base.resources import config_file
from meanfleet.config import Config
from meanfleet.solver import Game

from .. import warehouse
from ..figure import ALTERNATING, Finding, PaperFigure, Settings, Summary

PAPER = {
    "robots, n": 1000,
    "discount, γ": 0.95,
    "states of the dispatcher, |S_g|": 5,
    "states of a robot, |S_l|": 5,
    "actions of the dispatcher, |A_g|": 5,
    "actions of a robot, |A_l|": 3,
    "alternations at most, T": 10,
    "rollouts per seed": 50,
    "horizon": 100,
}
BUDGET = {"seeds": 15, "largest k": 50}  # what --quick saves on


def run(settings: Settings, folder: Path, shared: Path, tell: Tell) -> Summary:
    """Read from the configuration, its game and the settings of the sweep."""
    config = Config.from_yaml(config_file(warehouse.CONFIG))
    game = Game.from_config(config)
    here = [
        *(len(config.robots), game.discount, game.priorities, game.zones, game.dispatches, game.moves),
        *(config.solver.alternations, settings["rollouts"], settings["horizon"]),
    ]
    rows = [[name, paper, own] for (name, paper), own in zip(PAPER.items(), here, strict=True)]
    budget = [
        [name, paper, own]
        for (name, paper), own in zip(BUDGET.items(), (settings["seeds"], settings["ks"][-1]), strict=True)
    ]
    return {"rows": rows, "table": [["", "paper", "this run"], *rows, *budget]}


def findings(summary: Summary) -> list[Finding]:
    """Are they the same?"""
    off = [name for name, paper, own in summary["rows"] if paper != own]
    count = len(summary["rows"])
    return [
        Finding(
            "The experiment's game and evaluation.",
            not off,
            f"{count - len(off)} of {count} parameters are the paper's" + (f"; not {', '.join(off)}." if off else "."),
        )
    ]


FIGURE = PaperFigure(
    "parameters",
    ALTERNATING,
    "Table 3",
    "Parameters of the warehouse",
    5,
    warehouse.settings,
    run,
    findings,
    lambda settings: "",
    warehouse.differs,
)
