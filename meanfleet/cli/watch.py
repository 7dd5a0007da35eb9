"""`meanfleet watch`: a fleet at work."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from meanfleet.config import Config
from meanfleet.operating.watch.state import FleetState
from meanfleet.operating.watch.view import View
from meanfleet.solver.bundle.loading import load_any

from .common import Fleet, console
from .ros_common import Space, checked_namespace, no_ros


def watch_command(
    config: Annotated[Path | None, typer.Argument(help="Configuration: names of zones, number of robots.")] = None,
    policy: Annotated[Path | None, typer.Option("--policy", "-p", help="Bundle in use, for its certificate.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Show one view and end.")] = False,
    wait: Annotated[float, typer.Option(min=0.1, help="[s] for the first tick, with --once.")] = 30.0,
    n: Fleet = None,
    namespace: Space = "/",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per tick, nothing else.")] = False,
) -> None:
    """Watch a fleet at work: beliefs, polling, latency, regret, faults. Ctrl-C ends it; the fleet goes on.

    Example: meanfleet watch config/demo.yaml --policy demo.npz
    """
    space = checked_namespace(namespace)
    known = Config.from_yaml(config).with_robots(n) if config else None
    bundle = load_any(policy) if policy else None
    try:
        from meanfleet.operating.watch.node import Watching, watch
    except ImportError as error:
        raise no_ros("watch", error) from None
    state = FleetState(
        known.states if known else (),
        len(known.robots) if known else n,
        time.monotonic(),
        dict(zip(known.robots, known.type_of, strict=True)) if known and known.types else None,
        max(len(known.types), 1) if known else 1,
        known.dispatcher.tick if known else None,
    )
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    where = f"domain {domain}" + (f" in {space}" if space else "")
    shape: Literal["live", "lines", "json"] = "json" if json else "live" if console.is_terminal else "lines"
    code = watch(View(state, bundle, where), Watching(shape, once, wait), console, space)
    if code:
        raise typer.Exit(code)
