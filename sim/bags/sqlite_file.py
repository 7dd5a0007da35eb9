"""A SQLite file of a bag, whole or not: what is wrong with it, what it holds, and what can still be got out of it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

TABLES = {"topics", "messages"}
ATTEMPTS = 100_000  # failing queries after which the rest of a table is given up
UNENDING = 20_000  # the same where a table's end is damaged, so that its last row is not known
SMALLEST = 8  # [byte] of a row
JOURNALS = ("-wal", "-journal")
BESIDE = (*JOURNALS, "-shm")
_TYPES = {"messages": (int, int, bytes), "topics": (str, str, str)}  # of the columns after id


@dataclass(frozen=True)
class Row:
    """A row of `topics`; what an older schema does not have is empty."""

    key: int
    name: str
    msgtype: str
    encoding: str
    offers: str
    hash: str
    messages: int
    first: int
    last: int


def journals(path: Path) -> list[Path]:
    """What SQLite left beside a file: a recorder that was killed may have its last messages there."""
    beside = [path.with_name(path.name + ending) for ending in JOURNALS]
    return [journal for journal in beside if journal.exists() and journal.stat().st_size]


def fault(path: Path, thorough: bool = True) -> str:
    """What is wrong with a file, journals aside; empty if it is sound. Thorough: values' types are looked at, too."""
    if not path.stat().st_size:
        return "it is empty"
    try:
        with closing(_opened(path)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                return str(found)
            _require_tables(connection)
            if thorough and _misfits(connection):
                return "values are not of their columns' types"
    except (sqlite3.Error, ValueError) as error:
        return str(error)
    return ""


def topics(path: Path) -> list[Row]:
    """Topics of a sound file, with numbers and receive times [ns] of their messages."""
    with closing(_opened(path)) as connection:
        columns = {str(row[1]) for row in connection.execute("PRAGMA table_info(topics)")}
        optional = ", ".join(
            name if name in columns else "''"
            for name in ("serialization_format", "offered_qos_profiles", "type_description_hash")
        )
        spans = {
            key: (count, first, last)
            for key, count, first, last in connection.execute(
                "SELECT topic_id, count(*), min(timestamp), max(timestamp) FROM messages GROUP BY topic_id"
            )
        }
        rows = connection.execute(f"SELECT id, name, type, {optional} FROM topics ORDER BY id").fetchall()
    if not all(isinstance(number, int) and isinstance(name, str) for number, name, *_ in rows):
        raise ValueError("its list of topics is damaged")
    return [Row(*(*row, *spans.get(row[0], (0, 0, 0)))) for row in rows]


def messages(path: Path, wanted: Sequence[int]) -> Iterator[tuple[int, int, bytes]]:
    """(topic id, receive time [ns], payload) of the wanted topic ids of a sound file, by receive time."""
    places = ", ".join("?" * len(wanted))
    query = f"SELECT topic_id, timestamp, data FROM messages WHERE topic_id IN ({places}) ORDER BY timestamp"
    with closing(_opened(path)) as connection:
        yield from connection.execute(query, tuple(wanted))


def first_payload(path: Path) -> bytes:
    """The first message of a sound file; empty without messages."""
    with closing(_opened(path)) as connection:
        found = connection.execute("SELECT data FROM messages LIMIT 1").fetchone()
    return bytes(found[0]) if found else b""


def salvage(source: Path, target: Path) -> Counter[str]:
    """Write all rows of a damaged file that can be read, of every table, into a new one.

    Returns:
        what could not be read, by name; never empty.

    Raises:
        ValueError: nothing can be got out of it.
    """
    lost: Counter[str] = Counter()
    source = _of_whole_pages(source, target)
    try:
        with closing(_opened(source)) as old, closing(sqlite3.connect(target)) as new:
            # Without it SQLite refuses a file that is shorter than its first page says.
            old.execute("PRAGMA writable_schema=ON")
            old.text_factory = lambda text: text.decode(errors="replace")
            _require_tables(old)
            made = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
            entries = old.execute(made).fetchall()
            limit = max(source.stat().st_size // SMALLEST, 1)
            for name, sql in [(name, sql) for kind, name, sql in entries if kind == "table"]:
                new.execute(sql)
                _copy(old, new, name, limit, lost)
            for sql in [sql for kind, _, sql in entries if kind == "index"]:
                new.execute(sql)
            new.commit()
            (kept,) = new.execute("SELECT count(*) FROM messages JOIN topics ON topic_id = topics.id").fetchone()
    except sqlite3.Error as error:
        raise ValueError(str(error)) from None
    if not kept:
        raise ValueError("no message of it can be read")
    return lost or Counter({"damaged index": 1})


def _of_whole_pages(source: Path, target: Path) -> Path:
    """The file, or a copy beside `target` without half a page at its end, of which SQLite would read the rest as 0."""
    size = source.stat().st_size
    with open(source, "rb") as stream:
        page = int.from_bytes(stream.read(18)[16:], "big")
    rest = size % (65536 if page == 1 else page or 1)
    if not rest:
        return source
    copy = target.with_name(f"{target.name}.whole")
    shutil.copyfile(source, copy)
    os.truncate(copy, size - rest)
    return copy


def _opened(path: Path) -> sqlite3.Connection:
    """Read-only, without locks and journals: a file that another process holds is read as it is."""
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?immutable=1", uri=True)


def _require_tables(connection: sqlite3.Connection) -> None:
    """Raise ValueError or sqlite3.Error unless tables and columns are those of a bag."""
    names = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not names >= TABLES:
        raise ValueError("it has no tables 'topics' and 'messages'")
    for columns, table in (("id, name, type", "topics"), ("id, topic_id, timestamp, data", "messages")):
        connection.execute(f"SELECT {columns} FROM {table} LIMIT 0")


def _misfits(connection: sqlite3.Connection) -> bool:
    """SQLite takes any value in any column; True if a damaged one is where a bag cannot have it."""
    topics_ok = "typeof(id) = 'integer' AND typeof(name) = 'text' AND typeof(type) = 'text'"
    messages_ok = "typeof(topic_id) = 'integer' AND typeof(timestamp) = 'integer' AND typeof(data) = 'blob'"
    wrong = [
        connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE NOT ({fine}))").fetchone()[0]
        for table, fine in (("topics", topics_ok), ("messages", messages_ok))
    ]
    return any(wrong)


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str, limit: int, lost: Counter[str]) -> None:
    columns = [str(row[1]) for row in new.execute(f"PRAGMA table_info({_quoted(table)})")]
    listed = ", ".join(_quoted(column) for column in columns)
    places = ", ".join("?" * (len(columns) + 1))
    insert = f"INSERT OR IGNORE INTO {_quoted(table)} (rowid, {listed}) VALUES ({places})"
    wanted = _TYPES.get(table)
    for row in _rows(old, table, listed, limit, lost):
        if wanted and not all(isinstance(value, kind) for value, kind in zip(row[2:], wanted, strict=False)):
            lost["damaged rows"] += 1
        else:
            new.execute(insert, row)


def _rows(
    connection: sqlite3.Connection, table: str, listed: str, limit: int, lost: Counter[str]
) -> Iterator[tuple[Any, ...]]:
    """Rows of a table by rowid; where a page is damaged, the rest is halved until what is beyond it is reached."""
    source = f"{_quoted(table)} NOT INDEXED"  # an index may be damaged, too
    query = f"SELECT rowid, {listed} FROM {source} WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
    first, last, known = 0, limit, True
    try:
        if not connection.execute(f"SELECT rowid FROM {source} LIMIT 1").fetchone():
            return
        (last,) = connection.execute(f"SELECT rowid FROM {source} ORDER BY rowid DESC LIMIT 1").fetchone()
        (first,) = connection.execute(f"SELECT rowid FROM {source} ORDER BY rowid LIMIT 1").fetchone()
    except sqlite3.Error:
        known = last != limit
        lost["truncated"] += not known  # how many there were is not known
    spans, failures = [(first, last)], 0
    while spans:
        low, high = spans.pop()
        reached = low - 1
        try:
            for row in connection.execute(query, (low, high)):
                reached = row[0]
                yield row
        except sqlite3.Error:
            failures += 1
            if failures > (ATTEMPTS if known else UNENDING):
                lost["truncated"] |= 1
                return
            if reached >= high:
                continue
            if reached >= low:
                spans.append((reached + 1, high))
            elif low == high:
                lost["damaged rows"] += known
            else:
                middle = (low + high) // 2
                spans += [(middle + 1, high), (low, middle)]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
