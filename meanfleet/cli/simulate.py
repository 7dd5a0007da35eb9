"""`meanfleet simulate`: a run in one process, without ROS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from meanfleet.config import Config
from meanfleet.dispatcher_node.dispatcher import Rule
from meanfleet.dispatcher_node.steering import Steering
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
    note_whom_robots_fit(observer or setup.dispatcher.observer, bundle)
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


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
