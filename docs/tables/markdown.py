"""Plain text and tables as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

CODE = re.compile(r"(`[^`]*`)")
SPECIAL = re.compile(r"([\\*<>\[\]|~#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")


def prose(text: str) -> str:
    """A sentence of a docstring: `code` stays code, everything else means itself."""
    parts = CODE.split(" ".join(text.split()))
    return "".join(part.replace("|", "\\|") if i % 2 else SPECIAL.sub(r"\\\1", part) for i, part in enumerate(parts))


def code(text: str) -> str:
    """Code within a line; nothing for nothing."""
    return f"`{text}`".replace("|", "\\|") if text else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
