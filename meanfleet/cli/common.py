"""Options and output shared by the commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from meanfleet.base.errors import UserError
from meanfleet.dispatcher_node.observers import fitted_to_another
from meanfleet.solver.bundle.policy import PolicyBundle

ConfigFile = Annotated[Path, typer.Argument(help="Configuration (YAML).", show_default=False)]
PolicyFile = Annotated[Path, typer.Option("--policy", "-p", help="Policy bundle (.npz) from 'meanfleet solve'.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed; same seed, same result.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")]
Fleet = Annotated[int | None, typer.Option("--n", "-n", min=1, help="Robots (default: the configuration's).")]
Polled = Annotated[int | None, typer.Option("--k", "-k", min=1, help="Robots polled per tick.")]
ObserverName = Annotated[
    str, typer.Option("--observer", help="memoryless, dirichlet or particle (default: the configuration's).")
]
SamplingName = Annotated[
    str,
    typer.Option("--sampling", help="uniform, oldest, stratified, nearest, weighted, graphon (default: configured)."),
]
Rho = Annotated[
    float | None,
    typer.Option("--rho", help="Share of the belief that survives a tick (default: the configuration's or policy's)."),
]
Kappa = Annotated[int | None, typer.Option("--kappa", min=1, help="κ of the policy's filter (default: the policy's).")]
BackendName = Annotated[str | None, typer.Option("--backend", help="bullet, kinematic or model.")]

# Paths and names are printed as they are: [x] in them is no markup, and :x: no picture.
console = Console(highlight=False, markup=False, emoji=False)
complaints = Console(stderr=True, highlight=False, markup=False, emoji=False)
Ticks = Annotated[int, typer.Option("--ticks", min=1, help="Ticks to run.")]


def numbers(text: str) -> tuple[int, ...]:
    """Parse "10" or "1,2,5,10" or "1:5".

    Raises:
        UserError: it is none of these.
    """
    found: list[int] = []
    for part in text.split(","):
        first, colon, last = part.strip().partition(":")
        valid = first.isdecimal() and (last.isdecimal() or not colon)
        if not valid or int(first) < 1 or int(last or first) < int(first):
            raise UserError(f"-k {text!r}: expected whole numbers from 1, such as 10, 1,2,5 or 1:5")
        found += range(int(first), int(last or first) + 1)
    return tuple(sorted(set(found)))


def print_json(value: Any) -> None:
    """One JSON object on standard output."""
    typer.echo(json.dumps(value, indent=2))


@contextmanager
def bar(label: str, total: int | None, quiet: bool) -> Iterator[Any]:
    """A progress bar on stderr; yields `advance(done, text)`."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(
        *columns, TimeElapsedColumn(), console=complaints, transient=True, disable=quiet or not complaints.is_terminal
    ) as progress:
        task = progress.add_task(label, total=total, note="")

        def advance(done: int | None = None, note: str = "") -> None:
            progress.update(task, completed=done, note=note)

        yield advance


def solving_note(label: str, value: float) -> str:
    """What the solver's progress means."""
    notes = {
        "backup": "interval {:.1e} wide",
        "value": "J = {:.4f}",
        "gap": "dispatcher's gap {:.1e}",
        "table": "choosing the table for k = {:.0f}",
        "derived": "deriving tables for k = {:.0f}",
        "belief": "tuning the dispatcher that remembers for k = {:.0f}",
    }
    return notes[label].format(value)


def note_whom_robots_fit(observer: str, bundle: PolicyBundle) -> None:
    """Print, once, that the robots were fitted to another observer than the one that will run."""
    if note := fitted_to_another(observer, bundle):
        complaints.print(note, markup=False)
