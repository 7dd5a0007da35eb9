"""Which topics are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from meanfleet.base.errors import UserError

from ..bags.topics import absolute

FLEET = (
    "*/zone",
    "*/odom",
    "*/amcl_pose",
    "*/pose",
    "*/goal_pose",
    "*/goal_pose/shadow",
    "*/priority_zone",
    "*/priority_zone/shadow",
    "*/estop",
    "*/estop_state",
    "*/diagnostics",
    "/clock",
    "/tf_static",
)
"""What a fleet's replay needs, whatever the robots' names and namespaces."""


def patterns(text: str, everything: bool = False) -> tuple[str, ...]:
    """Patterns of topics from a list with commas; empty: `FLEET`.

    Raises:
        UserError: a pattern is empty.
    """
    if everything:
        return ("*",)
    if not text:
        return FLEET
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise UserError(f"topics {text!r}: expected patterns with commas between them, such as '*/zone,/clock'")
    return tuple(part if part.startswith("*") else absolute(part) for part in parts)


def is_chosen(topic: str, wanted: Sequence[str]) -> bool:
    """Whether a topic matches one of the patterns, as in a shell; `*` stands for slashes too."""
    return any(fnmatchcase(topic, pattern) for pattern in wanted)
