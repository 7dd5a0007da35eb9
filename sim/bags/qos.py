"""Qualities of service in a bag: what publishers offered, and overrides for bags that do not say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

HEADER = "std_msgs/msg/Header"
LATCHED = {"history": "keep_last", "depth": 1, "reliability": "reliable", "durability": "transient_local"}


@dataclass(frozen=True)
class Offer:
    """What one publisher offers; policies by rosbag2's names, durations in [ns]."""

    history: str
    depth: int
    reliability: str
    durability: str
    deadline: int
    lifespan: int
    liveliness: str
    lease: int
    avoid_ros_namespace_conventions: bool = False

    def entry(self) -> dict[str, Any]:
        """As an entry of `offered_qos_profiles` in metadata version 9."""
        return {
            "history": self.history,
            "depth": self.depth,
            "reliability": self.reliability,
            "durability": self.durability,
            "deadline": _duration(self.deadline),
            "lifespan": _duration(self.lifespan),
            "liveliness": self.liveliness,
            "liveliness_lease_duration": _duration(self.lease),
            "avoid_ros_namespace_conventions": self.avoid_ros_namespace_conventions,
        }


@dataclass(frozen=True)
class Request:
    """What a subscription must ask for to hear all publishers of a topic."""

    reliable: bool
    latched: bool


def request(offers: Iterable[Offer]) -> Request:
    """The most that every one of the publishers offers."""
    offered = list(offers)
    return Request(
        reliable=all(offer.reliability == "reliable" for offer in offered),
        latched=all(offer.durability == "transient_local" for offer in offered),
    )


def overrides(channels: Iterable[tuple[str, ...]]) -> dict[str, dict[str, Any]]:
    """For `ros2 bag play --qos-profile-overrides-path`: latched topics of the interface among those (topic, type, …).

    Without them a bag that does not know its publishers' qualities is played volatile, and a subscription that asks
    for transient local, as dispatcher and robots do, never matches.
    """
    return {
        topic: dict(LATCHED)
        for topic, msgtype, *_ in sorted(set(channels))
        if topic == "/tf_static" or (msgtype == HEADER and topic.rsplit("/", 1)[-1] in ("zone", "priority_zone"))
    }


def _duration(nanoseconds: int) -> dict[str, int]:
    return {"sec": nanoseconds // 10**9, "nsec": nanoseconds % 10**9}
