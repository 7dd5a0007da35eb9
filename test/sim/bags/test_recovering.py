"""Bags mended: what is read afterwards by libraries that are not ours, what stays as it was, and kills in between."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
import zstandard
from bag_files import STORE, header, write_bag
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer
from rosbags.rosbag2 import Reader

from meanfleet.base.errors import UserError
from meanfleet.sim.bags.bag import Bag
from meanfleet.sim.bags.recovering import recover

ROOT = Path(__file__).resolve().parents[3]
HEADER, TASK = "std_msgs/msg/Header", "my_msgs/msg/Task"
COUNT = 100  # messages of each of two topics in a file


def foreign(
    path: Path, part: int, cut: float = 1.0, compression: CompressionType = CompressionType.ZSTD, raw: str = ""
) -> Path:
    """A file with types that no library here knows, odd times and sequences, an attachment and metadata."""
    with open(path, "wb") as stream:
        writer: Any = Writer(stream, compression=compression, chunk_size=1000)
        writer.start("ros2", "theirs")
        zones = writer.register_schema(HEADER, "ros2msg", b"builtin_interfaces/Time stamp\nstring frame_id\n")
        tasks = writer.register_schema(TASK, "ros2msg", b"string id\nint32 state\n")
        offered = {"offered_qos_profiles": "", "topic_type_hash": "RIHS01_x"}
        zone, task = writer.register_channel("/r1/zone", "cdr", zones, offered), writer.register_channel(
            "/tasks", "cdr", tasks, {"mine": "too"}
        )  # fmt: skip
        loose = writer.register_channel("/raw", raw, 0) if raw else None
        writer.add_metadata("theirs", {"site": "nine"})
        writer.add_attachment(5, 6, "map.pgm", "image/x", b"\0\1\2")
        for i in range(COUNT):
            at = (10 + part * COUNT + i) * 10**9
            writer.add_message(zone, at, bytes(STORE.serialize_cdr(header(at * 1e-9, "storage"), HEADER)), at - 5000, i)
            writer.add_message(task, at + 1, b"\0\1\0\0" + bytes([i]) * 8, at - 7000, 7 * i)
        if loose is not None:
            writer.add_message(loose, at + 2, b"raw", at)
        writer.finish()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(cut * len(whole))])
    return path


def split(folder: Path, cut: float = 0.6, packed: bool = False) -> Path:
    """Two files of which metadata.yaml knows the first; the second has no end."""
    folder.mkdir()
    foreign(folder / "split_0.mcap", 0)
    foreign(folder / "split_1.mcap", 1, cut)
    if packed:
        for part in list(folder.iterdir()):
            part.with_name(part.name + ".zstd").write_bytes(zstandard.compress(part.read_bytes()))
            part.unlink()
    listed = {"relative_file_paths": ["split_0.mcap"], "topics_with_message_count": [], "custom_data": {"a": "b"}}
    (folder / "metadata.yaml").write_text(yaml.safe_dump({"rosbag2_bagfile_information": listed}))
    return folder


def by_mcap(path: Path) -> dict[str, Any]:
    """Everything in a file as the mcap library reads it."""
    with open(path, "rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        summary = reader.get_summary()
        assert summary is not None
        channels = {
            channel.topic: (
                channel.message_encoding,
                channel.metadata,
                (schema.name, schema.encoding, schema.data)
                if (schema := summary.schemas.get(channel.schema_id))
                else None,
            )
            for channel in summary.channels.values()
        }
        messages = [
            (channel.topic, message.log_time, message.publish_time, message.sequence, message.data)
            for _, channel, message in reader.iter_messages(log_time_order=False)
        ]
        return {
            "header": (reader.get_header().profile, reader.get_header().library),
            "channels": channels,
            "messages": messages,
            "attachments": [
                (a.create_time, a.log_time, a.name, a.media_type, a.data) for a in reader.iter_attachments()
            ],
            "metadata": [(m.name, m.metadata) for m in reader.iter_metadata()],
        }


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("compression", list(CompressionType))
def test_a_damaged_part_is_mended_under_its_name_and_nothing_else_is_touched(
    tmp_path: Path, compression: CompressionType
) -> None:
    bag = split(tmp_path / "split")
    foreign(bag / "split_1.mcap", 1, 0.6, compression)
    before = contents(bag)
    done = recover(bag)
    assert (done.mended, done.lost, done.hopeless) == (["split_1.mcap"], {"truncated": 1}, [])
    after = contents(bag)
    assert sorted(after) == sorted([*before, "split_1.mcap.damaged", "metadata.yaml.damaged"])
    assert after["split_0.mcap"] == before["split_0.mcap"]
    assert after["split_1.mcap.damaged"] == before["split_1.mcap"]
    assert after["metadata.yaml.damaged"] == before["metadata.yaml"]

    expected = by_mcap(foreign(tmp_path / "whole.mcap", 1, compression=compression))
    mended = by_mcap(bag / "split_1.mcap")
    assert COUNT < len(mended["messages"]) < 2 * COUNT
    assert mended.pop("messages") == expected.pop("messages")[: done.messages - 2 * COUNT]
    assert mended == expected

    with Reader(bag) as reader:
        assert reader.message_count == done.messages == sum(1 for _ in reader.messages())
        assert reader.start_time == 10 * 10**9
        assert {c.topic: c.msgtype for c in reader.connections}["/tasks"] == TASK
    listed = yaml.safe_load(after["metadata.yaml"])["rosbag2_bagfile_information"]
    assert listed["relative_file_paths"] == ["split_0.mcap", "split_1.mcap"]
    assert listed["custom_data"] == {"a": "b"}
    assert [part["message_count"] for part in listed["files"]] == [2 * COUNT, done.messages - 2 * COUNT]

    assert recover(bag).sentence(bag).endswith("nothing was to be done")
    assert contents(bag) == after


def test_parts_that_are_packed_are_mended_and_packed_again(tmp_path: Path) -> None:
    bag = split(tmp_path / "split", packed=True)
    before = contents(bag)
    done = recover(bag)
    assert done.mended == ["split_1.mcap.zstd"]
    assert contents(bag)["split_0.mcap.zstd"] == before["split_0.mcap.zstd"]
    with Reader(bag) as reader:
        assert sum(1 for _ in reader.messages()) == done.messages >= 3 * COUNT


def test_a_damaged_stretch_costs_its_chunks_alone(tmp_path: Path) -> None:
    """Also where it took the length of a record, after which the next one has to be looked for."""
    path = foreign(tmp_path / "run.mcap", 0, raw="protobuf")
    before, whole = by_mcap(path), bytearray(path.read_bytes())
    middle = len(whole) // 3
    whole[middle : middle + 300] = b"\xff" * 300
    path.write_bytes(whole)
    with Bag(path) as bag:
        read = sum(len(batch.channel) for batch in bag.batches(bag.channels))
        assert read >= 2 * COUNT - 40
        assert bag.counts["damaged chunks"] + bag.counts["damaged records"] >= 1
    done = recover(path)
    assert done.kept == ["run.mcap.damaged"]
    assert done.messages == read
    mended = by_mcap(path)
    assert len(mended["messages"]) == read
    assert set(mended.pop("messages")) < set(before.pop("messages"))
    assert mended == before


def sqlite_bag(folder: Path, count: int = 2000) -> Path:
    said = [
        ("/r1/zone", HEADER, (10 + i) * 10**9, header(10.0 + i, f"zone {'of a long name ' * 10} {i}"))
        for i in range(count)
    ]
    return next(write_bag(folder, said, "sqlite3").glob("*.db3"))


def rows(path: Path, table: str) -> list[Any]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"SELECT * FROM {table}").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("harm", ["pages", "cut", "index", "half a page"])
def test_sqlite_gives_back_all_rows_but_those_of_damaged_pages(tmp_path: Path, harm: str) -> None:
    path = sqlite_bag(tmp_path / "bag")
    tables = ("topics", "message_definitions", "schema", "metadata")
    expected, others = rows(path, "messages"), [rows(path, table) for table in tables]
    connection = sqlite3.connect(path)
    (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'timestamp_idx'").fetchone()
    connection.close()
    whole = bytearray(path.read_bytes())
    pages = len(whole) // 4096
    if harm == "pages":
        for page in (pages // 3, pages // 2):
            whole[page * 4096 : (page + 1) * 4096] = b"\xa5" * 4096
    elif harm == "index":
        whole[(root - 1) * 4096 : root * 4096] = bytes(4096)
    else:
        del whole[pages * 3 // 5 * 4096 + (0 if harm == "cut" else 1000) :]
    path.write_bytes(whole)

    with Bag(path) as bag:
        read = sum(len(batch.channel) for batch in bag.batches(bag.channels))
        assert bag.counts
    done = recover(path.parent)
    assert done.mended == [path.name]
    kept = rows(path, "messages")
    assert done.messages == read == len(kept)
    assert set(kept) <= set(expected)
    most = {"pages": 2 * 30, "index": 0}.get(harm, len(expected) // 2)
    assert len(expected) - most <= len(kept)
    assert done.lost == ({"damaged rows": len(expected) - len(kept)} if harm == "pages" else
                         {"damaged index": 1} if harm == "index" else {"truncated": 1})  # fmt: skip
    if harm != "pages":
        assert [rows(path, table) for table in tables][:1] == others[:1]
    else:
        assert [rows(path, table) for table in tables] == others
    with Reader(path.parent) as reader:
        assert sum(1 for _ in reader.messages()) == len(kept)


def test_a_copy_beside_is_no_part_and_a_hopeless_file_is_left_and_not_listed(tmp_path: Path) -> None:
    bag = split(tmp_path / "split")
    shutil.copy(bag / "split_0.mcap", bag / "split_0_recovered.mcap")
    (bag / "split_2.mcap").write_bytes(b"\x89MCAP0\r\nrubbish")
    done = recover(bag)
    assert (done.mended, done.hopeless) == (["split_1.mcap"], ["split_2.mcap"])
    assert done.left_out == ["split_0_recovered.mcap"]
    assert (bag / "split_2.mcap").read_bytes() == b"\x89MCAP0\r\nrubbish"
    with Reader(bag) as reader:
        assert sum(1 for _ in reader.messages()) == done.messages
    sqlite_bag(tmp_path / "other", 3).rename(bag / "other_0.db3")
    with pytest.raises(UserError, match="more than one bag"):
        recover(bag)


# Kills itself before the nth thing that it does to the disk, one child for every n until one comes to its end.
KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from meanfleet.sim.bags.recovering import recover
from meanfleet.sim.bags.bag import Bag
EVENTS = {"open", "os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "sqlite3.connect", "shutil.rmtree"}
source, bag = Path(sys.argv[1]), Path(sys.argv[2])
originals = {path.name: path.read_bytes() for path in source.iterdir()}

def messages(folder):
    with Bag(folder) as opened:
        batches = list(opened.batches(opened.channels))
    return [(int(b.received[i]), b.payload(i)) for b in batches for i in range(len(b.channel))]

def run(number):
    count = 0
    def hook(event, _):
        nonlocal count
        if event in EVENTS:
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    recover(bag)

shutil.copytree(source, bag)
recover(bag)
expected = messages(bag)
shutil.rmtree(bag)
shutil.copytree(source, bag, ignore=shutil.ignore_patterns("*-wal"))
at_first = min(len(messages(source)), len(messages(bag)))
number, killed = 0, True
while killed:
    number += 1
    shutil.rmtree(bag)
    shutil.copytree(source, bag)
    child = os.fork()
    if not child:
        run(number)
        os._exit(0)
    killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    there = {path.name: path.read_bytes() for path in bag.iterdir() if path.is_file()}
    assert set(originals.values()) <= set(there.values()), (number, sorted(there))
    assert set(originals) - {name for name in originals if name.endswith("-wal")} <= set(there), (number, sorted(there))
    assert len(messages(bag)) >= at_first, number
    recover(bag)
    assert messages(bag) == expected, number
    assert not list(bag.glob(".recovering-*"))
    assert set(originals.values()) <= {path.read_bytes() for path in bag.iterdir()}, number
print(number)
"""


def killed_everywhere(source: Path, bag: Path) -> int:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(source), str(bag)], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_recovery_killed_anywhere_loses_nothing_and_the_next_one_ends_it(tmp_path: Path) -> None:
    assert killed_everywhere(split(tmp_path / "source"), tmp_path / "bag") > 15


def test_so_does_one_of_sqlite_with_a_journal(tmp_path: Path) -> None:
    path = sqlite_bag(tmp_path / "bag", 300)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("INSERT INTO messages SELECT id + 1000, topic_id, timestamp + 300000000000, data FROM messages")
    connection.commit()
    source = tmp_path / "source"
    source.mkdir()
    for name in (path.name, f"{path.name}-wal", "metadata.yaml"):
        shutil.copy(path.parent / name, source / name)
    connection.close()
    whole = bytearray((source / path.name).read_bytes())
    whole[12 * 4096 : 13 * 4096] = b"\xa5" * 4096
    (source / path.name).write_bytes(whole)
    assert killed_everywhere(source, tmp_path / "again") > 15
