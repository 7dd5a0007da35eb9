"""Robots in zones: the warehouse, whose parts are those of the rooms below."""

from __future__ import annotations

from meanfleet.config.families import Kind

KIND = Kind(
    "a warehouse with zones",
    "meanfleet solve",
    ("zones",),
    (
        *("graph", "fleet", "game", "types", "interactions", "dispatcher", "robot", "safety", "world", "solver"),
        *("frames", "dynamics"),
    ),
)
