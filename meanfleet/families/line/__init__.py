"""Robots on a line: places for zones, a priority that is a place, tracks for a floor."""

from __future__ import annotations

from meanfleet.config.families import Kind

KIND = Kind(
    "robots on a line",
    "meanfleet continuous",
    ("line",),
    (
        *("bins", "learning", "evaluation", "polled", "tracks"),
        *("fleet", "dispatcher", "robot", "safety", "world", "frames"),
    ),
)
