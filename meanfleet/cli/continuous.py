"""`meanfleet continuous`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from meanfleet.base.files import writable_folder, write_csv, write_json

from .common import ConfigFile, Json, Seed, bar, console, print_json


def continuous_command(
    config: ConfigFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for figures, tables and JSON.")] = Path(
        "out/continuous"
    ),
    learn: Annotated[
        bool, typer.Option("--learn", help="Also learn by gradients (extra 'continuous'); killed, it goes on from OUT.")
    ] = False,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Robots on a line: what rules, the bins through the exact solver and learned policies earn against k.

    OUT then holds bundles to run: solved.npz, and with --learn policy-k….npz (meanfleet up CONFIG --policy FILE).

    Example: meanfleet continuous config/continuous.yaml -o out/continuous
    """
    from meanfleet.families.line.config import ContinuousConfig
    from meanfleet.studies.continuous import figures
    from meanfleet.studies.continuous.study import conduct, summary

    setup = ContinuousConfig.from_yaml(config)
    if learn:
        from meanfleet.solver.continuous import learning  # noqa: F401 - missing packages are told before any work
    writable_folder(out)
    with bar("measuring", None, json) as advance:
        checkpoints = out / "checkpoints"
        study = conduct(setup, seed, learn, checkpoints if learn else None, lambda note: advance(note=note))
        found = summary(study)
        drawn = figures.draw(study, out)
    policies = [out / f"{name}.npz" for name in study.bundles]
    for path, bundle in zip(policies, study.bundles.values(), strict=True):
        bundle.save(path)
    write_json(out / "continuous.json", found)
    write_csv(out / "continuous.csv", [_flat(row) for row in found["rows"]])
    if json:
        print_json(found)
        return
    _show(found, setup.evaluation.rollouts)
    names = ", ".join(path.name for path in (*drawn, *policies, out / "continuous.csv", out / "continuous.json"))
    console.print(f"{names} written to {out}", soft_wrap=True)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {"rule": row["rule"], "k": row["k"]}
    flat.update(row["estimate"])
    flat.update((name, row[name]) for name in ("seconds", "accuracy", "diverged"))
    return flat


def _show(found: dict[str, Any], fleets: int) -> None:
    table = Table(title=f"discounted return of {fleets} fleets")
    for heading in ("", "k", "return", "modes named", "learning [s]"):
        table.add_column(heading, justify="right" if heading else "left")
    for row in found["rows"]:
        estimate = row["estimate"]
        table.add_row(
            row["rule"] + (" (diverged: the last good policy)" if row["diverged"] else ""),
            str(row["k"] or "–"),
            f"{estimate['mean']:.1f} ± {estimate['error']:.1f}",
            "" if row["accuracy"] is None else f"{row['accuracy']:.0%}",
            "" if row["seconds"] is None else f"{row['seconds']:.0f}",
        )
    console.print(table)
