"""What a navigation says in the end about a goal. No ROS."""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """The end of a goal that counts; one that somebody else cancelled has none, as an operator may well want that."""

    REACHED = "reached"
    FAILED = "rejected or given up"
