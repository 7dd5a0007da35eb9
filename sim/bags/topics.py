"""Topics of a fleet: templates with the robot's name in them, and patterns that choose robots."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from meanfleet.base.errors import UserError

PLACE = "{robot}"
NAME = r"[A-Za-z][A-Za-z0-9_/]*?"


@dataclass(frozen=True)
class Template:
    """A topic with `{robot}` where the robot's name stands, such as `/{robot}/odom` or `/fleet/{robot}/pose`.

    Raises:
        UserError: `{robot}` does not stand in it exactly once.
    """

    text: str

    def __post_init__(self) -> None:
        if self.text.count(PLACE) != 1:
            raise UserError(f"topic template {self.text!r}: write {PLACE} once where the robot's name stands")

    def robot(self, topic: str) -> str | None:
        """The robot whose topic this is, or None."""
        before, after = (re.escape(part) for part in absolute(self.text).split(PLACE))
        found = re.fullmatch(f"{before}(?P<robot>{NAME}){after}", absolute(topic))
        return found["robot"].strip("/") if found else None

    def owners(self, topics: Iterable[str]) -> dict[str, str]:
        """The robots of those topics that have one, by topic."""
        return {topic: robot for topic in topics if (robot := self.robot(topic))}


def absolute(topic: str) -> str:
    """The topic with its leading slash."""
    return topic if topic.startswith("/") else f"/{topic}"


def chosen(names: Iterable[str], include: Sequence[str] = (), exclude: Sequence[str] = ()) -> tuple[str, ...]:
    """Names that match a pattern of `include` (none: all) and none of `exclude`, sorted; patterns as in a shell."""
    return tuple(
        sorted(
            name
            for name in set(names)
            if (not include or any(fnmatchcase(name, pattern) for pattern in include))
            and not any(fnmatchcase(name, pattern) for pattern in exclude)
        )
    )
