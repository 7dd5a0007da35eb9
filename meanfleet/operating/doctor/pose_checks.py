"""Poses that come and are of no use: in frames that are not known, or outside all zones."""

from __future__ import annotations

import math
from collections.abc import Iterator

from meanfleet.floors.frames import named, refusal

from ..words import few
from .expected import Expected
from .findings import Finding
from .snapshot import Heard, Snapshot


def check_frames(seen: Snapshot, fleet: Expected) -> Iterator[Finding]:
    """Robots whose poses their nodes refuse for the frame."""
    whose: dict[str, list[str]] = {}
    for robot, pose in _last(seen, fleet).items():
        if fleet.frames is not None and fleet.frames.to_map(pose.frame, (0.0, 0.0, 0.0)) is None:
            whose.setdefault(pose.frame, []).append(robot)
    if whose:
        robots = sorted(robot for names in whose.values() for robot in names)
        yield Finding(
            "error",
            "frames",
            f"poses of {few(robots)} are in frame{'s' if len(whose) > 1 else ''} {named(whose)}, {refusal(whose)}",
            "name the frames in the configuration of all nodes, or let the localisation publish in frames.map",
            tuple(robots),
        )


def check_places(seen: Snapshot, fleet: Expected) -> Iterator[Finding]:
    """Robots that are farther from all zones than the limit."""
    if fleet.frames is None or fleet.zone_map is None:
        return
    outside = []
    for robot, pose in _last(seen, fleet).items():
        placed = (
            None
            if pose.xy is None or not all(map(math.isfinite, pose.xy))
            else fleet.frames.to_map(pose.frame, (*pose.xy, 0.0))
        )
        if placed is not None and fleet.zone_map.is_outside(placed[:2])[0]:
            outside.append(robot)
    if outside:
        yield Finding(
            "warn",
            "places",
            f"{few(outside)} {'is' if len(outside) == 1 else 'are'} outside all zones: more than "
            f"{fleet.zone_map.limit:.1f} m from every edge, so nobody polls or sends them",
            "see where they are (a charger, a wrong initial pose), or set robot.zone_limit",
            tuple(outside),
        )


def _last(seen: Snapshot, fleet: Expected) -> dict[str, Heard]:
    """The last pose of every robot that was listened to."""
    robots = {topic.name: topic.robot for topic in fleet.topics() if topic.kind == "pose"}
    return {robots[message.topic]: message for message in seen.heard if message.topic in robots}
