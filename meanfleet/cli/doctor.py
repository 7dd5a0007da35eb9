"""`meanfleet doctor`: why nodes do not reach each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.operating.doctor.examining import as_json, examine, overview
from meanfleet.operating.doctor.expected import Expected
from meanfleet.operating.doctor.findings import Finding
from meanfleet.operating.doctor.settings import check_settings, gather_settings
from meanfleet.operating.doctor.snapshot import Snapshot

from .common import Fleet, Json, bar, console, print_json
from .ros_common import Space, checked_namespace, no_ros

MARKS = {"error": ("✗ error", "bold red"), "warn": ("! warning", "yellow"), "info": ("· note", "cyan")}


def doctor_command(
    config: Annotated[Path | None, typer.Argument(help="Configuration: which robots there should be.")] = None,
    seconds: Annotated[float, typer.Option(min=0.5, max=3600, help="How long to look and listen.")] = 5.0,
    n: Fleet = None,
    namespace: Space = "/",
    json: Json = False,
) -> None:
    """Look at a fleet's ROS graph and say what is wrong and what helps; exit code 1 if the fleet cannot work so.

    Example: meanfleet doctor config/demo.yaml --seconds 8
    """
    space = checked_namespace(namespace)
    known = Expected.from_config(Config.from_yaml(config).with_robots(n), space) if config else None
    if known is None and n is not None:
        raise UserError("--n counts the robots of a configuration: give one")
    found, seen, fleet = _look(known, seconds, space, json)
    if json:
        print_json(as_json(seen, fleet, found))
    else:
        _tell(found, seen, fleet)
    if any(finding.level == "error" for finding in found):
        raise typer.Exit(1)


def _look(known: Expected | None, seconds: float, space: str, quiet: bool) -> tuple[list[Finding], Snapshot, Expected]:
    """The findings, what they rest on, and the fleet."""
    unjoined = Snapshot(settings=gather_settings())
    if any(finding.level == "error" and finding.check == "domain" for finding in check_settings(unjoined)):
        fleet = known or Expected.from_graph((), space)
        return list(check_settings(unjoined)), unjoined, fleet  # no node can start
    try:
        from meanfleet.operating.doctor.node import look
    except ImportError as error:
        raise no_ros("doctor", error) from None
    with bar("listening", None, quiet) as advance:
        seen, code = look(
            lambda publishers: known or Expected.from_graph(publishers, space),
            seconds,
            space,
            lambda gone, count: advance(None, f"{gone:.0f} s, {count} publishers"),
        )
    if seen is None:
        raise typer.Exit(code or 130)
    fleet = known or Expected.from_graph(seen.publishers, space)
    return examine(seen, fleet), seen, fleet


def _tell(found: list[Finding], seen: Snapshot, fleet: Expected) -> None:
    table = Table.grid(padding=(0, 1))
    for finding in found:
        mark, style = MARKS[finding.level]
        table.add_row(Text(mark, style), Text.assemble((f"{finding.check}: ", "bold"), finding.text))
        if finding.remedy:
            table.add_row("", Text(f"→ {finding.remedy}", "green"))
    console.print(table)
    numbers = overview(seen, fleet)
    errors, warnings = (sum(one.level == level for one in found) for level in ("error", "warn"))
    of = f" of {numbers['robots']}" if fleet.known else ""
    console.print(
        f"{_count(errors, 'error')}, {_count(warnings, 'warning')}. Domain {numbers['domain']}, "
        f"{numbers['middleware'] or 'no middleware'}: {_count(numbers['nodes'], 'node')}, "
        f"{numbers['robots_seen']}{of} robots, {_count(numbers['dispatchers'], 'dispatcher')}, "
        f"{'simulated' if seen.simulated else 'wall'} time; stamps of {numbers['robots_listened_to']} robots heard."
    )
    versions = (f"{name} {version}" for name, version in seen.settings.versions.items() if version)
    console.print(", ".join(versions), style="dim")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
