"""How fast bags are read and zoned, from either storage.

    python bench/bags.py [--quick] [--json FILE] [--memory MESSAGES]

100 robots, Odometry at 10 Hz for 60 s, positions along the ring of the demo's warehouse, written by rosbags into a
temporary folder. CPU seconds of whole readings, hash of the file included; best and spread of several that take turns.
`--memory` writes that many PoseStamped, 100 to a receive time, in splits, and prints the peak of a process that reads.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from measuring import in_child, machine, peak_bytes, report
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from meanfleet.config import Config
from meanfleet.floors.ring import RingLayout
from meanfleet.sim.bags.reading import Source, read_fleet

CONFIG = Path(__file__).resolve().parent.parent / "config" / "demo.yaml"
ROBOTS, RATE, SECONDS, EPOCH = 100, 10, 60, 1_700_000_000
STORAGES = {"sqlite3": StoragePlugin.SQLITE3, "mcap": StoragePlugin.MCAP}
TARGET = 120_000
ODOMETRY, POSE = "nav_msgs/msg/Odometry", "geometry_msgs/msg/PoseStamped"
SPLIT = 1_000_000  # messages per file of the large bag


def template(msgtype: str, store: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A message of the type as bytes, with stamp and position to be filled in: frame `map`, child `base`."""
    types = store.types
    header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](0, 0), "map")
    turn = types["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0)
    pose = types["geometry_msgs/msg/Pose"](types["geometry_msgs/msg/Point"](0.0, 0.0, 0.0), turn)
    if msgtype == POSE:
        message = types[msgtype](header, pose)
    else:
        still = types["geometry_msgs/msg/Vector3"](0.0, 0.0, 0.0)
        twist = types["geometry_msgs/msg/Twist"](still, still)
        message = types[msgtype](
            header,
            "base",
            types["geometry_msgs/msg/PoseWithCovariance"](pose, np.zeros(36)),
            types["geometry_msgs/msg/TwistWithCovariance"](twist, np.zeros(36)),
        )
    return np.frombuffer(store.serialize_cdr(message, msgtype), dtype=np.uint8).copy()


def payloads(msgtype: str, steps: range, store: Any) -> Iterator[tuple[int, int, bytes]]:
    """(robot, receive time [ns], message) of a fleet that drives around the ring, robot by robot in every step."""
    config = Config.from_yaml(CONFIG)
    layout = RingLayout.from_config(config)
    message = template(msgtype, store)
    position = 4 + (32 if msgtype == ODOMETRY else 16)  # after encapsulation, stamp, frame and, in Odometry, child
    for step in steps:
        for robot in range(ROBOTS):
            nanoseconds = step * 10**9 // RATE + robot * 10_000
            angle = 0.05 * step / RATE * (1 + robot % 7) + robot
            radius = layout.row_radii[robot % layout.rows]
            message[4:12] = np.array([EPOCH + nanoseconds // 10**9, nanoseconds % 10**9], dtype="<u4").view(np.uint8)
            xy = np.array([radius * math.cos(angle), radius * math.sin(angle)])
            message[position : position + 16] = xy.view(np.uint8)
            yield robot, EPOCH * 10**9 + nanoseconds, message.tobytes()


def write(path: Path, msgtype: str, steps: range, storage: str) -> None:
    """A bag of some steps of the fleet."""
    store = get_typestore(Stores.LATEST)
    with Writer(path, version=9, storage_plugin=STORAGES[storage]) as writer:
        connections = [writer.add_connection(f"/robot_{i:02d}/pose", msgtype, typestore=store) for i in range(ROBOTS)]
        for robot, received, payload in payloads(msgtype, steps, store):
            writer.write(connections[robot], received, payload)


def read(path: Path) -> dict[str, float]:
    """CPU seconds and messages of one reading."""
    config = Config.from_yaml(CONFIG)
    began = time.process_time()
    log = read_fleet(path, config, Source(topic="/{robot}/pose", tick=1.0))
    seconds = time.process_time() - began
    if log.counts or (log.zones < 0).any():
        raise SystemExit(f"the bag is not read as it was written: {log.counts}")
    return {"seconds": seconds, "messages": log.messages, "bytes": log.bytes}


def speeds(folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Messages per CPU second from either storage."""
    for storage in STORAGES:
        write(folder / storage, ODOMETRY, range(RATE * SECONDS), storage)
    read(folder / "mcap")  # compile
    rates: dict[str, list[float]] = {storage: [] for storage in STORAGES}
    for _ in range(rounds):
        for storage in STORAGES:
            found = read(folder / storage)
            rates[storage].append(found["messages"] / found["seconds"])
    return [
        {"storage": storage, "best": max(values), "median": float(np.median(values)), "worst": min(values)}
        for storage, values in rates.items()
    ]


def memory(folder: Path, messages: int) -> dict[str, Any]:
    """Peak memory of a process that reads a long bag in splits."""
    bag = folder / "long"
    bag.mkdir()
    steps = messages // ROBOTS
    for number, first in enumerate(range(0, steps, SPLIT // ROBOTS)):
        piece = folder / f"long_{number}"
        write(piece, POSE, range(first, min(first + SPLIT // ROBOTS, steps)), "mcap")
        (piece / f"long_{number}.mcap").rename(bag / f"long_{number}.mcap")
    return in_child(Path(__file__), ["--child", str(bag)], 3600)


def child(bag: Path) -> None:
    """Read it in this process and report its peak."""
    log = read_fleet(bag, Config.from_yaml(CONFIG), Source(topic="/{robot}/pose", tick=1.0))
    report({"messages": log.messages, "ticks": len(log.stamps), "peak": peak_bytes()})


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--memory", type=int, metavar="MESSAGES", help="such as 20000000; writes 130 bytes each")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        child(given.child)
        sys.exit()
    result: dict[str, Any] = {"machine": machine()}
    with tempfile.TemporaryDirectory(prefix="meanfleet-bench-") as folder:
        result["speed"] = speeds(Path(folder), 3 if given.quick else 9)
        print(f"{'storage':>8} {'best':>10} {'median':>10} {'worst':>10}   messages per CPU second, target {TARGET:,}")
        for row in result["speed"]:
            print(f"{row['storage']:>8} {row['best']:>10,.0f} {row['median']:>10,.0f} {row['worst']:>10,.0f}")
        if given.memory:
            result["memory"] = found = memory(Path(folder), given.memory)
            print(found.get("failed") or f"{found['messages']:,} messages: peak {found['peak'] / 1e6:.0f} MB")
    if given.json is not None:
        given.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
