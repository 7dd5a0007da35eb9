"""The reference, written from the declarations while Sphinx builds: what is not declared cannot be documented.

A line `<!-- table: NAME -->` of a page is replaced by the Markdown of that name before the page is parsed:

    configuration   every key of a configuration, from the pydantic models
    nodes           parameters and topics of every executable, from its parameter table and its docstring
    commands        every command with its arguments and options, from the command line itself
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from . import commands, configuration, nodes

TABLES: dict[str, Callable[[], str]] = {
    "configuration": configuration.page,
    "nodes": nodes.page,
    "commands": commands.page,
}
MARKER = re.compile(r"^<!-- table: (\w+) -->$", re.MULTILINE)


def filled(text: str) -> str:
    """A page with its markers replaced; KeyError names a table that is none."""
    return MARKER.sub(lambda found: TABLES[found[1]](), text)


def _read(app: Any, name: str, source: list[str]) -> None:
    source[0] = filled(source[0])


def _outdated(app: Any, env: Any, added: set[str], changed: set[str], removed: set[str]) -> Iterator[str]:
    """Pages with markers are read anew by every build: the declarations may have changed."""
    return (name for name in env.found_docs if MARKER.search(env.doc2path(name).read_text(encoding="utf-8")))


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _read)
    app.connect("env-get-outdated", lambda *given: list(_outdated(*given)))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
