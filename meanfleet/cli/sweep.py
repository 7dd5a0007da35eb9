"""`meanfleet sweep`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from meanfleet.base.files import writable_folder
from meanfleet.config import Config

from .common import ConfigFile, Fleet, Json, Seed, bar, console, numbers, print_json


def sweep_command(
    config: ConfigFile,
    k: Annotated[str, typer.Option("--k", "-k", help="Robots polled per tick: 1:50, or 1,2,5,10.")] = "1:50",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for units, tables and figures.")] = Path("out/sweep"),
    n: Fleet = None,
    seeds: Annotated[int, typer.Option(min=2, help="Evaluation seeds, from --seed on.")] = 15,
    rollouts: Annotated[int, typer.Option(min=2, help="Rollouts per k and seed.")] = 50,
    horizon: Annotated[int, typer.Option(min=1, help="Ticks of a rollout.")] = 100,
    full: Annotated[
        bool, typer.Option("--full", help="Several starts, switches, all alternations at every k.")
    ] = False,
    backend: Annotated[str, typer.Option(help="processes, or dask with --scheduler.")] = "processes",
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler, tcp://HOST:8786.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes (default: one per core).")] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Solve every k, evaluate it in the n-robot system on many seeds, write tables and figures.

    Killed, it goes on where it was when the same command is run again; more k or seeds add to what is there.

    Example: meanfleet sweep config/warehouse.yaml -k 1:50 --seeds 15 --rollouts 50 --horizon 100 -o out/sweep
    """
    from meanfleet.solver import Game
    from meanfleet.studies.sweep import figures
    from meanfleet.studies.sweep.plan import SweepPlan
    from meanfleet.studies.sweep.pool import pool
    from meanfleet.studies.sweep.results import summarise, write_results
    from meanfleet.studies.sweep.running import run_sweep

    setup = Config.from_yaml(config).with_robots(n)
    plan = SweepPlan(
        game=Game.from_config(setup),
        ks=numbers(k),
        n=len(setup.robots),
        seeds=seeds,
        rollouts=rollouts,
        horizon=horizon,
        seed=seed,
        full=full,
        settings=setup.solver,
    )
    began = time.monotonic()
    with pool(backend, workers, scheduler) as parallel, bar("sweeping", plan.units, json) as advance:
        result = run_sweep(plan, out, parallel, lambda done, total, note: advance(done, f"{done}/{total} {note}"))
    summary = summarise(result)
    tables, drawn = write_results(summary, writable_folder(out)), figures.draw(summary, out)
    if json:
        print_json(summary)
        return
    _show(summary)
    names = ", ".join(path.name for path in (*tables.values(), *drawn))
    console.print(f"{names} written to {out} in {time.monotonic() - began:.1f} s")


def _show(summary: dict[str, Any]) -> None:
    options, hold, fit = summary["options"], summary["hold"], summary["fit"]
    table = Table(title=f"discounted return, n = {options['n']}, {options['horizon']} ticks, 95 % over seeds")
    remembers = "whole" in summary
    extra = ["remembering"] if remembers else []
    for heading in ("k", "return", *extra, f"gap to k = {summary['ks'][-1]}", "J with n = k", "solved in [s]"):
        table.add_column(heading, justify="right")
    for point in summary["curve"]:
        table.add_row(
            str(point["k"]),
            _interval(point["return"]),
            *([_interval(point["remembering"])] if remembers else []),
            _interval(point["gap"]),
            f"{point['certificate']['value_low']:.3f}",
            f"{point['solve']['seconds']:.2f}",
        )
    table.add_row("hold", _interval(hold))
    if remembers:
        table.add_row("whole fleet", "", _interval(summary["whole"]))
    console.print(table)
    if fit is None:
        console.print("too few k to fit the theorem's 1/√k")
        return
    verdict = f"refuted, most clearly at k = {fit['worst_k']}" if fit["refuted"] else "not refuted"
    console.print(
        f"gap = a + c/√k fitted: a = {fit['offset']['mean']:.2f}, c = {fit['slope']['mean']:.2f}, "
        f"R² = {fit['r_squared']:.3f}, rms residual {fit['rms_residual']:.2f} (error {fit['noise']:.2f}): {verdict}"
    )


def _interval(band: dict[str, float]) -> str:
    return f"{band['mean']:.2f} ± {(band['high'] - band['low']) / 2:.2f}"
