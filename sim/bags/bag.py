"""An open bag: its channels, and messages of chosen channels in batches, whatever the storage and its state.

Sound files are read by rosbags, in the order of their receive times. An MCAP file without a sound end is read from the
front. Whatever is missing, damaged or cut off ends in `Bag.counts`.
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
from rosbags.rosbag2 import Reader

from meanfleet.errors import UserError

from .files import BagFiles, find_files, readable
from .salvage import Salvage, index_is_sound

BATCH = 4096  # messages
_PACKED = b"\x28\xb5\x2f\xfd"  # a zstd frame; a CDR message begins with 0x00


class Channel(NamedTuple):
    """A topic with one of its types; a topic recorded with two types is two channels."""

    topic: str
    msgtype: str


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


class _Sound:
    """A file that rosbags reads."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.reader = stack.enter_context(Reader(path))
        self.connections = {connection.id: connection for connection in self.reader.connections}
        self.channels = {key: Channel(value.topic, value.msgtype) for key, value in self.connections.items()}
        self.totals = {key: value.msgcount for key, value in self.connections.items()}
        # SQLite takes any type in any column, so a damaged file may hold anything here.
        numbers: list[object] = [*self.totals, *self.totals.values()]
        names: list[object] = [text for channel in self.channels.values() for text in channel]
        if not all(isinstance(number, int) for number in numbers) or not all(isinstance(name, str) for name in names):
            raise ValueError("its list of topics is damaged")

    def messages(self, wanted: Sequence[int]) -> Iterator[tuple[int, int, bytes]]:
        for connection, received, payload in self.reader.messages([self.connections[key] for key in wanted]):
            yield connection.id, received, payload

    def counts(self) -> Counter[str]:
        return Counter()


class _Cut:
    """An MCAP file without a sound end."""

    def __init__(self, path: Path) -> None:
        self.salvage = Salvage(path)
        for _ in self.salvage.messages():
            pass
        self.channels = {key: Channel(*value) for key, value in self.salvage.channels.items()}
        self.totals = dict(self.salvage.totals)

    def messages(self, wanted: Sequence[int]) -> Iterator[tuple[int, int, bytes]]:
        keys = set(wanted)
        return (message for message in self.salvage.messages() if message[0] in keys)

    def counts(self) -> Counter[str]:
        return self.salvage.counts if self.salvage.counts else Counter({"damaged index": 1})


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
                self._storages.append(self._storage(readable(path, folder)))
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

    def _storage(self, path: Path) -> _Storage:
        if path.suffix != ".mcap":
            return _Sound(path, self._stack)
        if index_is_sound(path):
            with ExitStack() as attempt:
                try:
                    storage = _Sound(path, attempt)
                    self._stack.push(attempt.pop_all())
                    return storage
                except Exception:  # the index is there, but it is no use
                    pass
        cut = _Cut(path)
        if not cut.channels:
            raise UserError("no message of it is whole")
        return cut

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
    if payloads[0][:4] == _PACKED:
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
