"""An MCAP file, whole or not.

Its records are walked from the front, so that a file without an index is read as one with it, and a damaged stretch is
passed over up to the next chunk. What is inside the chunks is looked at on opening only where the summary at the end
does not say it, or cannot be trusted. The format: https://mcap.dev/spec, version 0.
"""

from __future__ import annotations

import re
import struct
import zlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Attachment, Channel, Chunk, Footer, Header, McapRecord, Message, Metadata, Schema, Statistics
from mcap.stream_reader import get_chunk_data_stream

MAGIC = b"\x89MCAP0\r\n"
RECORD = struct.Struct("<BQ")  # opcode, length
MESSAGE = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
CHUNK = struct.Struct("<QQQII")  # start, end, size and CRC of the contents, length of the compression's name
NUMBER, LENGTH = struct.Struct("<Q"), struct.Struct("<I")
LARGEST = 1 << 30  # [byte] of a chunk's contents or another record; beyond, the number itself is damaged
LOOSE = 1 << 20  # [byte] of messages outside chunks that are read at once
LAST = 2**63  # [ns]: from here on it is no time
SEARCHED = 1 << 20  # [byte] at once
OWN = 0x80  # opcodes from here on are for anybody's own use
# A chunk whose compression has a name rare enough to be looked for, up to the length of its data.
_PACKED_CHUNK = re.compile(rb"\x06(.{8}).{28}(\x04\0\0\0zstd|\x03\0\0\0lz4)(.{8})", re.DOTALL)
_KEPT: dict[int, Any] = {
    Opcode.HEADER: Header,
    Opcode.SCHEMA: Schema,
    Opcode.CHANNEL: Channel,
    Opcode.ATTACHMENT: Attachment,
    Opcode.METADATA: Metadata,
    Opcode.STATISTICS: Statistics,
    Opcode.FOOTER: Footer,
}


class Block(NamedTuple):
    """A chunk, or messages that follow one another outside chunks; times in [ns]."""

    offset: int
    length: int
    start: int
    end: int
    is_chunk: bool
    compression: str = ""


class McapFile:
    """One file.

    Args:
        path: of the file.
        trusting: the summary is believed where nothing speaks against it; otherwise every chunk is looked into.

    Attributes:
        header: profile and library of its writer.
        schemas, channels: by id.
        totals: messages, by channel id.
        first, last: receive times [ns] of the first and the last message; 0 without messages.
        blocks: where messages are.
        compression: of the first chunk.
        damage: what is wrong, by name; grows while the file is read.

    Raises:
        ValueError: it does not begin as an MCAP file.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path, trusting: bool = True) -> None:
        self.path = path
        self.header = Header("", "")
        self.schemas: dict[int, Schema] = {}
        self.channels: dict[int, Channel] = {}
        self.totals: Counter[int] = Counter()
        self.damage: Counter[str] = Counter()
        self._parts: list[Block | McapRecord] = []  # in the order of the file
        self._accused: set[int] = set()  # offsets of blocks whose damage is counted
        self._statistics: Statistics | None = None
        with open(path, "rb") as stream:
            self._walk(stream)
        self.blocks = [part for part in self._parts if isinstance(part, Block)]
        self.compression = next((block.compression for block in self.blocks if block.is_chunk), "zstd")
        if not (trusting and self._believe_summary()):
            self._look_inside()
        self.first = min((block.start for block in self.blocks), default=0)
        self.last = max((block.end for block in self.blocks), default=0)

    def messages(self, wanted: Sequence[int]) -> Iterator[tuple[int, int, bytes]]:
        """(channel id, receive time [ns], payload) of the wanted channel ids, by receive time."""
        keys = set(wanted)
        pending: list[tuple[int, int, bytes]] = []
        with open(self.path, "rb") as stream:
            for block in sorted(self.blocks, key=_start):
                due = bisect_left(pending, block.start, key=_received)
                yield from pending[:due]
                del pending[:due]
                for opcode, data, body, after in self._inside(stream, block):
                    if opcode == Opcode.MESSAGE:
                        key, _, received, _ = MESSAGE.unpack_from(data, body)
                        if key in keys and received < LAST:
                            pending.append((key, received, data[body + MESSAGE.size : after]))
                pending.sort(key=_received)  # as a rule two sorted runs, which are merged
        yield from pending

    def records(self) -> Iterator[McapRecord]:
        """Everything but indexes and summary in the order of the file; schemas and channels come before their use."""
        yield from self.schemas.values()
        yield from self.channels.values()
        with open(self.path, "rb") as stream:
            for part in self._parts:
                if not isinstance(part, Block):
                    yield part
                    continue
                for opcode, data, body, after in self._inside(stream, part):
                    if opcode == Opcode.MESSAGE:
                        key, sequence, received, published = MESSAGE.unpack_from(data, body)
                        if key in self.channels and received < LAST:
                            yield Message(key, received, data[body + MESSAGE.size : after], published, sequence)

    # --- the frame

    def _walk(self, stream: BinaryIO) -> None:
        """Find blocks and records, up to the end or to where nothing more is to be found."""
        size = stream.seek(0, 2)
        if not size:
            raise ValueError("it is empty")
        stream.seek(0)
        if stream.read(len(MAGIC)) != MAGIC:
            raise ValueError("it does not begin as an MCAP file")
        at, opcode, ended = len(MAGIC), 0, False
        while opcode != Opcode.FOOTER:
            try:
                opcode, at = self._step(stream, at, size, ended)
                ended |= opcode == Opcode.DATA_END
            except Exception:  # damaged bytes drive parsers to exceptions of every kind
                following = _next_chunk(stream, at + 1, size)
                if following is None:
                    break
                self.damage["damaged records"] += 1
                at, ended = following, False
        if not ended:
            self.damage["truncated"] += 1
        elif opcode != Opcode.FOOTER:
            self.damage["damaged index"] += 1

    def _step(self, stream: BinaryIO, at: int, size: int, ended: bool) -> tuple[int, int]:
        """Take in the record at an offset; returns its opcode and where the next one begins. Raises on damage."""
        stream.seek(at)
        opcode, length = RECORD.unpack(stream.read(RECORD.size))
        body, after = at + RECORD.size, at + RECORD.size + length
        if after > size or not (Opcode.HEADER <= opcode <= Opcode.DATA_END or opcode >= OWN):
            raise ValueError("no record")
        if opcode == Opcode.CHUNK:
            self._parts.append(_chunk(stream, at, length))
        elif opcode == Opcode.MESSAGE:
            self._add_loose(at, after, *MESSAGE.unpack(stream.read(MESSAGE.size)))
        elif opcode == Opcode.MESSAGE_INDEX:
            stream.seek(body + 2)
            if LENGTH.unpack(stream.read(4))[0] + 6 != length:
                raise ValueError("no index of messages")
        elif opcode == Opcode.DATA_END and length != 4:
            raise ValueError("no end of the data")
        elif opcode == Opcode.FOOTER:
            _check_end(stream, at, size, length)
        elif opcode in _KEPT:
            if length > LARGEST:
                raise ValueError("too large")
            content = stream.read(length)
            if opcode == Opcode.ATTACHMENT and LENGTH.unpack(content[-4:])[0] not in (0, zlib.crc32(content[:-4])):
                self.damage["damaged attachments"] += 1
            else:
                self._keep(_parsed(opcode, content), ended)
        return opcode, after

    def _add_loose(self, at: int, after: int, key: int, _sequence: int, received: int, _published: int) -> None:
        """Note a message outside chunks."""
        if received >= LAST or after - at < RECORD.size + MESSAGE.size:
            raise ValueError("no message")
        self.totals[key] += 1
        last = self._parts[-1] if self._parts else None
        if isinstance(last, Block) and not last.is_chunk and last.offset + last.length == at and last.length < LOOSE:
            start, end = min(last.start, received), max(last.end, received)
            self._parts[-1] = Block(last.offset, after - last.offset, start, end, False)
        else:
            self._parts.append(Block(at, after - at, received, received, False))

    def _keep(self, record: McapRecord, ended: bool) -> None:
        if isinstance(record, Header):
            self.header = record
        elif isinstance(record, Schema):
            self.schemas.setdefault(record.id, record)
        elif isinstance(record, Channel):
            self.channels.setdefault(record.id, record)
        elif isinstance(record, Statistics):
            self._statistics = record
        elif not ended:
            self._parts.append(record)

    # --- what is inside

    def _believe_summary(self) -> bool:
        """Take numbers of messages from the statistics; False if they do not fit what was found."""
        said = self._statistics
        counts = dict(said.channel_message_counts) if said else {}
        if self.damage or said is None or sum(counts.values()) != said.message_count:
            return False
        if not set(counts) <= set(self.channels) or any(counts.get(key, 0) < own for key, own in self.totals.items()):
            return False
        self.totals = Counter(counts)
        return True

    def _look_inside(self) -> None:
        """Count messages, and find schemas and channels; blocks get the times of the messages that are in them."""
        self.totals = Counter()
        blocks, self.blocks = self.blocks, []
        with open(self.path, "rb") as stream:
            for block in blocks:
                start, end = LAST, -1
                for opcode, data, body, after in self._inside(stream, block):
                    if opcode == Opcode.MESSAGE:
                        key, _, received, _ = MESSAGE.unpack_from(data, body)
                        self.totals[key] += 1
                        start, end = min(start, received), max(end, received)
                    elif opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
                        self._keep(_parsed(opcode, data[body:after]), ended=False)
                if end >= 0:
                    self.blocks.append(block._replace(start=start, end=min(end, LAST - 1)))
        for key in set(self.totals) - set(self.channels):
            self.damage["damaged records"] += self.totals.pop(key)

    def _inside(self, stream: BinaryIO, block: Block) -> Iterator[tuple[int, bytes, int, int]]:
        """Records of a block: opcode, the bytes they are in, and where their contents begin and end in them."""
        try:
            data = _contents(stream, block)
        except Exception:  # decompression and parsing of damaged bytes: this one is lost, the next one may not be
            self._accuse(block, "damaged chunks")
            return
        at, end = 0, len(data)
        while at < end:
            opcode, length = RECORD.unpack_from(data, at) if at + RECORD.size <= end else (0, end)
            body = at + RECORD.size
            at = body + length
            if at > end or (opcode == Opcode.MESSAGE and length < MESSAGE.size):
                self._accuse(block, "damaged chunks")
                return
            yield opcode, data, body, at

    def _accuse(self, block: Block, name: str) -> None:
        if block.offset not in self._accused:
            self._accused.add(block.offset)
            self.damage[name] += 1


def _start(block: Block) -> int:
    return block.start


def _received(message: tuple[int, int, bytes]) -> int:
    return message[1]


def _parsed(opcode: int, body: bytes) -> McapRecord:
    found: McapRecord = _KEPT[opcode].read(ReadDataStream(BytesIO(body)))
    return found


def _chunk(stream: BinaryIO, at: int, length: int) -> Block:
    """The chunk at an offset; raises ValueError if its lengths contradict one another."""
    start, end, size, _, name = CHUNK.unpack(stream.read(CHUNK.size))
    if name > length:
        raise ValueError("no chunk")
    compression = stream.read(name).decode()
    (packed,) = NUMBER.unpack(stream.read(NUMBER.size))
    if CHUNK.size + name + NUMBER.size + packed != length or not start <= end < LAST or size > LARGEST:
        raise ValueError("no chunk")
    return Block(at, length, start, end, True, compression)


def _contents(stream: BinaryIO, block: Block) -> bytes:
    """What is in a block, unpacked; raises on damage."""
    stream.seek(block.offset)
    if not block.is_chunk:
        return stream.read(block.length)
    stream.seek(RECORD.size, 1)
    chunk = Chunk.read(ReadDataStream(BytesIO(stream.read(block.length))))
    if chunk.compression == "zstd" and zstandard.frame_content_size(chunk.data) not in (-1, chunk.uncompressed_size):
        raise ValueError("it unpacks to another length than it says")
    if chunk.compression not in ("", "zstd", "lz4"):
        raise ValueError(f"compression {chunk.compression!r} is unknown")
    unpacked, length = get_chunk_data_stream(chunk, validate_crc=True)
    if length != chunk.uncompressed_size:
        raise ValueError("it unpacks to another length than it says")
    return unpacked.read(length)


def _check_end(stream: BinaryIO, at: int, size: int, length: int) -> None:
    """Raise ValueError unless the footer at an offset ends the file and fits the summary."""
    body = stream.read(length)
    footer = _parsed(Opcode.FOOTER, body)
    assert isinstance(footer, Footer)
    if length != 20 or stream.read() != MAGIC or footer.summary_start > at:
        raise ValueError("no footer")
    if footer.summary_crc and footer.summary_start:
        stream.seek(footer.summary_start)
        if zlib.crc32(stream.read(at + RECORD.size + 16 - footer.summary_start)) != footer.summary_crc:
            raise ValueError("damaged summary")


def _next_chunk(stream: BinaryIO, at: int, size: int) -> int | None:
    """Where the next packed chunk begins whose lengths fit one another and the file; None if there is none."""
    while at < size:
        stream.seek(at)
        window = stream.read(SEARCHED)
        for found in _PACKED_CHUNK.finditer(window):
            (length,), (packed,) = NUMBER.unpack(found[1]), NUMBER.unpack(found[3])
            begin = at + found.start()
            if length == CHUNK.size + len(found[2]) - 4 + NUMBER.size + packed and begin + RECORD.size + length <= size:
                return begin
        if len(window) < SEARCHED:
            return None
        at += SEARCHED - 64
    return None
