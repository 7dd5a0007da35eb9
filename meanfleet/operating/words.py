"""Names in sentences."""

from __future__ import annotations

from collections.abc import Iterable

NAMED = 4  # names told in a sentence at most


def few(names: Iterable[str]) -> str:
    """Up to `NAMED` names, and how many more there are."""
    listed = list(names)
    more = len(listed) - NAMED
    return ", ".join(listed[:NAMED]) + (f" and {more} more" if more > 0 else "")
