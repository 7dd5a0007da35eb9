"""What is wrong, and what helps against it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warn", "info"]
ORDER: tuple[Level, ...] = ("error", "warn", "info")


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Attributes:
        level: error: the fleet cannot work so; warn: it may; info: good to know.
        check: what was looked at, in a word or two.
        text: what is wrong, naming topics, nodes or robots.
        remedy: what to do about it.
        names: of all topics, nodes or robots concerned, of which the text tells a few.
    """

    level: Level
    check: str
    text: str
    remedy: str = ""
    names: tuple[str, ...] = ()


def by_level(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then warnings; otherwise in the order they were found."""
    return sorted(findings, key=lambda finding: ORDER.index(finding.level))
