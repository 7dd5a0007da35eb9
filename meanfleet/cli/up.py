"""`meanfleet up`: the process graph on a machine without the `launch` package."""

from __future__ import annotations

import json as json_module
import signal
import tempfile
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from .common import BackendName, Json, Kappa, ObserverName, Rho, SamplingName, Seed, console, print_json
from .fleets import fleet_arguments, start_fleet


def up_command(
    config: Annotated[Path | None, typer.Argument(help="Configuration (default: the demo's).")] = None,
    policy: Annotated[Path | None, typer.Option("--policy", "-p", help="Bundle (default: solved, cached).")] = None,
    n: Annotated[int, typer.Option("--n", "-n", min=0, help="Robots; 0: the configuration's.")] = 0,
    k: Annotated[int, typer.Option("--k", "-k", min=0, help="Robots polled per tick; 0: the configuration's.")] = 0,
    backend: BackendName = None,
    gui: Annotated[bool, typer.Option("--gui", help="Open PyBullet's window.")] = False,
    rule: Annotated[str, typer.Option(help="Dispatcher: learned, hold or random.")] = "learned",
    observer: ObserverName = "",
    sampling: SamplingName = "",
    rho: Rho = None,
    kappa: Kappa = None,
    duration: Annotated[float, typer.Option(min=0, help="Simulated seconds; 0: until Ctrl-C.")] = 0.0,
    real_time_factor: Annotated[float, typer.Option(help="0: as fast as possible; -1: the configuration's.")] = -1.0,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for log, summary, output of nodes.")] = None,
    record: Annotated[Path | None, typer.Option("--record", help="Folder for a bag of the run, new or empty.")] = None,
    fleet: Annotated[Path | None, typer.Option(help="A real fleet's configuration: no world is started.")] = None,
    part: Annotated[str, typer.Option(help="With --fleet: all, dispatcher or robots.")] = "all",
    robot: Annotated[str, typer.Option(help="With --fleet: the node of this robot alone.")] = "",
    robots_per_process: Annotated[int, typer.Option(min=1, help="With --fleet: robots of one node.")] = 1,
    mode: Annotated[str, typer.Option(help="With --fleet: shadow, advise or run; empty: the configuration's.")] = "",
    checkpoint: Annotated[Path | None, typer.Option(help="With --fleet: the dispatcher's state, to resume.")] = None,
    use_sim_time: Annotated[bool, typer.Option("--use-sim-time", help="With --fleet: follow /clock.")] = False,
    json: Json = False,
) -> None:
    """Start world, robots, dispatcher and monitor, or a real fleet's nodes, as ROS 2 processes; Ctrl-C ends them all.

    Example: meanfleet up --n 20 --k 5 --duration 240 --out out/run; or meanfleet up --fleet fleet.yaml -p fleet.npz
    """
    given = {
        "config": str(config or ""),
        "policy": str(policy or ""),
        "n": n,
        "k": k,
        "backend": backend or "",
        "gui": gui,
        "rule": rule,
        "observer": observer,
        "sampling": sampling,
        "rho": 0.0 if rho is None else rho,
        "kappa": kappa or 0,
        "duration": duration,
        "real_time_factor": real_time_factor,
        "seed": seed,
        "out": str(out or ""),
        "record": str(record or ""),
    }
    with tempfile.TemporaryDirectory(prefix="meanfleet-") as scratch:
        folder = out or Path(scratch)
        given |= {"out": str(folder)}
        if fleet is not None:
            real = {"fleet": str(fleet), "part": part, "robot": robot, "robots_per_process": robots_per_process}
            real |= {"checkpoint": str(checkpoint or ""), "use_sim_time": use_sim_time, "mode": mode}
            signal.signal(signal.SIGTERM, _leave)
            code = start_fleet(fleet_arguments(given, real), folder / "logs", quiet=json)
        else:
            code = start(given, folder / "logs", quiet=json)
        if code:
            raise typer.Exit(code)
        summary = folder / "summary.json"
        if not summary.exists():
            return
        content = json_module.loads(summary.read_text())
    if json:
        print_json(content)
    else:
        console.print(headline(content) + (f"; details in {out}" if out else ""))


def start(given: dict[str, object], logs: Path, quiet: bool = False) -> int:
    """Run the graph of the given arguments to its end; returns the exit code."""
    from meanfleet.running.graph import warehouse_graph
    from meanfleet.running.supervisor import Supervisor

    signal.signal(signal.SIGTERM, _leave)  # until the supervisor takes over: a game may have to be solved first
    return Supervisor(warehouse_graph(given), logs, quiet=quiet).run()


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def headline(summary: dict[str, object]) -> str:
    """A run's summary in one sentence."""
    dispatcher, messages, world = summary["dispatcher"], summary["messages"], summary["world"]
    assert isinstance(dispatcher, dict)
    assert isinstance(messages, dict)
    assert isinstance(world, dict)
    text = (
        f"{summary['ticks']} ticks, {dispatcher['complete_fraction']:.1%} complete, "
        f"{messages['robots_heard_per_tick']:.1f} of {summary['robots']} robots heard per tick"
    )
    if "real_time_factor" in world:
        text += f", {world['real_time_factor']:.1f} x real time"
    if isinstance(reward := summary.get("reward"), dict):
        text += f", reward per tick {reward['per_tick']:.2f}"
    return text
