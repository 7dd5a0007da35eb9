"""Reading a bag into a FleetLog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.floors.floor import floor_of
from meanfleet.space.zone_map import ZoneMap

from .announcements import PRIORITY, Announcements, listen
from .bag import Bag, Batch, Channel
from .cdr import HEADER, KINDS, NUMBER, POSES, STAMPED, TEXT, Fields, cut_fields
from .clocks import Clocks, remarks
from .log import UNKNOWN, FleetLog
from .segments import OUTSIDE
from .sources import Placing, common_template, pose_owners
from .spaces import below, choose, namespaces
from .stream import ZoneStream
from .topics import Template, absolute, chosen

ZONES = "/{robot}/zone"
NAMED = 5  # robots named in a remark at most
SECOND = 10**9  # [ns] clocks may be apart where a tick is shorter
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
        namespace: of the fleet, in which the names above are unless they start with a slash and name it; None: the only
            one in the bag.
    """

    topic: str = ""
    message: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    priority: str = "priority_zone"
    diagnostics: str = "diagnostics"
    tick: float | None = None
    max_age: float | None = None
    namespace: str | None = None


def list_robots(bag: str | Path, config: Config, source: Source = Source()) -> dict[str, dict[str, int]]:
    """Robots that the source finds in a bag: for each its topics' types and numbers of messages.

    Raises:
        UserError: as `read_fleet`.
    """
    with Bag(bag) as opened:
        found: dict[str, dict[str, int]] = {}
        space = _namespace(opened, config, source)
        for channel, robot in _channels(opened, config, source, space, usable=False).items():
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
        self.space = _namespace(bag, config, source)
        usable = _channels(bag, config, source, self.space, usable=True)
        self.robots = tuple(sorted(set(usable.values())))
        self.channels = list(usable)
        index = {name: i for i, name in enumerate(self.robots)}
        self.robot_of = np.array([index[usable[channel]] for channel in self.channels], dtype=np.int64)
        self.kind_of = np.array([KINDS[channel.msgtype] for channel in self.channels], dtype=np.int64)
        every = _channels(bag, config, source, self.space, usable=False)
        self.unusable = sum(bag.total[channel] for channel in every if channel not in usable)
        self.zone_map = zone_map or floor_of(config).zone_map
        if source.max_age is None and not self._tells_zones():
            # Localisation that is silent while a robot stands: how long that is believed.
            self.max_age = max(self.max_age, round(config.robot.pose_hold * 1e9))
        self.offsets = np.zeros(len(self.robots), dtype=np.int64)  # [ns] of clocks that are wrong
        self._start()

    def _start(self) -> None:
        """Nothing is read yet."""
        self.counts: Counter[str] = Counter({"unknown types": self.unusable})
        self.placing = Placing(self.config, self.robots)
        self.clocks = Clocks(len(self.robots), self.tick)
        self.messages = self.bytes = 0

    def log(self) -> FleetLog:
        """Read it; again where clocks turn out to be wrong, with their stamps put right."""
        source, bag = self.source, self.bag
        told = listen(bag, self._own(source.priority), self._own(source.diagnostics), self.zone_index, self.tick)
        stream = self._pass(told)
        if stream is not None and not stream.by_receipt:
            self.offsets = self.clocks.offsets(max(self.tick, SECOND))
            if self.offsets.any():
                self._start()
                stream = self._pass(told)
        self.counts["unknown frames"] = self.placing.strange.total()
        if stream is None or not stream.taken:
            expected = bag.expected(self.channels)
            why = self.placing.complaint or self._found()
            raise UserError(f"bag {bag.files.source}: none of {expected} messages tells a zone ({why})")
        return self._result(stream, told)

    def _own(self, topic: str) -> str:
        return topic if topic.startswith("/") else f"{self.space}/{topic}"

    def _pass(self, told: Announcements) -> ZoneStream | None:
        """Read all messages of the robots; None if there are none."""
        stream: ZoneStream | None = None
        expected = self.bag.expected(self.channels)
        for batch in self.bag.batches(self.channels):
            fields = cut_fields(batch.blob, batch.start, self.kind_of[batch.channel])
            self.messages += len(batch.channel)
            self.bytes += len(batch.blob)
            if stream is None:
                stream = self._stream(told, by_receipt=not fields.stamp.any())
                for stretch in told.stretches:
                    stamps, received = (np.array(x, dtype=np.int64) for x in (stretch.stamps, stretch.received))
                    self.clocks.take(stamps, received, np.full(len(stamps), len(self.robots)))
            self._take(stream, batch, fields)
            if self.progress is not None:
                self.progress(self.messages, expected)
        return stream

    def _tells_zones(self) -> bool:
        return not set(self.kind_of.tolist()) & set(POSES)

    def _stream(self, told: Announcements, by_receipt: bool) -> ZoneStream:
        timelines = [stretch.timeline(by_receipt, self.tick) for stretch in told.stretches]
        return ZoneStream(len(self.robots), self.tick, self.max_age, timelines, by_receipt, self.zone_map)

    def _take(self, stream: ZoneStream, batch: Batch, fields: Fields) -> None:
        """Turn a batch into stamps, robots and zones, and hand those that tell something to the stream."""
        kind, robots = self.kind_of[batch.channel], self.robot_of[batch.channel]
        use = fields.valid.copy()
        self.counts["undecodable"] += int((~use).sum())
        stamps = batch.received if stream.by_receipt else fields.stamp
        if not stream.by_receipt:
            unstamped = use & ((fields.stamp == 0) | ~np.isin(kind, STAMPED))
            self.counts["unstamped"] += int(unstamped.sum())
            use &= ~unstamped
            self.clocks.take(stamps[use], batch.received[use], robots[use])
            stamps = stamps - self.offsets[robots]
        poses = np.isin(kind, POSES)
        endless = use & poses & ~np.isfinite(fields.xy).all(axis=1)
        self.counts["not finite"] += int(endless.sum())
        use &= ~endless
        use &= ~poses | self.placing.place(batch.blob, fields.text, fields.xy, use & poses, robots)
        zones = np.full(len(kind), UNKNOWN, dtype=np.int64)
        seen = use & poses
        zones[seen] = stream.pads(fields.xy[seen])
        self.counts["outside all zones"] += int((zones[seen] == OUTSIDE).sum())
        self._named(batch, fields, use & ((kind == HEADER) | (kind == TEXT)), zones)
        numbers = use & (kind == NUMBER) & (fields.number >= 0) & (fields.number < len(self.config.zones))
        zones[numbers] = fields.number[numbers]
        nowhere = use & ~poses & (zones == UNKNOWN)
        self.counts["unknown zones"] += int(nowhere.sum())
        use &= ~nowhere
        stream.take(stamps[use], batch.received[use], robots[use], zones[use], fields.xy[use])

    def _named(self, batch: Batch, fields: Fields, which: NDArray[np.bool_], zones: NDArray[np.int64]) -> None:
        """Look the names of zones up; mutates `zones`."""
        known = {name.encode(): index for name, index in self.zone_index.items()} | {b"": OUTSIDE}
        rows = np.flatnonzero(which)
        for row, (begin, end) in zip(rows.tolist(), fields.text[rows].tolist(), strict=True):
            zones[row] = known.get(batch.blob[begin:end], UNKNOWN)
        self.counts["in no zone"] += int((zones[rows] == OUTSIDE).sum())

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
            remarks=tuple(self._remarks()),
        )

    def _remarks(self) -> Iterator[str]:
        yield from remarks(self.robots, self.offsets)
        if self.placing.complaint:
            yield self.placing.complaint
        wanted = chosen(self.config.robots, self.source.include, self.source.exclude)
        absent = [name for name in wanted if name not in set(self.robots)]
        if absent:
            yield f"{_robots(absent)} of {self.config.source} {_are(absent)} not in the bag: {_few(absent)}"
        strangers = [name for name in self.robots if name not in set(self.config.robots)]
        if strangers:
            yield f"{_robots(strangers)} of the bag {_are(strangers)} not in {self.config.source}: {_few(strangers)}"

    def _found(self) -> str:
        found = +(self.counts + self.bag.counts)
        return ", ".join(f"{name}: {count}" for name, count in sorted(found.items())) or "no message at all"


def _robots(names: Sequence[str]) -> str:
    return f"{len(names)} robot{'' if len(names) == 1 else 's'}"


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _spaces(bag: Bag, config: Config, source: Source) -> tuple[str, ...]:
    """Namespaces of the fleets in the bag."""
    owners = Template(source.topic or ZONES).owners(bag.topics)
    owners |= Template(common_template(config)).owners(bag.topics)
    said = [channel.topic for channel in bag.channels if channel.msgtype == PRIORITY]
    return namespaces(said, source.priority, owners.values(), config.robots)


def _namespace(bag: Bag, config: Config, source: Source) -> str:
    """The namespace of the fleet that is meant; "" is the root."""
    return choose(source.namespace, _spaces(bag, config, source), source.topic, str(bag.files.source))


def _channels(bag: Bag, config: Config, source: Source, space: str, usable: bool) -> dict[Channel, str]:
    """Channels of the fleet in a namespace, with the robot's name; usable ones alone, or all.

    Raises:
        UserError: no topic matches, or nothing of what matches is usable.
    """
    if source.topic:
        topic = source.topic if source.topic.startswith(f"{space}/") else space + absolute(source.topic)
        ways = {topic: Template(topic).owners(bag.topics)}
    else:
        ways = {
            space + ZONES: Template(space + ZONES).owners(bag.topics),
            common_template(config, space): pose_owners(config, bag.topics, space),
        }
    others = _spaces(bag, config, source)
    for every in ways.values():
        named = below(space, others, every)
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
