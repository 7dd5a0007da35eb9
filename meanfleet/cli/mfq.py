"""`meanfleet mfq`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from meanfleet.base.files import writable_folder, write_json

from .common import ConfigFile, Json, Seed, bar, console, numbers, print_json


def mfq_command(
    config: ConfigFile,
    k: Annotated[str, typer.Option("--k", "-k", help="Robots in a sample: 1:5, or 1,2,4.")] = "1:5",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for figure, JSON and bundles.")] = Path("out/mfq"),
    seeds: Annotated[int, typer.Option(min=2, help="Evaluation seeds, from --seed on.")] = 10,
    rollouts: Annotated[int, typer.Option(min=2, help="Rollouts per k and seed.")] = 200,
    horizon: Annotated[int, typer.Option(min=1, help="Ticks of a rollout of a warehouse.")] = 100,
    sampled: Annotated[bool, typer.Option("--sampled", help="The paper's sampled backup.")] = False,
    samples: Annotated[int, typer.Option(min=1, help="Draws per sampled backup.")] = 30,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """SUBSAMPLE-MFQ: dispatcher and robots learn together, and every robot samples others at every tick.

    On a warehouse next to ALTERNATING-MARL: return, messages, table size and solve time against k and the number of
    moves. On config/squeeze.yaml and config/exploration.yaml: the gap to the optimum against k, 1/√k fitted.

    Example: meanfleet mfq config/squeeze.yaml -k 1:8 -o out/squeeze
    """
    from meanfleet.studies.mfq import figures
    from meanfleet.studies.mfq.study import Effort, check, conduct, load

    setup = load(config)
    effort = Effort(numbers(k), seeds, rollouts, horizon, seed, samples if sampled else None)
    check(setup, effort)
    writable_folder(out)
    with bar("sampling each other", None, json) as advance:
        found = conduct(setup, effort, lambda note: advance(note=note), out)
        write_json(out / "mfq.json", found)
        drawn = figures.draw(found, out, config.stem)
    if json:
        print_json(found)
        return
    _show(found)
    console.print(f"{', '.join(path.name for path in drawn)}, mfq.json written to {out}", soft_wrap=True)


def _show(found: dict[str, Any]) -> None:
    if "optimum" in found:
        _show_gap(found)
        return
    about = "CPU-s to solve; ALTERNATING-MARL from all its starting policies, with the certificate"
    table = Table(title=f"n = {found['n']}, {found['options']['horizon']} ticks", caption=about)
    table.add_column("k", justify="right")
    table.add_column("algorithm", no_wrap=True)
    for heading in ("return", "messages per tick", "entries of Q", "CPU-s"):
        table.add_column(heading, justify="right", no_wrap=heading == "return")
    for point in found["curve"]:
        for name, which in (("SUBSAMPLE-MFQ", "mfq"), ("ALTERNATING-MARL", "alternating")):
            one, last = point[which], which == "alternating"
            cells = one["cells"] if last else one["cells"]["tagged"]
            figures = (_interval(one["return"]), f"{one['messages']}", f"{cells}", f"{one['cpu_seconds']:.2g}")
            table.add_row("" if last else str(point["k"]), name, *figures, end_section=last)
    console.print(table)


def _show_gap(found: dict[str, Any]) -> None:
    table = Table(title=f"n = {found['n']}: gap to the optimum, {found['optimum']['low']:.4f}")
    for heading in ("k", "J with n = k", "gap, places by name", "gap, places by lot"):
        table.add_column(heading, justify="right")
    for point in found["curve"]:
        gaps = [_interval(point[sharing]["gap"]) for sharing in ("name", "lot")]
        table.add_row(str(point["k"]), f"{point['joint_value'][0]:.3f}", *gaps)
    console.print(table)
    for sharing, fit in found["fit"].items():
        if fit is not None:
            verdict = f"refuted at k = {fit['worst_k']}" if fit["refuted"] else "not refuted"
            console.print(
                f"by {sharing}: a + c/√k fitted, a = {fit['offset']['mean']:.3f}, c = {fit['slope']['mean']:.3f}, "
                f"R² = {fit['r_squared']:.3f}: {verdict}"
            )


def _interval(band: dict[str, float]) -> str:
    return f"{band['mean']:.3f} ± {(band['high'] - band['low']) / 2:.3f}"
