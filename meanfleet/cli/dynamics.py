"""`meanfleet dynamics`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from meanfleet.base.files import writable_folder, write_csv, write_json

from .common import ConfigFile, Json, Seed, bar, console, print_json


def dynamics_command(
    config: ConfigFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for figures, tables and JSON.")] = Path(
        "out/dynamics"
    ),
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """What happens if all players keep learning: the ODE, runs of the process around it, and where it rests.

    Example: meanfleet dynamics config/prisoners.yaml -o out/prisoners
    """
    from meanfleet.studies.dynamics import figures
    from meanfleet.studies.dynamics.study import conduct, load, summary

    setup = load(config)
    writable_folder(out)
    with bar("following", None, json) as advance:
        study = conduct(setup, seed, lambda note: advance(note=note))
        found = summary(study)
        drawn = figures.draw(study, out)
    write_json(out / "dynamics.json", found)
    write_csv(out / "paths.csv", _rows(study))
    if json:
        print_json(found)
        return
    _show(found)
    names = ", ".join(path.name for path in (*drawn, out / "paths.csv", out / "dynamics.json"))
    console.print(f"{names} written to {out}", soft_wrap=True)


def _rows(study: Any) -> list[dict[str, Any]]:
    """One row per time and parameter: the ODE, and the runs at the largest speed-up."""
    runs = max(study.runs, key=lambda one: one.speedup)
    ode, mean, (low, high) = study.path.at(runs.times), runs.mean(), runs.band()
    names = study.setup.system.layout.names()
    return [
        {"time": t, "parameter": name, "ode": ode[i, j], "mean": mean[i, j], "low": low[i, j], "high": high[i, j]}
        for i, t in enumerate(runs.times.tolist())
        for j, name in enumerate(names)
    ]


def _show(found: dict[str, Any]) -> None:
    ode = found["ode"]
    console.print(
        f"{found['parameters']} parameters; ODE to step {ode['time']:g} ({ode['ending']}) in {ode['evaluations']} "
        "evaluations of the drift"
    )
    table = Table(title=f"{found['options']['runs']} runs against the ODE")
    for heading in ("N", "distance of a run", "of their mean"):
        table.add_column(heading, justify="right")
    for p in found["process"]["points"]:
        table.add_row(
            str(p["speedup"]),
            f"{p['distance']:.4f} ± {p['distance_error']:.4f}",
            f"{p['bias']:.4f} ± {p['bias_error']:.4f}",
        )
    console.print(table)
    _show_points(found)
    _show_equilibrium(found["equilibrium"])


def _show_points(found: dict[str, Any]) -> None:
    moving = [path for path in found["paths"] if path["fixed_point"] is None]
    if found["fixed_points"]:
        table = Table(title="fixed points")
        headings = (
            "",
            "stability",
            "largest eigenvalue",
            "e-fold in [steps]",
            "share of action 0",
            "paths to it",
        )
        for heading in headings:
            table.add_column(heading, justify="right")
        for index, point in enumerate(found["fixed_points"]):
            real, imaginary = point["eigenvalues"][0]
            turning = f" ± {abs(imaginary):.1e}i" if imaginary else ""
            table.add_row(
                str(index),
                point["stability"] + (" (a tie: one side only)" if point["kinked"] else ""),
                f"{real:.1e}{turning}",
                f"{point['slowest']:.3g}",
                ", ".join(f"{share[0]:.3f}" for share in point["action_shares"]),
                f"{len(point['reached_from'])} of {len(found['paths'])}",
            )
        console.print(table)
    else:
        console.print("no fixed point found")
    if moving:
        pace = max(path["drift"] for path in moving)
        console.print(
            f"{len(moving)} of {len(found['paths'])} paths still move after {found['options']['settle']:g} steps, "
            f"by up to {pace:.1e} per step: they learn slowly, or circle",
            soft_wrap=True,
        )


def _show_equilibrium(found: dict[str, Any] | None) -> None:
    if found is None:
        return
    console.print(f"equilibrium of the {found['k']}-robot system by alternation: J = {found['certified']:.3f}")
    table = Table(title="what is learned, by start")
    for heading in ("start", "J, greedy", "J, exploring", "same dispatch", "same moves", "99 % after [ticks]"):
        table.add_column(heading, justify="right")
    for index, row in enumerate(found["paths"]):
        after = row["time_to_99_percent"]
        table.add_row(
            str(index),
            f"{row['greedy']:.3f}",
            f"{row['exploring']:.3f}",
            f"{row['same_dispatch']:.0%}",
            f"{row['same_moves']:.0%}",
            "–" if after is None else f"{after:.3g}",
        )
    console.print(table)
    console.print("same dispatch: weighted by how often states occur; same moves: of all cells (zone, priority).")
