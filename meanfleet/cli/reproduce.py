"""`meanfleet reproduce`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from meanfleet.base.errors import UserError
from meanfleet.base.files import writable_folder

from .common import Json, bar, complaints, console, print_json


def reproduce_command(
    figures: Annotated[
        list[str] | None, typer.Argument(help="Names of figures (default: all).", metavar="[FIGURE]…")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for figures and report.html.")] = Path("out/paper"),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer k, seeds and rollouts: minutes, not an hour.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Name the figures, make none.")] = False,
    json: Json = False,
) -> None:
    """Make the papers' figures and tables again, and a report that says which of their claims this run bears out.

    Finished figures are kept; killed, the command goes on where it was. Another version or --quick makes them anew.

    Example: meanfleet reproduce --quick, or meanfleet reproduce reward squeeze -o out/paper
    """
    from meanfleet.studies.paper.registry import named
    from meanfleet.studies.paper.running import make, statements, write_report

    chosen = named(figures or ())
    if listed:
        _list(chosen, json)
        return
    chosen = _possible(chosen, bool(figures))
    writable_folder(out)
    began, results = time.monotonic(), []
    with bar("reproducing", len(chosen), json) as advance:
        for done, figure in enumerate(chosen):

            def tell(note: str, done: int = done, name: str = figure.name) -> None:
                advance(done, f"{done + 1}/{len(chosen)} {name}: {note}")

            tell("begun")
            results.append(make(figure, out, quick, tell))
            report = write_report(out)  # after each, so that an interrupted run has one too
            if not json:
                result = results[-1]
                console.print(f"{figure.name}: {'kept' if result.kept else f'{result.seconds:.1f} s'}")
    found = {
        result.figure.name: [
            {"claim": finding.claim, "holds": finding.holds, "found": finding.found}
            for finding in result.figure.findings(result.summary)
        ]
        for result in results
    }
    if json:
        print_json({"report": str(report), "figures": found})
        return
    yes, no, unknown = statements(results)
    console.print(
        f"{yes} claims borne out, {no} not, {unknown} cannot be told; {report} written in "
        f"{time.monotonic() - began:.0f} s",
        soft_wrap=True,
    )


def _possible(chosen: tuple[Any, ...], asked_for: bool) -> tuple[Any, ...]:
    """Figures whose packages are there; the others are told, and refused if they were asked for by name."""
    for figure in chosen:
        if figure.lacks:
            text = f"figure {figure.name} needs more: pip install 'meanfleet[{figure.lacks}]'"
            if asked_for:
                raise UserError(text)
            complaints.print(f"left out: {text}", soft_wrap=True, markup=False)
    return tuple(figure for figure in chosen if not figure.lacks)


def _list(figures: tuple[Any, ...], json: bool) -> None:
    rows = [{name: getattr(figure, name) for name in ("name", "paper", "where", "title")} for figure in figures]
    if json:
        print_json({"figures": rows})
        return
    table = Table("figure", "arXiv", "where", "shows")
    for row in rows:
        table.add_row(*row.values())
    console.print(table)
