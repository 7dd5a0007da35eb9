"""Bags for tests, written by rosbags: messages given as (topic, type, receive time [ns], message)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.LATEST)
T = STORE.types
STORAGES = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
MODES = {
    "none": CompressionMode.NONE,
    "file": CompressionMode.FILE,
    "message": CompressionMode.MESSAGE,
    "storage": CompressionMode.STORAGE,
}
Said = tuple[str, str, int, Any]


def header(seconds: float, frame: str = "map") -> Any:
    nanoseconds = round(seconds * 1e9)
    return T["std_msgs/msg/Header"](T["builtin_interfaces/msg/Time"](nanoseconds // 10**9, nanoseconds % 10**9), frame)


def pose(x: float, y: float) -> Any:
    return T["geometry_msgs/msg/Pose"](
        T["geometry_msgs/msg/Point"](x, y, 0.5), T["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0)
    )


def pose_message(msgtype: str, seconds: float, x: float, y: float, frame: str = "map", child: str = "base") -> Any:
    """A pose message of any of the three types."""
    head = header(seconds, frame)
    if msgtype.endswith("/PoseStamped"):
        return T[msgtype](head, pose(x, y))
    spread = T["geometry_msgs/msg/PoseWithCovariance"](pose(x, y), np.zeros(36))
    if msgtype.endswith("/PoseWithCovarianceStamped"):
        return T[msgtype](head, spread)
    still = T["geometry_msgs/msg/Vector3"](0.0, 0.0, 0.0)
    twist = T["geometry_msgs/msg/TwistWithCovariance"](T["geometry_msgs/msg/Twist"](still, still), np.zeros(36))
    return T[msgtype](head, child, spread, twist)


def write_bag(path: Path, said: Iterable[Said], storage: str = "mcap", mode: str = "none") -> Path:
    """Write a bag; returns its folder."""
    writer = Writer(path, version=9, storage_plugin=STORAGES[storage])
    writer.set_compression(MODES[mode], CompressionFormat.ZSTD)
    with writer:
        connections: dict[tuple[str, str], Any] = {}
        for topic, msgtype, received, message in said:
            key = (topic, msgtype)
            if key not in connections:
                connections[key] = writer.add_connection(topic, msgtype, typestore=STORE)
            writer.write(connections[key], received, STORE.serialize_cdr(message, msgtype))
    return path
