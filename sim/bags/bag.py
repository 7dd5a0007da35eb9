"""An open bag: its channels, and messages of chosen channels in batches, whatever the storage and its state.

Every file is read in the order of its receive times, a damaged one as far as anything can be got out of it. Whatever is
missing, damaged or cut off ends in `Bag.counts`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Protocol, Self

import numpy as np
import zstandard
from numpy.typing import NDArray

from meanfleet.base.errors import UserError

from . import sqlite_file
from .files import MCAP, BagFiles, find_files, readable
from .mcap_file import McapFile

BATCH = 4096  # messages
PACKED_MESSAGE = b"\x28\xb5\x2f\xfd"  # a zstd frame; a CDR message begins with 0x00


class Channel(NamedTuple):
    """A topic with one of its types; a topic recorded with two types is two channels.

    Types are given as package/msg/Type, also where a bag says package/Type. No other encoding than "cdr" can be read.
    """

    topic: str
    msgtype: str
    encoding: str = "cdr"


@dataclass(frozen=True)
class Batch:
    """Some messages, in order.

    Attributes:
        channel: int64 [message]: index into the channels asked for.
        received: int64 [message], in [ns]: when they were recorded.
        blob: their payloads, one after the other.
        start: int64 [message + 1]: where each payload begins in `blob`, and where the last one ends.
    """

    channel: NDArray[np.int64]
    received: NDArray[np.int64]
    blob: bytes
    start: NDArray[np.int64]

    def payload(self, message: int) -> bytes:
        """One message, CDR."""
        return self.blob[self.start[message] : self.start[message + 1]]


class _Storage(Protocol):
    """One file, open."""

    channels: dict[int, Channel]
    totals: dict[int, int]

    def messages(self, wanted: Sequence[int]) -> Iterator[tuple[int, int, bytes]]:
        """(channel id, receive time [ns], payload) of the wanted channel ids."""
        ...

    def counts(self) -> Counter[str]:
        """What was wrong with the file in the last reading."""
        ...


class _Sqlite:
    """A SQLite file: a sound one, or a copy of what could be got out of another one."""

    def __init__(self, path: Path, scratch: Path) -> None:
        self.path, self.damage = path, Counter[str]()
        if sqlite_file.fault(path, thorough=False):
            self.path = scratch / "mended.db3"
            self.damage = sqlite_file.salvage(path, self.path)
        topics = sqlite_file.topics(self.path)
        self.channels = {row.key: channel(row.name, row.msgtype, row.encoding) for row in topics}
        self.totals = {row.key: row.messages for row in topics}

    def messages(self, wanted: Sequence[int]) -> Iterator[tuple[int, int, bytes]]:
        return sqlite_file.messages(self.path, wanted)

    def counts(self) -> Counter[str]:
        return self.damage


class _Mcap:
    """An MCAP file."""

    def __init__(self, path: Path) -> None:
        self.file = McapFile(path)
        profile = self.file.header.profile
        self.channels = {
            key: channel(
                found.topic,
                self.file.schemas[found.schema_id].name if found.schema_id in self.file.schemas else "",
                found.message_encoding or profile,
            )
            for key, found in self.file.channels.items()
        }
        self.totals = dict(self.file.totals)
        if self.file.damage and not self.totals:
            raise ValueError("no message of it is whole")

    def messages(self, wanted: Sequence[int]) -> Iterator[tuple[int, int, bytes]]:
        return self.file.messages(wanted)

    def counts(self) -> Counter[str]:
        return self.file.damage


def channel(topic: str, msgtype: str, encoding: str) -> Channel:
    """A channel from what a storage file says; "" and "ros2" mean cdr."""
    package, slash, name = msgtype.partition("/")
    if encoding in ("cdr", "", "ros2"):
        return Channel(topic, f"{package}/msg/{name}" if slash and "/" not in name else msgtype)
    return Channel(topic, msgtype, encoding)


class Bag:
    """A bag, open inside `with`.

    Args:
        source: folder of a rosbag2, or one storage file.

    Attributes:
        channels: what was recorded, sorted.
        total: messages of every channel, as the files say.
        counts: what is wrong with the bag, so far.

    Raises:
        UserError: on entering: nothing of it can be read.
    """

    def __init__(self, source: str | Path) -> None:
        self.files: BagFiles = find_files(Path(source))
        self.counts: Counter[str] = Counter(self.files.complaints)
        self._stack = ExitStack()
        self._storages: list[_Storage] = []
        self._accused: set[int] = set()  # files whose damage is counted already

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open(self) -> None:
        scratch = Path(self._stack.enter_context(TemporaryDirectory(prefix="meanfleet-bag-")))
        why = ""
        for number, path in enumerate(self.files.paths):
            folder = scratch / str(number)  # files of two folders may have the same name
            folder.mkdir()
            try:
                self._storages.append(self._storage(path, folder))
            except Exception as error:  # damaged bytes drive parsers to exceptions of every kind
                self.counts["unreadable files"] += 1
                why = why or f"{path.name}: {' '.join(str(error).split()) or type(error).__name__}"
        if not self._storages:
            raise UserError(f"nothing of bag {self.files.source} can be read ({why}): is it whole, and is it a bag?")
        self.total: Counter[Channel] = Counter()
        for storage in self._storages:
            for key, channel in storage.channels.items():
                self.total[channel] += storage.totals.get(key, 0)
        self.channels = tuple(sorted(self.total))

    def _storage(self, path: Path, scratch: Path) -> _Storage:
        found, damage = readable(path, scratch)
        storage: _Storage = _Mcap(found) if found.suffix == MCAP else _Sqlite(found, scratch)
        self.counts.update(damage)
        return storage

    def expected(self, wanted: Sequence[Channel]) -> int:
        """Messages of some channels, by metadata.yaml or by the storage files, whichever says more."""
        return sum(self._expected(wanted).values())

    def _expected(self, wanted: Sequence[Channel]) -> Counter[str]:
        """The same by topic; metadata.yaml knows topics alone, so what their other channels hold is subtracted."""
        stored: Counter[str] = Counter()
        others: Counter[str] = Counter()
        for channel, count in self.total.items():
            (stored if channel in wanted else others)[channel.topic] += count
        listed = self.files.expected
        topics = {channel.topic for channel in wanted}
        return Counter({topic: max(stored[topic], listed.get(topic, 0) - others[topic]) for topic in topics})

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics in the storage files or in metadata.yaml, sorted."""
        return tuple(sorted({channel.topic for channel in self.channels} | set(self.files.expected)))

    def batches(self, wanted: Sequence[Channel]) -> Iterator[Batch]:
        """Messages of some channels; what the bag should hold beyond them is counted at the end."""
        read: Counter[str] = Counter()
        for number, storage in enumerate(self._storages):
            index = {key: wanted.index(value) for key, value in storage.channels.items() if value in wanted}
            if not index:
                continue
            messages = storage.messages(list(index))
            while True:
                try:
                    batch = _batch(messages, index)
                except Exception:  # see _open
                    self._accuse(number, Counter({"truncated": 1}))
                    break
                if batch is None:
                    break
                for channel, count in enumerate(np.bincount(batch.channel, minlength=len(wanted)).tolist()):
                    read[wanted[channel].topic] += count
                yield batch
            self._accuse(number, storage.counts())
        missing = (self._expected(wanted) - read).total()
        if missing:
            self.counts["missing messages"] += missing

    def _accuse(self, number: int, counts: Counter[str]) -> None:
        if counts and number not in self._accused:
            self._accused.add(number)
            self.counts.update(counts)


def _batch(messages: Iterator[tuple[int, int, bytes]], index: Mapping[int, int]) -> Batch | None:
    """The next messages, or None at the end."""
    some = list(islice(messages, BATCH))
    if not some:
        return None
    keys, received, payloads = zip(*some, strict=True)
    if payloads[0][:4] == PACKED_MESSAGE:
        payloads = tuple(_unpacked(payload) for payload in payloads)
    start = np.zeros(len(some) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, payloads), np.int64, len(some)), out=start[1:])
    channel = np.fromiter(map(index.__getitem__, keys), np.int64, len(some))
    return Batch(channel, np.fromiter(received, np.int64, len(some)), b"".join(payloads), start)


def _unpacked(payload: bytes) -> bytes:
    """A message compressed on its own; one that cannot be unpacked is empty, which no decoder takes."""
    try:
        return zstandard.decompress(payload)
    except Exception:  # see Bag._open
        return b""
