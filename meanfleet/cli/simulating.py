"""`meanfleet simulate`, `compare` and `count`: runs in one process, without ROS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.table import Table

from meanfleet.bundle import PolicyBundle
from meanfleet.config import Config
from meanfleet.dispatcher_node.dispatcher import Rule
from meanfleet.dispatcher_node.observers import fitted_to_another
from meanfleet.dispatcher_node.steering import Steering
from meanfleet.loading import load_policies

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
    bar,
    complaints,
    console,
    print_json,
)

Ticks = Annotated[int, typer.Option("--ticks", min=1, help="Ticks to run.")]


def _say_whom_robots_fit(observer: str, bundle: PolicyBundle) -> None:
    if note := fitted_to_another(observer, bundle):
        complaints.print(note, markup=False)


def simulate_command(
    config: ConfigFile,
    policy: PolicyFile = Path("policy.npz"),
    k: Polled = None,
    n: Fleet = None,
    ticks: Ticks = 100,
    rule: Annotated[str, typer.Option(help="Dispatcher: learned, hold or random.")] = "learned",
    observer: ObserverName = "",
    sampling: SamplingName = "",
    rho: Rho = None,
    backend: BackendName = None,
    gui: Annotated[bool, typer.Option("--gui", help="Open PyBullet's window.")] = False,
    seed: Seed = 0,
    record: Annotated[Path | None, typer.Option(help="Folder for a bag of the run, new or empty.")] = None,
    explore: Annotated[float, typer.Option(min=0, max=1, help="Share of the robots' moves drawn evenly.")] = 0.0,
    json: Json = False,
) -> None:
    """Run dispatcher, robots and world in one process, without ROS.

    Example: meanfleet simulate config/warehouse.yaml -p policy.npz -k 10 --ticks 100
    """
    from meanfleet.running.recording import RunBag
    from meanfleet.running.simulation import check_fit, simulate
    from meanfleet.sim.world import check_world

    setup = Config.from_yaml(config).with_robots(n)
    by_number = check_world(setup, backend, gui) == "model"
    bundle = load_policies(policy, setup, by_number)
    check_fit(setup, bundle, Steering(k, observer, sampling, rho), by_number)
    _say_whom_robots_fit(observer or setup.dispatcher.observer, bundle)
    bag = None if record is None else RunBag(record, setup)
    with bar("simulating", ticks, json) as advance:
        run = simulate(
            setup,
            bundle,
            k=k,
            observer=observer,
            sampling=sampling,
            rho=rho,
            ticks=ticks,
            seed=seed,
            rule=cast(Rule, rule),
            backend=backend,
            gui=gui,
            record=bag,
            explore=explore,
            on_tick=lambda tick, *_: advance(tick + 1, f"tick {tick + 1}/{ticks}"),
        )
    # Only where priorities are zones, as wherever moves lead from zone to zone.
    in_priority = None if bundle.game.graph is None else float((run.zones == run.priority[:, None]).mean())
    summary: dict[str, Any] = {
        "ticks": ticks,
        "robots": len(setup.robots),
        "k": k or setup.dispatcher.k,
        "rule": rule,
        "observer": observer or setup.dispatcher.observer,
        "sampling": sampling or setup.dispatcher.sampling,
        "reward_per_tick": float(run.reward.mean()),
        "discounted_return": run.discounted(bundle.game.discount),
        "share_in_priority_zone": in_priority,
        "messages": int(run.samples.sum()),
        "statistics": run.statistics,
    }
    if json:
        print_json(summary)
        return
    console.print(
        f"{ticks} ticks, {summary['robots']} robots, {run.samples.mean():.3g} polled per tick: "
        f"reward per tick {summary['reward_per_tick']:.3f}, discounted return {summary['discounted_return']:.2f}, "
        + ("" if in_priority is None else f"{in_priority:.0%} of robots in the priority zone, ")
        + f"{summary['messages']} messages"
    )
    if run.statistics:
        console.print("world: " + ", ".join(f"{name} {_short(value)}" for name, value in run.statistics.items()))


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
    _say_whom_robots_fit(observer or setup.dispatcher.observer, bundle)
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
    from meanfleet.config import CountedTransition
    from meanfleet.counts import write_counts
    from meanfleet.errors import UserError
    from meanfleet.files import writable_file
    from meanfleet.sim.counting import count_transitions
    from meanfleet.sim.world import make_driving_world
    from meanfleet.zone_graph import RING_MOVES

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


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
