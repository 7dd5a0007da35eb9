"""Every command with its arguments and options, as `--help` has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from meanfleet.cli.app import app

from .markdown import code, prose, table


def commands() -> dict[str, Any]:
    """The commands by name, as the command line parses them."""
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def page() -> str:
    """A section for every command, in the order in which `meanfleet --help` lists them."""
    return "\n".join(part for name, command in commands().items() for part in _section(name, command))


def _section(name: str, command: Any) -> Iterator[str]:
    yield f"## `meanfleet {name}`\n"
    for paragraph in (command.help or "").split("\n\n"):
        example = paragraph.strip().removeprefix("Example:")
        yield f"    {' '.join(example.split())}\n" if example != paragraph.strip() else f"{prose(paragraph)}\n"
    context = command.make_context(name, [], resilient_parsing=True)
    records = (parameter.get_help_record(context) for parameter in command.params if parameter.name != "help")
    rows = [(code(left), prose(right)) for left, right in filter(None, records)]
    yield table(("argument or option", "what it is"), rows)
