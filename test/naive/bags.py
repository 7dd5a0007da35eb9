"""A fleet's zones over ticks, slowly: every message decoded in full, every tick looked up in all of a robot's past."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader


def samples(bag: Path, topic: Callable[[str], str], robots: Sequence[str]) -> dict[str, list[tuple[float, Any]]]:
    """(stamp [s], message) of every robot, in the order of recording."""
    found: dict[str, list[tuple[float, Any]]] = {robot: [] for robot in robots}
    owner = {topic(robot): robot for robot in robots}
    with AnyReader([bag]) as reader:
        for connection, _, payload in reader.messages():
            if connection.topic in owner:
                message: Any = reader.deserialize(payload, connection.msgtype)
                stamp = message.stamp if hasattr(message, "stamp") else message.header.stamp
                found[owner[connection.topic]].append((stamp.sec + stamp.nanosec * 1e-9, message))
    return found


def zone_at(past: Sequence[tuple[float, Any]], tick: float, max_age: float, zone_of: Callable[[Any, int], int]) -> int:
    """Zone at a tick; -1 if it is older than `max_age`; `zone_of` takes a message and the zone before."""
    zone, at = -1, float("-inf")
    for stamp, message in past:
        if stamp <= tick:
            zone, at = zone_of(message, zone), stamp
    return zone if tick - at <= max_age else -1
