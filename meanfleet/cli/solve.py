"""`meanfleet solve`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from meanfleet.base.errors import UserError
from meanfleet.base.files import writable_file
from meanfleet.config import Config

from .common import ConfigFile, Fleet, Json, Seed, bar, console, numbers, print_json, solving_note
from .inspect import describe, show


def solve_command(
    config: ConfigFile,
    k: Annotated[
        str | None, typer.Option("--k", "-k", help="Robots polled per tick; 1,2,5 or 1:5 for a choice of tables.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Bundle to write.")] = Path("policy.npz"),
    n: Fleet = None,
    sampled: Annotated[bool, typer.Option(help="The paper's sampled backup instead of the exact one.")] = False,
    samples: Annotated[int, typer.Option(min=1, help="Draws per sampled backup.")] = 30,
    parameterization: Annotated[
        str,
        typer.Option(help="States to learn tables over: histogram, or tuple (ordered robots; an oracle at small k)."),
    ] = "histogram",
    observer: Annotated[
        str | None,
        typer.Option(
            help="Dispatcher that the robots' policy is chosen for: memoryless, dirichlet (default: configured)."
        ),
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Learn both policies of a game and write them as one bundle.

    Interrupted, it goes on from OUT.checkpoint when called again.

    Example: meanfleet solve config/warehouse.yaml -k 10 -o policy.npz
    """
    from meanfleet.solver import Game, solve
    from meanfleet.solver.sampled import parameterization_named
    from meanfleet.solver.solving import default_tables

    states = parameterization_named(parameterization)
    setup = Config.from_yaml(config).with_robots(n)
    settings = setup.solving(observer)
    game = Game.from_config(setup)
    wanted = numbers(k) if k is not None else (setup.dispatcher.k,)
    ks = default_tables(wanted[0]) if len(wanted) == 1 else wanted
    if max(ks) > len(setup.robots):
        raise UserError(f"k = {max(ks)}, but the fleet has {len(setup.robots)} robots: lower -k")
    writable_file(out)
    checkpoint = out.with_name(f"{out.name}.checkpoint")
    writable_file(checkpoint)
    began = time.monotonic()
    with bar("solving", None, json) as advance:
        bundle = solve(
            game,
            ks,
            seed,
            n=len(setup.robots),
            settings=settings,
            sampled=ks if sampled else (),
            samples=samples,
            parameterization=states,
            progress=lambda label, value: advance(note=solving_note(label, value)),
            checkpoint=checkpoint,
        )
    bundle.save(out)
    if json:
        print_json(describe(bundle) | {"file": str(out), "seconds": round(time.monotonic() - began, 3)})
    else:
        show(bundle)
        console.print(f"written to {out} in {time.monotonic() - began:.1f} s")
