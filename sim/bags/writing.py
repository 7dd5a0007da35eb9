"""Writing a rosbag2 into MCAP so that it survives the death of its writer.

Chunks are closed and brought to the disk by `flush`; metadata.yaml is there from the first topic on. A bag that was
never closed lacks only the index at its end, which `recovering` adds.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from mcap.writer import CompressionType, Writer

from meanfleet.base.errors import UserError
from meanfleet.base.files import replacing

from .definitions import typestore
from .files import METADATA
from .qos import Offer

VERSION = 9  # of rosbag2's metadata


class _Plain(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes what occurs twice twice: readers of metadata.yaml need not know anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@dataclass
class Topic:
    """A recorded topic: its type, the hash of the type's description, and what its publishers offer."""

    name: str
    msgtype: str
    hash: str = ""
    offers: Sequence[Mapping[str, Any]] = ()
    messages: int = field(default=0, compare=False)
    encoding: str = "cdr"


@dataclass(frozen=True)
class Part:
    """A storage file of a bag: receive times [ns] of its first and last message; 0 without messages."""

    name: str
    first: int
    last: int
    messages: int

    def span(self) -> dict[str, Any]:
        """As metadata.yaml says it."""
        return {
            "starting_time": {"nanoseconds_since_epoch": self.first},
            "duration": {"nanoseconds": self.last - self.first},
            "message_count": self.messages,
        }


def information(storage: str, parts: Sequence[Part], topics: Iterable[Topic], distribution: str) -> dict[str, Any]:
    """What metadata.yaml says of a bag whose messages are not compressed."""
    spoken = [part for part in parts if part.messages]
    first, last = min((part.first for part in spoken), default=0), max((part.last for part in spoken), default=0)
    return {
        "version": VERSION,
        "storage_identifier": storage,
        **Part("", first, last, sum(part.messages for part in parts)).span(),
        "topics_with_message_count": [
            {
                "topic_metadata": {
                    "name": topic.name,
                    "type": topic.msgtype,
                    "serialization_format": topic.encoding,
                    "offered_qos_profiles": list(topic.offers),
                    "type_description_hash": topic.hash,
                },
                "message_count": topic.messages,
            }
            for topic in topics
        ],
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [part.name for part in parts],
        "files": [{"path": part.name, **part.span()} for part in parts],
        "custom_data": None,
        "ros_distro": distribution,
    }


def write_information(folder: Path, content: Mapping[str, Any]) -> None:
    """Write metadata.yaml, whole or not at all."""
    with replacing(folder / METADATA) as stream:
        stream.write(_yaml({"rosbag2_bagfile_information": content}).encode())


def require_free(folder: Path) -> None:
    """Raise UserError if there is something where a bag is to be written."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not empty: name another folder for the bag, or remove it")


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Whoever writes into the folder of a bag is alone there, and gives way to nobody until it ends or dies.

    Raises:
        UserError: another process is writing into it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise UserError(f"another process is writing into {folder}: wait until it has ended") from None
    except OSError:
        pass  # a file system without locks
    try:
        yield
    finally:
        os.close(handle)


class BagWriter:
    """A bag that grows.

    Args:
        folder: of the bag; must not exist, or be empty.
        distribution: of ROS, for metadata.yaml.

    Raises:
        UserError: the folder is taken or cannot be written, or another process writes into it; later, from every
            method, that the disk is full.
    """

    def __init__(self, folder: Path, distribution: str = "") -> None:
        self.folder, self.distribution = folder, distribution
        require_free(folder)
        self.topics: dict[int, Topic] = {}
        self.first: int | None = None
        self.last = self.bytes = self._sound = 0
        self._schemas: dict[str, int] = {}
        self._metadata_due = True
        self._claim = ExitStack()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._claim.enter_context(claimed(folder))
            self.path = folder / f"{folder.name}_0.mcap"
            self._file = open(self.path, "xb", buffering=0)  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise UserError(f"cannot record into {folder}: {error.strerror}") from None
        self._writer: Any = Writer(_Whole(self._file), compression=CompressionType.ZSTD)  # type: ignore[arg-type]
        self._guarded(lambda: self._writer.start("ros2", "meanfleet"))
        self.flush()

    @property
    def messages(self) -> int:
        """Written so far."""
        return sum(topic.messages for topic in self.topics.values())

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written."""
        return bool(self._file.closed)

    def add_topic(self, topic: Topic) -> int:
        """Announce a topic; returns the channel to write to."""
        if topic.msgtype not in self._schemas:
            encoding, definition = _definition(topic.msgtype)
            self._schemas[topic.msgtype] = self._writer.register_schema(topic.msgtype, encoding, definition)
        metadata = {"offered_qos_profiles": _yaml(list(topic.offers)), "topic_type_hash": topic.hash}
        channel: int = self._writer.register_channel(topic.name, "cdr", self._schemas[topic.msgtype], metadata)
        self.topics[channel] = topic
        self._metadata_due = True
        return channel

    def reoffer(self, channel: int, offers: Sequence[Mapping[str, Any]]) -> None:
        """Note that the publishers of a topic offer something else by now."""
        self.topics[channel].offers = offers
        self._metadata_due = True

    def write(self, channel: int, received: int, payload: bytes) -> None:
        """Add a message, CDR, received at a time [ns]."""
        self._guarded(lambda: self._writer.add_message(channel, received, payload, received))
        self.topics[channel].messages += 1
        self.bytes += len(payload)
        self.first = received if self.first is None else min(self.first, received)
        self.last = max(self.last, received)

    def flush(self) -> None:
        """Bring everything written so far to the disk."""
        self._guarded(self._bring)

    def _bring(self) -> None:
        self._writer.flush()
        os.fsync(self._file.fileno())
        self._sound = self._file.tell()
        if self._metadata_due:
            self._write_metadata()
            self._metadata_due = False

    def close(self) -> None:
        """Write index and metadata; the bag is whole."""
        if self._file.closed:
            return
        self._guarded(self._finish)
        self._file.close()
        self._claim.close()

    def _finish(self) -> None:
        self._writer.flush()
        self._sound = self._file.tell()
        content = self._information()
        self._writer.add_metadata("rosbag2", {"serialized_metadata": _yaml(content)})
        self._writer.finish()
        os.fsync(self._file.fileno())
        self._write_metadata()

    def _guarded(self, work: Any) -> None:
        """Do it; if the disk refuses, cut the file back to what is whole and say so."""
        if self._file.closed:
            raise UserError(f"bag {self.folder} is closed")
        try:
            work()
        except OSError as error:
            self._file.truncate(self._sound)
            self._file.close()
            self._claim.close()
            raise UserError(
                f"recording into {self.folder} ended: {error.strerror}; what was brought to the disk before, "
                f"{self._sound / 1e6:.1f} MB, is readable: free space or record elsewhere"
            ) from None

    def _information(self) -> dict[str, Any]:
        part = Part(self.path.name, self.first or 0, self.last, self.messages)
        return information("mcap", [part], self.topics.values(), self.distribution)

    def _write_metadata(self) -> None:
        write_information(self.folder, self._information())


class _Whole:
    """A file whose `write` writes everything or raises: a raw file may write a part, and a buffer would keep what the
    disk refused."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        while rest:
            rest = rest[self.file.write(rest) :]
        return len(data)

    def tell(self) -> int:
        return int(self.file.tell())

    def flush(self) -> None:
        """Nothing is kept back."""


def _definition(msgtype: str) -> tuple[str, bytes]:
    """Encoding and text of a type's definition; ("", b"") for types that are not standard."""
    try:
        text, _ = typestore().generate_msgdef(msgtype, ros_version=2)
    except Exception:  # rosbags knows standard types only, and says so in more than one way
        return "", b""
    return "ros2msg", text.encode()


def _yaml(value: Any) -> str:
    return str(yaml.dump(value, Dumper=_Plain, sort_keys=False, allow_unicode=True)) if value else ""


def now() -> int:
    """Receive time [ns], system clock, as rosbag2 takes it."""
    return time.time_ns()


def entries(offers: Sequence[Offer]) -> list[dict[str, Any]]:
    """Offers as metadata.yaml lists them."""
    return [offer.entry() for offer in offers]
