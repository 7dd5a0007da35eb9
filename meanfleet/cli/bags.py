"""Options of commands that read a bag."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from meanfleet.config import Config
from meanfleet.sim.bags.log import FleetLog

from .common import bar, complaints

BagPath = Annotated[Path, typer.Argument(help="Bag: a rosbag2 folder, or its .mcap or .db3 file.", show_default=False)]
BagConfig = Annotated[
    Path, typer.Option("--config", "-c", help="Configuration (YAML): zones, tick, poses' topics.", show_default=False)
]
Topic = Annotated[str, typer.Option(help="Robots' topics, such as /{robot}/odom (default: zones, or the poses).")]
Message = Annotated[str, typer.Option(help="Int32 or String, where zones are told so.")]
Robots = Annotated[str, typer.Option(help="Only these robots: patterns with commas, such as 'amr_*,agv_7'.")]
Recorded = Annotated[
    int | None, typer.Option("--n", "-n", min=1, help="Robots of the recorded fleet (default: the configuration's).")
]


Space = Annotated[str | None, typer.Option(help="Of the fleet, where the bag holds several: such as /site_a, or /.")]


def read_bag(
    bag: Path, config: Config, topic: str, message: str, robots: str, namespace: str | None, quiet: bool
) -> FleetLog:
    """What the bag says of the fleet, with a progress bar."""
    from meanfleet.sim.bags.reading import Source, read_fleet

    include = tuple(part.strip() for part in robots.split(",") if part.strip())
    with bar("reading", None, quiet) as advance:
        return read_fleet(
            bag,
            config,
            Source(topic=topic, message=message, include=include, namespace=namespace),
            progress=lambda done, total: advance(note=f"{done}/{total} messages"),
        )


def told_of(bag: dict[str, Any]) -> list[str]:
    """Lines on what the bag holds and what of it was dropped, as `FleetLog.summary` gives it."""
    return [f"  {name}: {count}" for name, count in bag["counts"].items()] + [f"  {line}" for line in bag["remarks"]]


def doubt_types(log: FleetLog, config: Config) -> None:
    """Warn where types are dealt by places in a larger fleet than the bag's, which may be that of a run with --n.

    Robots that were silent are not in a bag either, so it cannot tell how large its fleet was.
    """
    if config.types and len(log.robots) < len(config.robots):
        complaints.print(
            f"warning: {log.source} has {len(log.robots)} robots, {config.source} has {len(config.robots)}, and types "
            "are dealt by places in the fleet: say with --n how many robots there were when it was recorded",
            soft_wrap=True,
            markup=False,
        )
