"""Reading a bag into a FleetLog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meanfleet.config import Config
from meanfleet.errors import UserError
from meanfleet.floor import floor_of
from meanfleet.zone_map import ZoneMap

from .announcements import Announcements, listen
from .bag import Bag, Batch, Channel
from .cdr import HEADER, KINDS, NUMBER, POSES, STAMPED, TEXT, Fields, cut_fields
from .log import UNKNOWN, FleetLog
from .sources import Placing, common_template, pose_owners
from .stream import ZoneStream
from .topics import Template, absolute, chosen

ZONES = "/{robot}/zone"
BY_OPTION = {"Int32": NUMBER, "String": TEXT}


@dataclass(frozen=True)
class Source:
    """Where in a bag the fleet is.

    Attributes:
        topic: template of the robots' topics; empty: `/{robot}/zone` if the bag has such topics, else the
            configuration's poses, `/{robot}/<robot.pose_topic>` and single robots' own topics.
        message: "Int32" (a zone's index) or "String" (its name) where zones have no header; such messages have no
            stamp, so ticks follow receive times.
        include, exclude: patterns of robots' names, as in a shell.
        priority, diagnostics: topics of the dispatcher.
        tick, max_age: [s]; None: the configuration's dispatcher's.
    """

    topic: str = ""
    message: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    priority: str = "priority_zone"
    diagnostics: str = "diagnostics"
    tick: float | None = None
    max_age: float | None = None


def list_robots(bag: str | Path, config: Config, source: Source = Source()) -> dict[str, dict[str, int]]:
    """Robots that the source finds in a bag: for each its topics' types and numbers of messages.

    Raises:
        UserError: as `read_fleet`.
    """
    with Bag(bag) as opened:
        found: dict[str, dict[str, int]] = {}
        for channel, robot in _channels(opened, config, source, usable=False).items():
            found.setdefault(robot, {})[channel.msgtype] = opened.total[channel]
        return dict(sorted(found.items()))


def read_fleet(
    bag: str | Path,
    config: Config,
    source: Source = Source(),
    zone_map: ZoneMap | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FleetLog:
    """Read a bag.

    Ticks are those of the dispatcher where the bag has its priorities, and regular ones elsewhere.

    Args:
        bag: folder of a rosbag2, or a .mcap or .db3 file; compressed or not.
        config: names of zones, poses' zones, length of a tick.
        source: topics and robots.
        zone_map: zones of positions, frame `map`; None: the configuration's warehouse.
        progress: called with messages read and expected.

    Raises:
        UserError: no such bag, nothing of it can be read, no robot is in it, or no message tells a zone.
    """
    with Bag(bag) as opened:
        return _Reading(opened, config, source, zone_map, progress).log()


class _Reading:
    """One reading; see `read_fleet`."""

    def __init__(
        self,
        bag: Bag,
        config: Config,
        source: Source,
        zone_map: ZoneMap | None,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.bag, self.config, self.source, self.progress = bag, config, source, progress
        self.zone_index = {name: i for i, name in enumerate(config.zones)}
        self.tick = _nanoseconds("tick", source.tick, config.dispatcher.tick)
        self.max_age = _nanoseconds("max_age", source.max_age, config.dispatcher.max_age)
        usable = _channels(bag, config, source, usable=True)
        self.robots = tuple(sorted(set(usable.values())))
        self.channels = list(usable)
        index = {name: i for i, name in enumerate(self.robots)}
        self.robot_of = np.array([index[usable[channel]] for channel in self.channels], dtype=np.int64)
        self.kind_of = np.array([KINDS[channel.msgtype] for channel in self.channels], dtype=np.int64)
        self.counts: Counter[str] = Counter(
            {
                "unknown types": sum(
                    bag.total[c] for c in _channels(bag, config, source, usable=False) if c not in usable
                )
            }
        )
        self.zone_map, self.placing = zone_map or floor_of(config).zone_map, Placing(config)
        if source.max_age is None and not self._tells_zones():
            # Localisation that is silent while a robot stands: how long that is believed.
            self.max_age = max(self.max_age, round(config.robot.pose_hold * 1e9))
        self.messages = self.bytes = 0

    def log(self) -> FleetLog:
        """Read it."""
        source, bag = self.source, self.bag
        told = listen(bag, source.priority, source.diagnostics, self.zone_index, self.tick)
        stream: ZoneStream | None = None
        expected = bag.expected(self.channels)
        for batch in bag.batches(self.channels):
            fields = cut_fields(batch.blob, batch.start, self.kind_of[batch.channel])
            self.messages += len(batch.channel)
            self.bytes += len(batch.blob)
            if stream is None:
                stream = self._stream(told, by_receipt=not fields.stamp.any())
            self._take(stream, batch, fields)
            if self.progress is not None:
                self.progress(self.messages, expected)
        self.counts["unknown frames"] = self.placing.strange.total()
        if stream is None or not stream.taken:
            why = self.placing.complaint or self._found()
            raise UserError(f"bag {bag.files.source}: none of {expected} messages tells a zone ({why})")
        return self._result(stream, told)

    def _tells_zones(self) -> bool:
        return not set(self.kind_of.tolist()) & set(POSES)

    def _stream(self, told: Announcements, by_receipt: bool) -> ZoneStream:
        timelines = [stretch.timeline(by_receipt, self.tick) for stretch in told.stretches]
        return ZoneStream(len(self.robots), self.tick, self.max_age, timelines, by_receipt, self.zone_map)

    def _take(self, stream: ZoneStream, batch: Batch, fields: Fields) -> None:
        """Turn a batch into stamps, robots and zones, and hand those that tell something to the stream."""
        kind = self.kind_of[batch.channel]
        use = fields.valid.copy()
        self.counts["undecodable"] += int((~use).sum())
        stamps = batch.received if stream.by_receipt else fields.stamp
        if not stream.by_receipt:
            unstamped = use & ((fields.stamp == 0) | ~np.isin(kind, STAMPED))
            self.counts["unstamped"] += int(unstamped.sum())
            use &= ~unstamped
        poses = np.isin(kind, POSES)
        endless = use & poses & ~np.isfinite(fields.xy).all(axis=1)
        self.counts["not finite"] += int(endless.sum())
        use &= ~endless
        use &= ~poses | self.placing.place(batch.blob, fields.text, fields.xy, use & poses)
        zones = np.full(len(kind), UNKNOWN, dtype=np.int64)
        zones[poses] = stream.pads(fields.xy[poses])
        self._named(batch, fields, use & ((kind == HEADER) | (kind == TEXT)), zones)
        numbers = use & (kind == NUMBER) & (fields.number >= 0) & (fields.number < len(self.config.zones))
        zones[numbers] = fields.number[numbers]
        nowhere = use & ~poses & (zones == UNKNOWN)
        self.counts["unknown zones"] += int(nowhere.sum())
        use &= ~nowhere
        robots = self.robot_of[batch.channel]
        stream.take(stamps[use], robots[use], zones[use], fields.xy[use])

    def _named(self, batch: Batch, fields: Fields, which: NDArray[np.bool_], zones: NDArray[np.int64]) -> None:
        """Look the names of zones up; mutates `zones`."""
        known = {name.encode(): index for name, index in self.zone_index.items()}
        rows = np.flatnonzero(which)
        for row, (begin, end) in zip(rows.tolist(), fields.text[rows].tolist(), strict=True):
            zones[row] = known.get(batch.blob[begin:end], UNKNOWN)

    def _result(self, stream: ZoneStream, told: Announcements) -> FleetLog:
        result = stream.result(told.acts, self.robots)
        if not len(result.stamps):
            raise UserError(f"bag {self.bag.files.source} is shorter than a tick of {self.tick * 1e-9:g} s")
        self.counts.update(told.counts)
        self.counts.update(result.counts)
        self.counts.update(self.bag.counts)
        return FleetLog(
            robots=self.robots,
            zone_names=self.config.zones,
            stamps=result.stamps,
            zones=result.zones,
            priority=result.priority,
            moves=result.moves,
            messages=self.messages,
            bytes=self.bytes,
            source=str(self.bag.files.source),
            sha256=self.bag.files.sha256(),
            counts=dict(sorted((+self.counts).items())),
            ticks=told.ticks,
        )

    def _found(self) -> str:
        found = +(self.counts + self.bag.counts)
        return ", ".join(f"{name}: {count}" for name, count in sorted(found.items())) or "no message at all"


def _channels(bag: Bag, config: Config, source: Source, usable: bool) -> dict[Channel, str]:
    """Channels of the fleet, with the robot's name; usable ones alone, or all.

    Raises:
        UserError: no topic matches, or nothing of what matches is usable.
    """
    ways = {source.topic: Template(source.topic).owners(bag.topics)} if source.topic else {}
    ways = ways or {
        ZONES: Template(ZONES).owners(bag.topics),
        common_template(config): pose_owners(config, bag.topics),
    }
    for named in ways.values():
        robots = chosen(named.values(), source.include, source.exclude)
        found = {channel: named[channel.topic] for channel in bag.channels if named.get(channel.topic) in robots}
        good = {channel: robot for channel, robot in found.items() if _is_usable(channel, source)}
        if good or (found and not usable):
            return good if usable else found
        if found:
            raise UserError(_unusable(bag, found, source))
    topics = ", ".join(bag.topics[:5]) + (", …" if len(bag.topics) > 5 else "")
    raise UserError(
        f"bag {bag.files.source}: no robot's topic matches {' or '.join(ways)} "
        f"with the robots included and excluded; its topics are: {topics or 'none'}"
    )


def _is_usable(channel: Channel, source: Source) -> bool:
    kind = KINDS.get(channel.msgtype) if channel.encoding == "cdr" else None
    if source.message:
        if source.message not in BY_OPTION:
            raise UserError(f"message {source.message!r} is unknown: choose from {', '.join(BY_OPTION)}")
        return kind == BY_OPTION[source.message]
    return kind in STAMPED


def _unusable(bag: Bag, found: dict[Channel, str], source: Source) -> str:
    strange = min((channel for channel in found if channel.encoding != "cdr"), default=None)
    if strange is not None:
        remedy = "convert its ROS 1 bag first (rosbags-convert)" if strange.encoding == "ros1" else "expected cdr"
        kind = "ROS 1 data" if strange.encoding == "ros1" else f"encoded as {strange.encoding}"
        return f"bag {bag.files.source}: {strange.topic} is {kind}: {remedy}"
    types = sorted({channel.msgtype for channel in found})
    short = [name for name in BY_OPTION if f"std_msgs/msg/{name}" in types]
    remedy = f"say message {short[0]} if it tells the zone" if short else "expected a Header, or a pose with a header"
    return f"bag {bag.files.source}: {absolute(min(found).topic)} is of type {', '.join(types)}: {remedy}"


def _nanoseconds(name: str, given: float | None, default: float) -> int:
    seconds = default if given is None else given
    if not 1e-3 <= seconds <= 1e6:
        raise UserError(f"{name} is {seconds} s: expected 0.001 s to 1000000 s")
    return round(seconds * 1e9)


__all__: Sequence[str] = ["Source", "list_robots", "read_fleet"]
