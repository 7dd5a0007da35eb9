"""`meanfleet count`: transitions of a simulated world."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meanfleet.config import Config

from .common import BackendName, ConfigFile, Fleet, Json, Seed, Ticks, bar, console, print_json


def count_command(
    config: ConfigFile,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File of counts (default: what game.P_l names).")
    ] = None,
    n: Fleet = None,
    ticks: Ticks = 300,
    keep: Annotated[int, typer.Option(min=1, help="Ticks a robot keeps a move: for ticks shorter than a drive.")] = 1,
    backend: BackendName = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Count P_l of a world: drive all robots at random and count zone transitions per tick.

    Example: meanfleet count config/demo.yaml --ticks 300
    """
    from meanfleet.base.errors import UserError
    from meanfleet.base.files import writable_file
    from meanfleet.config import CountedTransition
    from meanfleet.config.counts import write_counts
    from meanfleet.sim.counting import count_transitions
    from meanfleet.sim.world import make_driving_world
    from meanfleet.space.zone_graph import RING_MOVES

    setup = Config.from_yaml(config).with_robots(n)
    named = setup.game.P_l.counted if isinstance(setup.game.P_l, CountedTransition) else None
    if out is None and named is None:
        raise UserError(f"{config} names no file of counts under game.P_l.counted: give one with -o")
    target = out or config.parent / str(named)
    writable_file(target)
    world = make_driving_world(setup, seed, backend)
    zones, tick = len(setup.zones), setup.dispatcher.tick
    with bar("counting", ticks, json) as advance:
        counts = count_transitions(
            world, zones, tick, ticks, seed, keep=keep, progress=lambda done: advance(done, f"tick {done}/{ticks}")
        )
    how = {
        "backend": backend or setup.world.backend,
        "robots": len(setup.robots),
        "ticks": ticks,
        "keep": keep,
        "seed": seed,
    }
    write_counts(target, setup, counts, how)
    if json:
        print_json({"file": str(target), "transitions": int(counts.sum()), "counts": counts.tolist(), **how})
        return
    share = counts.sum(axis=0)
    console.print(f"{counts.sum()} transitions counted, written to {target}; summed over zones, by move:")
    for move, name in enumerate(RING_MOVES):
        moved = sum(int(counts[z, move, ends[move]]) for z, ends in enumerate(setup.zone_graph.targets))
        console.print(f"  {name}: {moved / max(int(share[move].sum()), 1):.1%} end the tick where the move leads")
