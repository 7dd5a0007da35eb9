"""Federated optimization (Example 2.6): accuracy against rounds and against the clients queried, next to FedAvg."""

from __future__ import annotations

from pathlib import Path

from meanfleet.base.arrays import Tell
from meanfleet.base.resources import config_file
from meanfleet.config.federated import FederatedFile

from ...federated import figures
from ...federated.data import digits
from ...federated.folder import StudyFolder
from ...federated.study import FEDAVG, LEARNED, TUNED, conduct, summary
from ..figure import ALTERNATING, Finding, PaperFigure, Settings, Summary

CONFIG = "federated.yaml"
FULL = {"ks": [1, 2, 5, 10, 20], "seeds": 10}
QUICK = {"ks": [1, 5], "seeds": 3}


def settings(quick: bool) -> Settings:
    """The configuration, the clients queried per round and the number of seeds."""
    return {"quick": quick, "config": config_file(CONFIG).read_text(encoding="utf-8")} | (QUICK if quick else FULL)


def run(settings: Settings, folder: Path, shared: Path, tell: Tell) -> Summary:
    """The study of `meanfleet federated`; killed, it goes on with the k it was at."""
    file, data = FederatedFile.from_yaml(config_file(CONFIG)), digits()
    finished = StudyFolder(shared / f"federated{'-quick' * settings['quick']}", file, data, range(settings["seeds"]))
    study = conduct(file, data, settings["ks"], settings["seeds"], 0, tell, finished)
    figures.draw(study, folder)
    return summary(study)


def findings(summary: Summary) -> list[Finding]:
    """Is a server that hears k clients well steered, and do more clients help?"""
    first, last = summary["points"][0], summary["points"][-1]
    low, high = (point["arms"][LEARNED]["end"] for point in (first, last))
    leads = {name: first["lead"][name]["end"] for name in (FEDAVG, TUNED)}
    said = ", ".join(
        f"{100 * lead['mean']:+.1f} ({100 * lead['low']:+.1f} … {100 * lead['high']:+.1f}) points over {name}"
        for name, lead in (("FedAvg", leads[FEDAVG]), ("the best fixed broadcast and work", leads[TUNED]))
    )
    return [
        Finding(
            "Server and clients are a game of this kind: solved for k queried clients, it learns better than FedAvg.",
            leads[FEDAVG]["low"] > 0,
            f"at k = {first['k']}, {said} (95 %, {len(summary['seeds'])} seeds).",
        ),
        Finding(
            "With more clients queried per round the server's model gets better.",
            high["low"] > low["high"],
            f"accuracy from {low['mean']:.1%} at k = {first['k']} to {high['mean']:.1%} at k = {last['k']}.",
        ),
    ]


FIGURE = PaperFigure(
    "federated",
    ALTERNATING,
    "Example 2.6",
    "Federated optimization",
    70,
    settings,
    run,
    findings,
    lambda settings: (
        f"meanfleet federated config/{CONFIG} -k {','.join(map(str, settings['ks']))} --seeds {settings['seeds']} "
        "-o out/federated"
    ),
    lambda settings: "The paper has the example without an experiment: data, model and rewards are ours.",
    needs=("sklearn", "federated"),
)
