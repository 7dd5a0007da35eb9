"""All checks on a snapshot, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .clock_checks import check_clocks, check_stamps, check_zone_names
from .expected import Expected, zone_publishers
from .findings import Finding, by_level
from .graph_checks import (
    check_dispatchers,
    check_goals,
    check_panels,
    check_poses,
    check_presence,
    check_qos,
    check_robots,
    check_types,
)
from .pose_checks import check_frames, check_places
from .settings import check_settings
from .snapshot import Snapshot

CHECKS = (
    check_presence,
    check_dispatchers,
    check_types,
    check_qos,
    check_clocks,
    check_stamps,
    check_zone_names,
    check_robots,
    check_poses,
    check_frames,
    check_places,
    check_goals,
    check_panels,
)


def examine(seen: Snapshot, fleet: Expected) -> list[Finding]:
    """Everything found, errors first."""
    found = list(check_settings(seen))
    for check in CHECKS:
        found += check(seen, fleet)
    return by_level(found)


def overview(seen: Snapshot, fleet: Expected) -> dict[str, Any]:
    """What was seen, in numbers; JSON-ready."""
    zones = zone_publishers(seen.publishers, fleet.namespace)
    return {
        "domain": seen.settings.variables.get("ROS_DOMAIN_ID", "0"),
        "namespace": fleet.namespace or "/",
        "middleware": seen.settings.rmw,
        "seconds": round(seen.seconds, 1),
        "nodes": len(seen.nodes),
        "robots": len(fleet.robots) if fleet.known else None,
        "robots_seen": len(zones),
        "robots_listened_to": len(seen.listened),
        "dispatchers": len(seen.publishing(f"{fleet.namespace}/priority_zone")),
        "simulated_time": seen.simulated,
        "messages": len(seen.heard),
    }


def as_json(seen: Snapshot, fleet: Expected, found: Sequence[Finding]) -> Mapping[str, Any]:
    """All of it for machines."""
    return {
        "seen": overview(seen, fleet),
        "findings": [asdict(finding) for finding in found],
        "environment": dict(seen.settings.variables),
        "versions": dict(seen.settings.versions),
    }
