"""`meanfleet compare`: the learned dispatcher beside plain rules, on the same seeds, without ROS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from meanfleet.config import Config
from meanfleet.solver.bundle.loading import load_policies

from .common import (
    BackendName,
    ConfigFile,
    Fleet,
    Json,
    ObserverName,
    PolicyFile,
    Polled,
    Rho,
    SamplingName,
    Seed,
    Ticks,
    bar,
    console,
    note_whom_robots_fit,
    print_json,
)


def compare_command(
    config: ConfigFile,
    policy: PolicyFile = Path("policy.npz"),
    k: Polled = None,
    n: Fleet = None,
    ticks: Ticks = 120,
    seeds: Annotated[int, typer.Option(min=2, help="Number of seeds, from --seed on.")] = 10,
    observer: ObserverName = "",
    sampling: SamplingName = "",
    rho: Rho = None,
    backend: BackendName = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Compare the learned dispatcher with hold and random on the same seeds.

    Example: meanfleet compare config/demo.yaml -p policy.npz --seeds 10
    """
    from meanfleet.running.comparing import compare
    from meanfleet.sim.world import check_world

    setup = Config.from_yaml(config).with_robots(n)
    bundle = load_policies(policy, setup, by_number=check_world(setup, backend, gui=False) == "model")
    note_whom_robots_fit(observer or setup.dispatcher.observer, bundle)
    with bar("comparing", 3 * seeds, json) as advance:
        comparison, _ = compare(
            setup,
            bundle,
            k=k,
            observer=observer,
            sampling=sampling,
            rho=rho,
            ticks=ticks,
            seeds=range(seed, seed + seeds),
            backend=backend,
            workers=workers,
            on_run=lambda done: advance(done, f"run {done}/{3 * seeds}"),
        )
    summary = comparison.summary()
    if json:
        print_json(summary)
        return
    table = Table(title=f"mean reward per tick, {seeds} seeds x {ticks} ticks, ± 1 s.e.")
    for heading in ("dispatcher", "reward", "learned leads by (95 %, paired)"):
        table.add_column(heading)
    for rule, value in summary["rules"].items():
        lead = summary["lead"].get(rule)
        gain = "" if lead is None else f"{lead['mean']:+.3f}  [{lead['low']:+.3f}, {lead['high']:+.3f}]"
        table.add_row(rule, f"{value['mean']:.3f} ± {value['error']:.3f}", gain)
    console.print(table)
