"""Who published a message. No ROS: what `Subscription.handle.take_message` gives beside it is looked at here alone.

rclpy names a message's publisher since 2025 (`publisher_gid`), and numbers messages by publisher since Iron; releases
before give times alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

UNKNOWN = b""  # the publisher of a message that carries no name, where several could be it, or none


def publisher_of(info: Mapping[str, Any], present: Collection[bytes]) -> bytes:
    """The identity of a message's publisher.

    Args:
        info: of the message, by rclpy.
        present: publishers of the topic that are in the graph: where `info` names none and there is but one, it is he.
    """
    named = info.get("publisher_gid")
    if named is not None:
        return bytes(named["data"])
    return next(iter(present)) if len(present) == 1 else UNKNOWN


__all__ = ["UNKNOWN", "publisher_of"]
