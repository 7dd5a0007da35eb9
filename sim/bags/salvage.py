"""An MCAP file that its writer did not finish, or whose index is damaged: read from the front as far as it goes."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mcap.records import Channel, Chunk, DataEnd, McapRecord, Message, Schema
from mcap.stream_reader import StreamReader, breakup_chunk

FOOTER = struct.Struct("<BQQQI8s")  # opcode, length, summary start, summary offset start, summary CRC, magic
MAGIC = b"\x89MCAP0\r\n"
LARGEST = 1 << 31  # [byte] of a record; beyond, the length itself is damaged


def index_is_sound(path: Path) -> bool:
    """Whether an MCAP file ends with a footer and, if the footer has a checksum, a summary that agrees with it."""
    size = path.stat().st_size
    with open(path, "rb") as stream:
        if size < len(MAGIC) + FOOTER.size:
            return False
        stream.seek(size - FOOTER.size)
        tail = stream.read(FOOTER.size)
        opcode, length, start, _, crc, magic = FOOTER.unpack(tail)
        if magic != MAGIC or opcode != 0x02 or length != 20 or start > size - FOOTER.size:
            return False
        if not crc or not start:
            return True
        stream.seek(start)
        covered = stream.read(size - start - len(MAGIC) - 4)
        return zlib.crc32(covered) == int(crc)


@dataclass
class Salvage:
    """One file. `channels` and `counts` are whole once `messages` has come to its end.

    Attributes:
        channels: topic and type, by id.
        metadata: of the channels, by id.
        totals: messages, by id.
        counts: chunks that had to be passed over, and whether the file ends before its end.
    """

    path: Path
    channels: dict[int, tuple[str, str]] = field(default_factory=dict)
    metadata: dict[int, dict[str, str]] = field(default_factory=dict)
    totals: Counter[int] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    def messages(self) -> Iterator[tuple[int, int, bytes]]:
        """(channel id, receive time [ns], payload) in the order of the file, sorted within each chunk."""
        self.channels, self.metadata, self.totals, self.counts = {}, {}, Counter(), Counter()
        schemas: dict[int, str] = {}
        for records in self._groups():
            found: list[tuple[int, int, bytes]] = []
            for record in records:
                if isinstance(record, Schema):
                    schemas[record.id] = record.name
                elif isinstance(record, Channel):
                    self.channels[record.id] = (record.topic, schemas.get(record.schema_id, ""))
                    self.metadata[record.id] = dict(record.metadata)
                elif isinstance(record, Message) and record.channel_id in self.channels:
                    self.totals[record.channel_id] += 1
                    found.append((record.channel_id, record.log_time, record.data))
            yield from sorted(found, key=lambda message: message[1])

    def _groups(self) -> Iterator[list[McapRecord]]:
        """Records that belong together: a chunk's, or one that stands alone."""
        with open(self.path, "rb") as stream:
            records = StreamReader(stream, emit_chunks=True, record_size_limit=LARGEST).records
            try:
                for record in records:
                    if isinstance(record, Chunk):
                        yield self._chunk(record)
                    elif isinstance(record, DataEnd):
                        return
                    else:
                        yield [record]
            except Exception:  # whatever damaged bytes drive the parser to, the file is no use from here on
                self.counts["truncated"] = 1

    def _chunk(self, chunk: Chunk) -> list[McapRecord]:
        try:
            return breakup_chunk(chunk, validate_crc=True)
        except Exception:  # decompression and parsing of damaged bytes: this chunk is lost, the next one may not be
            self.counts["damaged chunks"] += 1
            return []
