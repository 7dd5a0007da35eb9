"""Where the robots of a bag were, at evenly spaced times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.errors import UserError
from meanfleet.config import Config

from .bag import Bag, Channel
from .cdr import KINDS, POSES, cut_fields
from .sources import Placing, common_template, pose_owners
from .topics import Template


def read_poses(bag: str | Path, config: Config, times: NDArray[np.float64], topic: str = "") -> NDArray[np.float64]:
    """Positions of the configuration's robots: the latest told at each time.

    Args:
        bag: folder of a rosbag2, or a storage file.
        config: robots' names, and their poses' topic.
        times: float64 [frame], in [s], ascending: stamps of the messages' clock.
        topic: template of the poses' topics; empty: those of the configuration, single robots' own included.

    Returns:
        float64 [frame, robot, 2] in [m], frame `map`; nan before a robot's first pose.

    Raises:
        UserError: no such bag, or no poses of these robots in it.
    """
    index = {name: i for i, name in enumerate(config.robots)}
    found = np.full((len(times), len(index), 2), np.nan)
    latest: NDArray[np.float64] = np.full((len(times), len(index)), -np.inf)
    with Bag(bag) as opened:
        channels: dict[Channel, int] = {}
        owners = Template(topic).owners(opened.topics) if topic else pose_owners(config, opened.topics)
        for channel in opened.channels:
            name = owners.get(channel.topic)
            if name in index and channel.encoding == "cdr" and KINDS.get(channel.msgtype) in POSES:
                channels[channel] = index[name]
        if not channels:
            on = topic or common_template(config)
            raise UserError(f"bag {bag} has no poses of the fleet of {config.source} on {on}")
        wanted = list(channels)
        kinds = np.array([KINDS[channel.msgtype] for channel in wanted], dtype=np.int64)
        robots = np.array(list(channels.values()), dtype=np.int64)
        placing = Placing(config, config.robots)
        for batch in opened.batches(wanted):
            fields = cut_fields(batch.blob, batch.start, kinds[batch.channel])
            stamps = fields.stamp * 1e-9
            use = fields.valid & np.isfinite(fields.xy).all(axis=1) & (stamps <= times[-1])
            use = placing.place(batch.blob, fields.text, fields.xy, use, robots[batch.channel])
            for i in np.flatnonzero(use).tolist():
                frame, robot = int(np.searchsorted(times, stamps[i] - 1e-6)), robots[batch.channel[i]]
                if stamps[i] >= latest[frame, robot]:
                    found[frame, robot], latest[frame, robot] = fields.xy[i], stamps[i]
    for frame in range(1, len(times)):
        unsaid = ~np.isfinite(latest[frame])
        found[frame, unsaid], latest[frame, unsaid] = found[frame - 1, unsaid], latest[frame - 1, unsaid]
    return found
