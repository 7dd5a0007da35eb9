"""`meanfleet federated`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from meanfleet.base.files import writable_folder, write_csv, write_json

from .common import ConfigFile, Json, Seed, bar, console, numbers, print_json


def federated_command(
    config: ConfigFile,
    k: Annotated[str, typer.Option("--k", "-k", help="Clients queried per round: 5, or 1,2,5,10.")] = "1,2,5,10,20",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for figures, tables, bundles.")] = Path(
        "out/federated"
    ),
    seeds: Annotated[int, typer.Option(min=2, help="Seeds of splits and draws, from --seed on.")] = 10,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Federated optimization as a game: count it, solve it, run it with real clients next to FedAvg.

    Needs scikit-learn, whose package holds the digits (extra 'federated'). Killed, it goes on with the k it was at.

    Example: meanfleet federated config/federated.yaml -k 1,2,5,10,20 -o out/federated
    """
    from meanfleet.config.federated import FederatedFile
    from meanfleet.studies.federated import figures
    from meanfleet.studies.federated.data import digits
    from meanfleet.studies.federated.folder import StudyFolder
    from meanfleet.studies.federated.study import conduct, summary

    file, ks = FederatedFile.from_yaml(config), numbers(k)
    file.require_clients(max(ks))
    data = digits()
    writable_folder(out)
    folder = StudyFolder(out, file, data, range(seed, seed + seeds))
    with bar("federating", None, json) as advance:
        study = conduct(file, data, ks, seeds, seed, lambda note: advance(note=note), folder)
    found = summary(study)
    drawn = figures.draw(study, out)
    bundles = [folder.bundle_path(point.k) for point in study.points]
    write_csv(out / "rounds.csv", _rows(found))
    write_json(out / "federated.json", found)
    if json:
        print_json(found)
        return
    _show(found)
    names = ", ".join(path.name for path in (*drawn, *bundles, out / "rounds.csv", out / "federated.json"))
    console.print(f"{names} written to {out}", soft_wrap=True)


def _rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per k, rule and round: accuracy, mean over the seeds."""
    return [
        {"k": point["k"], "rule": name, "round": t + 1, "accuracy": value}
        for point in found["points"]
        for name, arm in point["arms"].items()
        for t, value in enumerate(arm["curve"])
    ]


def _show(found: dict[str, Any]) -> None:
    options = found["options"]
    table = Table(
        title=f"accuracy [%], mean of the last {options['last']} of {options['rounds']} rounds, "
        f"{len(found['seeds'])} seeds, 95 %"
    )
    for heading in ("k", "solved policy", "FedAvg", "best fixed pair", "lead over FedAvg", "over best fixed"):
        table.add_column(heading, justify="right")
    for point in found["points"]:
        arms, lead = point["arms"], point["lead"]
        table.add_row(
            str(point["k"]),
            *(_percent(arms[name]["end"]) for name in ("policy", "fedavg", "tuned")),
            *(_percent(lead[name]["end"], "+") for name in ("fedavg", "tuned")),
        )
    console.print(table)
    table = Table(title="what they do")
    for heading in ("k", "gradient steps: policy", "FedAvg", "best fixed", "broadcasts of the policy", "best fixed is"):
        table.add_column(heading, justify="right")
    names = [one["name"] for one in options["broadcasts"]]
    for point in found["points"]:
        arms, shares = point["arms"], point["policy"]["broadcast_shares"]
        table.add_row(
            str(point["k"]),
            *(f"{arms[name]['steps']:.1f}" for name in ("policy", "fedavg", "tuned")),
            ", ".join(f"{name} {share:.0%}" for name, share in zip(names, shares, strict=True) if share >= 0.005),
            arms["tuned"]["rule"],
        )
    console.print(table)


def _percent(interval: dict[str, float], sign: str = "") -> str:
    return f"{100 * interval['mean']:{sign}.1f} ± {100 * (interval['high'] - interval['mean']):.1f}"
