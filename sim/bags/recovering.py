"""Making a bag whole whose recorder was killed, or of which a part is damaged.

Only what is damaged is written again, under its own name and from everything in it that can be read; its original is
kept beside as NAME.damaged. Sound files stay as they are. Whatever is written is whole on the disk before it takes a
name, so that a recovery that is killed itself loses nothing and may be run again.
"""

from __future__ import annotations

import filecmp
import glob
import itertools
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from tempfile import mkdtemp
from typing import Any

import zstandard
from mcap.records import Attachment, Channel, Message, Metadata, Schema
from mcap.writer import CompressionType, Writer
from rosbags.rosbag2.metadata import dump_qos_v9, parse_qos

from meanfleet.base.errors import UserError
from meanfleet.base.files import replacing

from . import sqlite_file
from .bag import PACKED_MESSAGE
from .files import (
    BLOCK,
    DAMAGED,
    MCAP,
    METADATA,
    PACKED,
    BagFiles,
    find_files,
    is_packed,
    parts,
    readable,
    storage_of,
)
from .mcap_file import McapFile
from .writing import Part, Topic, claimed, information, write_information

SCRATCH = ".recovering-"


@dataclass
class Recovery:
    """What became of a bag.

    Attributes:
        messages: in all its files.
        mended: names of the files that were written again.
        kept: names of their originals.
        hopeless: names of files of which nothing can be read; they stay as they are, and are not listed.
        left_out: names of copies of other files.
        lost: what could not be read of the mended ones, by name.
        is_listed: metadata.yaml was written anew.
    """

    messages: int = 0
    mended: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    hopeless: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)
    is_listed: bool = False

    def sentence(self, bag: Path) -> str:
        """What became of the bag, for a person."""
        said = [f"{bag} is whole: {self.messages} messages"]
        if self.mended:
            lost = ", ".join(f"{name}: {count}" for name, count in sorted(self.lost.items()))
            said.append(f"mended {', '.join(self.mended)} ({lost})")
        if self.is_listed:
            said.append("metadata.yaml is new")
        if self.kept:
            said.append(f"originals, which are not read, are kept as {', '.join(self.kept)}")
        if self.hopeless:
            said.append(f"nothing can be read of {', '.join(self.hopeless)}, left as it was and not listed")
        if self.left_out:
            said.append(f"left out as copies: {', '.join(self.left_out)}")
        return "; ".join(said) + ("" if self.mended or self.is_listed else "; nothing was to be done")


@dataclass
class _Contents:
    """What a storage file holds: topics, receive times [ns], and whether its messages are packed one by one."""

    topics: list[Topic]
    first: int
    last: int
    are_packed: bool

    @property
    def messages(self) -> int:
        return sum(topic.messages for topic in self.topics)


def recover(source: Path) -> Recovery:
    """Mend the damaged files of a bag, and list all of its files in metadata.yaml.

    Args:
        source: folder of the bag, or one storage file.

    Raises:
        UserError: there is no such bag, nothing of it can be read, somebody is recording into it or recovering it, or
            the disk refuses.
    """
    files = find_files(source)
    folder = source if source.is_dir() else source.parent
    if len({storage_of(path) for path in parts(files)}) > 1:
        raise UserError(
            f"{source} holds MCAP and SQLite files, so more than one bag: put each into a folder of its own"
        )
    try:
        with claimed(folder), _scratch(folder) as scratch:
            return _Recovering(files, folder, scratch).run()
    except OSError as error:
        raise UserError(f"cannot recover {source}: {error.strerror or error}; no original was changed") from error


class _Recovering:
    """One recovery; see `recover`."""

    def __init__(self, files: BagFiles, folder: Path, scratch: Path) -> None:
        self.files, self.folder, self.scratch = files, folder, scratch
        self.done = Recovery(left_out=[path.name for path in files.left_out if path not in parts(files)])
        self.found: dict[Path, _Contents] = {}

    def run(self) -> Recovery:
        for path in parts(self.files):
            own = Path(mkdtemp(dir=self.scratch))
            try:
                contents = self._whole(path, own)
                self.done.messages += contents.messages
                self.found[path] = contents
            except ValueError:
                self.done.hopeless.append(path.name)
            finally:
                shutil.rmtree(own, ignore_errors=True)
        if not self.done.messages:
            raise UserError(f"no message of {self.files.source} is whole: there is nothing to recover")
        if self.files.source.is_dir():
            self._list()
        return self.done

    def _whole(self, path: Path, scratch: Path) -> _Contents:
        """What a file holds, after it was mended if it had to be; raises ValueError if nothing of it can be read."""
        found, damage = readable(_original(path, scratch), scratch)
        contents, own_damage = _contents(found)
        if contents is not None and not damage + own_damage:
            return contents
        mended = scratch / f"mended{storage_of(path)}"
        damage += _mend(found, mended)
        contents, left = _contents(mended)
        if contents is None or left or not contents.messages:
            raise ValueError("no message of it is whole")
        self.done.kept.append(_put(_pack(mended) if is_packed(path) else mended, path).name)
        self.done.mended.append(path.name)
        self.done.lost.update(damage)
        return contents

    def _list(self) -> None:
        """Write metadata.yaml unless it says the same already."""
        before = self.files.information
        content = _information(self.found, before)
        same = ("relative_file_paths", "message_count", "topics_with_message_count")
        if not self.done.mended and all(_plain(content[key]) == _plain(before.get(key)) for key in same):
            return
        target = self.folder / METADATA
        if target.exists():
            self.done.kept.append(_keep(target).name)
        write_information(self.folder, content)
        _sync(self.folder)
        self.done.is_listed = True


# --- one file


def _contents(path: Path) -> tuple[_Contents | None, Counter[str]]:
    """What a file holds, and what is wrong with it; raises ValueError if it is no file of its kind at all."""
    if storage_of(path) == MCAP:
        file = McapFile(path, trusting=False)
        return _of_mcap(file), file.damage
    if sqlite_file.fault(path):
        return None, Counter()
    return _of_sqlite(path), Counter()


def _of_mcap(file: McapFile) -> _Contents:
    topics = []
    for key, found in file.channels.items():
        schema = file.schemas.get(found.schema_id)
        said = found.metadata
        topics.append(
            Topic(
                found.topic,
                schema.name if schema else "",
                said.get("topic_type_hash", ""),
                _offers(said.get("offered_qos_profiles", "")),
                file.totals[key],
                found.message_encoding,
            )
        )
    first: bytes = next((data for _, _, data in file.messages(list(file.channels))), b"")
    return _Contents(topics, file.first, file.last, first.startswith(PACKED_MESSAGE))


def _of_sqlite(path: Path) -> _Contents:
    rows = sqlite_file.topics(path)
    spoken = [row for row in rows if row.messages]
    return _Contents(
        [
            Topic(row.name, row.msgtype, row.hash, _offers(row.offers), row.messages, row.encoding or "cdr")
            for row in rows
        ],
        min((row.first for row in spoken), default=0),
        max((row.last for row in spoken), default=0),
        sqlite_file.first_payload(path).startswith(PACKED_MESSAGE),
    )


def _mend(source: Path, target: Path) -> Counter[str]:
    """Write what can be read of a damaged file into a new one; returns what could not be."""
    if storage_of(source) != MCAP:
        return sqlite_file.salvage(source, target)
    file = McapFile(source, trusting=False)
    if not file.totals:
        raise ValueError("no message of it is whole")
    kinds = {"": CompressionType.NONE, "lz4": CompressionType.LZ4}
    with open(target, "wb") as stream:
        writer: Any = Writer(stream, compression=kinds.get(file.compression, CompressionType.ZSTD))
        writer.start(file.header.profile, file.header.library)
        _copy(file, writer)
        writer.finish()
    return file.damage


def _copy(file: McapFile, writer: Any) -> None:
    """Copy every record but indexes, as it is; ids of schemas and channels are the writer's own."""
    schemas: dict[int, int] = {}
    channels: dict[int, int] = {}
    for record in file.records():
        if isinstance(record, Message):
            key = channels[record.channel_id]
            writer.add_message(key, record.log_time, record.data, record.publish_time, record.sequence)
        elif isinstance(record, Schema):
            schemas[record.id] = writer.register_schema(record.name, record.encoding, record.data)
        elif isinstance(record, Channel):
            schema = schemas.get(record.schema_id, 0)
            channels[record.id] = writer.register_channel(
                record.topic, record.message_encoding, schema, record.metadata
            )
        elif isinstance(record, Attachment):
            writer.add_attachment(record.create_time, record.log_time, record.name, record.media_type, record.data)
        elif isinstance(record, Metadata):
            writer.add_metadata(record.name, record.metadata)


def _pack(path: Path) -> Path:
    target = path.with_name(path.name + PACKED)
    with open(path, "rb") as stream, open(target, "wb") as packed:
        zstandard.ZstdCompressor().copy_stream(stream, packed)
    return target


# --- names


def _put(mended: Path, target: Path) -> Path:
    """Give a mended file the name of the damaged one; returns where that one is kept."""
    with open(mended, "rb") as stream:
        os.fsync(stream.fileno())
    kept = _keep(target)
    old = [target.with_name(target.name + ending) for ending in sqlite_file.BESIDE]
    for journal in old:
        if journal.exists():
            _copy_name(journal, kept.with_name(kept.name + journal.name.removeprefix(target.name)))
    _sync(target.parent)
    for journal in old:  # before: SQLite would write them into the mended file
        journal.unlink(missing_ok=True)
    os.replace(mended, target)
    _sync(target.parent)
    return kept


def _keep(path: Path) -> Path:
    """A second name for a file, which is not read as part of the bag; a killed recovery may have given it already."""
    for number in itertools.count(1):
        kept = path.with_name(path.name + DAMAGED + (f".{number}" if number > 1 else ""))
        if not kept.exists():
            _copy_name(path, kept)
            return kept
        if filecmp.cmp(path, kept, shallow=False):
            return kept
    raise AssertionError


def _copy_name(path: Path, second: Path) -> None:
    """Give a file a second name; where the file system has no links, a copy that is whole before it has the name."""
    if second.exists():
        return
    try:
        os.link(path, second)
    except OSError:
        with replacing(second) as target, open(path, "rb") as stream:
            shutil.copyfileobj(stream, target, BLOCK)


def _original(path: Path, scratch: Path) -> Path:
    """Where to read a file: where it is, or as it was kept by a recovery that was killed when it had taken the journals
    away and the mended file had no name yet."""
    for kept in path.parent.glob(f"{glob.escape(path.name + DAMAGED)}*"):
        beside = sqlite_file.journals(kept)
        if beside and not sqlite_file.journals(path) and filecmp.cmp(path, kept, shallow=False):
            again = scratch / "again"
            again.mkdir()
            for file in (kept, *beside):
                _copy_name(file, again / (path.name + file.name.removeprefix(kept.name)))
            return again / path.name
    return path


def _sync(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder beside the files, so that names can be given in one step; what killed recoveries left is removed."""
    for old in folder.glob(f"{SCRATCH}*"):
        shutil.rmtree(old, ignore_errors=True)
    own = Path(mkdtemp(prefix=SCRATCH, dir=folder))
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)


# --- metadata.yaml


def _information(found: Mapping[Path, _Contents], before: Mapping[str, Any]) -> dict[str, Any]:
    """What metadata.yaml is to say; what only the one before knows is carried over."""
    known = _topics_before(before)
    topics: dict[tuple[str, str], Topic] = {}
    for contents in found.values():
        for topic in contents.topics:
            own = topics.setdefault((topic.name, topic.msgtype), replace(topic, messages=0))
            offers, digest = known.get(topic.name, ([], ""))
            own.offers, own.hash = own.offers or topic.offers or offers, own.hash or topic.hash or digest
            own.messages += topic.messages
    storage = "mcap" if storage_of(next(iter(found))) == MCAP else "sqlite3"
    listed = [Part(path.name, own.first, own.last, own.messages) for path, own in found.items()]
    content = information(storage, listed, topics.values(), str(before.get("ros_distro") or ""))
    content["custom_data"] = before.get("custom_data")
    if any(is_packed(path) for path in found):
        content["compression_format"], content["compression_mode"] = "zstd", "FILE"
    elif any(contents.are_packed for contents in found.values()):
        content["compression_format"], content["compression_mode"] = "zstd", "MESSAGE"
    return content


def _topics_before(before: Mapping[str, Any]) -> dict[str, tuple[list[Any], str]]:
    found = {}
    entries = before.get("topics_with_message_count")
    for entry in entries if isinstance(entries, list) else []:
        with suppress(KeyError, TypeError, AttributeError):
            said = entry["topic_metadata"]
            found[str(said["name"])] = _offers(said.get("offered_qos_profiles")), str(said["type_description_hash"])
    return found


def _offers(said: Any) -> list[Any]:
    """Offers of a topic in the form of today's metadata.yaml, whatever version they were written in."""
    try:
        return list(dump_qos_v9(parse_qos(said)))
    except Exception:  # anything may stand here
        return []


def _plain(value: Any) -> Any:
    """The numbers and names that tell two lists of files or topics apart."""
    try:
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return sorted((str(one["topic_metadata"]["name"]), int(one["message_count"])) for one in value)
    except (KeyError, TypeError, ValueError):
        return None
    return [PurePath(str(one)).name for one in value] if isinstance(value, list) else value
