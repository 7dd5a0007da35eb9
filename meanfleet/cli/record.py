"""`meanfleet record`: the running graph into a bag, and what makes bags playable."""

from __future__ import annotations

import json as json_module
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml

from meanfleet.base.errors import UserError
from meanfleet.base.files import replacing, writable_file

from .common import console


def record_command(
    bag: Annotated[Path, typer.Argument(help="Folder of the bag: new, or empty.", show_default=False)],
    topics: Annotated[
        str,
        typer.Option("--topics", help="Patterns with commas, as in a shell (default: what a fleet's replay needs)."),
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every topic.")] = False,
    duration: Annotated[float, typer.Option(min=0, help="Wall seconds; 0: until Ctrl-C.")] = 0.0,
    recover: Annotated[bool, typer.Option("--recover", help="Mend what is damaged in BAG, originals kept.")] = False,
    qos_overrides: Annotated[
        Path | None,
        typer.Option("--qos-overrides", help="Write latched topics of BAG for 'ros2 bag play' into this file."),
    ] = None,
) -> None:
    """Record the running graph into MCAP, with what publishers offer; Ctrl-C closes the bag.

    Example: meanfleet record out/bag --topics '*/zone,*/odom,/priority_zone,/diagnostics,/clock'
    """
    if recover and qos_overrides:
        raise UserError("--recover and --qos-overrides: one at a time")
    if recover:
        _recover(bag)
    elif qos_overrides is not None:
        _write_overrides(bag, qos_overrides)
    else:
        given = {"out": str(bag), "topics": topics, "all": everything, "duration": duration}
        pairs = [part for name, value in given.items() for part in ("-p", f"{name}:={json_module.dumps(value)}")]
        sys.stdout.flush()
        # The node takes this process's place, and with it its signals, its terminal and its exit code.
        os.execv(sys.executable, [sys.executable, "-m", "meanfleet.sim.recorder.node", "--ros-args", *pairs])


def _recover(bag: Path) -> None:
    from meanfleet.sim.bags.recovering import recover

    console.print(recover(bag).sentence(bag), soft_wrap=True, markup=False)


def _write_overrides(bag: Path, target: Path) -> None:
    from meanfleet.sim.bags.bag import Bag
    from meanfleet.sim.bags.qos import overrides

    with Bag(bag) as opened:
        latched = overrides(opened.channels)
    if not latched:
        raise UserError(f"bag {bag} has no zone and no priority_zone (std_msgs/Header): nothing in it must be latched")
    with replacing(writable_file(target)) as stream:
        stream.write(yaml.safe_dump(latched, sort_keys=False).encode())
    console.print(f"ros2 bag play --qos-profile-overrides-path {target} {bag}", soft_wrap=True)
