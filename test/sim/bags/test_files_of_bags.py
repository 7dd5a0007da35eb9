"""Which files a bag is, however they are named, stored, packed, damaged or copied."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import zstandard
from bag_files import STORE, Said, header, pose_message, write_bag
from mcap.reader import make_reader
from mcap.writer import CompressionType, IndexType, Writer

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.sim.bags.bag import Bag
from meanfleet.sim.bags.reading import Source, read_fleet

HEADER, ODOMETRY = "std_msgs/msg/Header", "nav_msgs/msg/Odometry"
SECONDS = 40
SOURCE = Source(topic="/{robot}/zone", tick=1.0, max_age=2.0)
Message = tuple[str, int, bytes]


@pytest.fixture(scope="module")
def config() -> Config:
    return Config.from_yaml(Path(__file__).resolve().parents[3] / "config" / "warehouse.yaml")


def said(config: Config, first: int = 10) -> list[Said]:
    return [
        (f"/r{robot}/zone", HEADER, t * 10**9 + robot, header(float(t), config.zones[(t + robot) % 5]))
        for t in range(first, first + SECONDS)
        for robot in range(2)
    ]


def by_bag(path: Path) -> tuple[list[Message], dict[str, int]]:
    with Bag(path) as bag:
        batches = list(bag.batches(bag.channels))
        found = [
            (bag.channels[batch.channel[i]].topic, int(batch.received[i]), batch.payload(i))
            for batch in batches
            for i in range(len(batch.channel))
        ]
        return found, dict(bag.counts)


def by_mcap(path: Path) -> list[Message]:
    with open(path, "rb") as stream:
        return [(channel.topic, m.log_time, m.data) for _, channel, m in make_reader(stream).iter_messages()]


def write_mcap(
    path: Path, said: list[Said], profile: str = "ros2", names: str = "/msg/", encoding: str = "cdr", **options: Any
) -> Path:
    """By the mcap library, with what it is told to leave out."""
    with open(path, "wb") as stream:
        writer: Any = Writer(stream, chunk_size=500, **options)
        writer.start(profile, "test")
        channels: dict[str, int] = {}
        for topic, msgtype, received, message in said:
            if topic not in channels:
                schema = writer.register_schema(msgtype.replace("/msg/", names), "ros2msg", b"")
                channels[topic] = writer.register_channel(topic, encoding, schema)
            writer.add_message(channels[topic], received, bytes(STORE.serialize_cdr(message, msgtype)), received)
        writer.finish()
    return path


BARE = {"use_statistics": False, "use_summary_offsets": False, "repeat_channels": False, "repeat_schemas": False}


@pytest.mark.parametrize("order", ["forward", "backward", "shuffled"])
@pytest.mark.parametrize(
    "options",
    [
        {"index_types": IndexType.CHUNK},
        {"index_types": IndexType.NONE},
        {"index_types": IndexType.NONE, **BARE},
        {"index_types": IndexType.NONE, "compression": CompressionType.LZ4, "enable_crcs": False, **BARE},
        {"use_chunking": False},
        {"use_chunking": False, "index_types": IndexType.NONE, **BARE},
    ],
)
def test_mcap_without_indexes_is_read_in_full_and_in_order_and_is_not_called_damaged(
    tmp_path: Path, config: Config, options: dict[str, Any], order: str
) -> None:
    messages = said(config)[:: -1 if order == "backward" else 1]
    if order == "shuffled":
        random.Random(0).shuffle(messages)
    path = write_mcap(tmp_path / "run.mcap", messages, **options)
    read, counts = by_bag(path)
    assert read == sorted(by_mcap(path), key=lambda message: message[1])
    assert (len(read), counts) == (2 * SECONDS, {})


def test_a_file_and_its_copies_are_read_once_and_what_is_left_out_is_said(tmp_path: Path, config: Config) -> None:
    bag = write_bag(tmp_path / "bag", said(config), "sqlite3", "file")
    packed = next(bag.glob("*.zstd"))
    expected, _ = by_bag(bag)
    assert len(expected) == 2 * SECONDS
    unpacked = packed.with_suffix("")
    with open(packed, "rb") as source, open(unpacked, "wb") as target:
        zstandard.ZstdDecompressor().copy_stream(source, target)
    assert by_bag(bag) == (expected, {"files left out (bag.db3)": 1})
    shutil.copy(unpacked, bag / "bag_recovered.db3")
    write_mcap(bag / "bag.mcap", said(config))
    left = "bag.db3, bag.mcap, bag_recovered.db3"
    assert by_bag(bag) == (expected, {f"files left out ({left})": 3})

    (bag / "metadata.yaml").unlink()
    read, counts = by_bag(bag)
    assert read == expected
    assert counts == {"no metadata": 1, "files left out (bag.db3, bag.db3.zstd, bag_recovered.db3)": 3}


def test_a_listed_file_that_was_packed_or_unpacked_since_is_found(tmp_path: Path, config: Config) -> None:
    bag = write_bag(tmp_path / "bag", said(config), "mcap")
    file = bag / "bag.mcap"
    expected = by_bag(bag)
    (bag / "bag.mcap.zstd").write_bytes(zstandard.compress(file.read_bytes()))
    file.unlink()
    assert by_bag(bag) == expected


def test_numbered_files_without_metadata_are_parts(tmp_path: Path, config: Config) -> None:
    folder = tmp_path / "bag"
    folder.mkdir()
    for number, first in enumerate((10, 60, 110)):
        write_mcap(folder / f"bag_{number * 5}.mcap", said(config, first))
    read, counts = by_bag(folder)
    assert (len(read), counts) == (6 * SECONDS, {"no metadata": 1})
    assert read == sorted(read, key=lambda message: message[1])


def test_a_number_after_the_name_of_a_file_makes_a_part_too(tmp_path: Path, config: Config) -> None:
    write_mcap(tmp_path / "run.mcap", said(config))
    write_mcap(tmp_path / "run_1.mcap", said(config, 60))
    assert len(by_bag(tmp_path)[0]) == 4 * SECONDS


def test_a_chunk_that_is_not_there_is_missed(tmp_path: Path, config: Config) -> None:
    path = write_mcap(tmp_path / "run.mcap", said(config), enable_crcs=False)
    with open(path, "rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None
    gone = summary.chunk_indexes[2]
    whole = bytearray(path.read_bytes())
    del whole[gone.chunk_start_offset : gone.chunk_start_offset + gone.chunk_length]
    path.write_bytes(whole)
    read, counts = by_bag(path)
    assert 0 < len(read) < 2 * SECONDS
    assert counts == {"missing messages": 2 * SECONDS - len(read)}


def test_capitals_in_suffixes(tmp_path: Path, config: Config) -> None:
    expected, _ = by_bag(write_mcap(tmp_path / "run.mcap", said(config)))
    assert by_bag((tmp_path / "run.mcap").rename(tmp_path / "RUN.MCAP"))[0] == expected
    file = next(write_bag(tmp_path / "bag", said(config), "sqlite3").glob("*.db3"))
    assert by_bag(file.rename(tmp_path / "RUN.DB3")) == (expected, {})
    (tmp_path / "Z.Mcap.ZSTD").write_bytes(zstandard.compress((tmp_path / "RUN.MCAP").read_bytes()))
    assert by_bag(tmp_path / "Z.Mcap.ZSTD") == (expected, {})


def test_short_names_of_types_and_other_profiles_are_read(tmp_path: Path, config: Config) -> None:
    poses = [(f"/r{i}/odom", ODOMETRY, t * 10**9, pose_message(ODOMETRY, float(t), 3.0, 2.0)) for t in range(10, 40)
             for i in range(2)]  # fmt: skip
    source = Source(topic="/{robot}/odom", tick=1.0)
    expected = read_fleet(write_mcap(tmp_path / "long.mcap", poses), config, source)
    for profile in ("ros2", ""):
        short = read_fleet(write_mcap(tmp_path / "short.mcap", poses, profile, "/"), config, source)
        assert short.zones.tolist() == expected.zones.tolist()
        assert short.counts == expected.counts


@pytest.mark.parametrize(
    ("profile", "encoding", "sentence"),
    [
        ("ros1", "ros1", "/r0/zone is ROS 1 data: convert its ROS 1 bag first"),
        ("", "json", "/r0/zone is encoded as json: expected cdr"),
        ("x", "protobuf", "/r0/zone is encoded as protobuf: expected cdr"),
    ],
)
def test_other_encodings_are_named(tmp_path: Path, config: Config, profile: str, encoding: str, sentence: str) -> None:
    path = write_mcap(tmp_path / "run.mcap", said(config), profile, "/", encoding)
    with pytest.raises(UserError, match=sentence):
        read_fleet(path, config, SOURCE)


def test_a_bag_of_ros_1_is_to_be_converted(tmp_path: Path) -> None:
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0\n")
    for given in (tmp_path / "old.bag", tmp_path):
        with pytest.raises(UserError, match="rosbags-convert"):
            by_bag(given)


def harmed(path: Path, harm: str) -> None:
    if harm in ("empty", "text", "head"):
        whole = path.read_bytes()
        path.write_bytes({"empty": b"", "text": b"no bag\n" * 999, "head": bytes(4096) + whole[4096:]}[harm])
        return
    connection = sqlite3.connect(path)
    if harm == "other":
        connection.executescript("DROP TABLE messages; DROP TABLE topics; CREATE TABLE mine (a, b)")
    elif harm == "no messages":
        connection.executescript("DROP TABLE messages")
    elif harm == "columns":
        connection.executescript("ALTER TABLE messages RENAME COLUMN data TO content")
    elif harm == "types":
        connection.executescript("UPDATE topics SET name = x'00ff'")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("harm", ["empty", "text", "head", "other", "no messages", "columns", "types"])
def test_sqlite_that_is_no_bag_is_one_sentence_alone_and_a_count_among_others(
    tmp_path: Path, config: Config, harm: str
) -> None:
    whole = next(write_bag(tmp_path / "whole", said(config), "sqlite3").glob("*.db3"))
    alone = tmp_path / "alone_1.db3"
    shutil.copy(whole, alone)
    harmed(alone, harm)
    before = alone.read_bytes()
    with pytest.raises(UserError, match=r"nothing of bag .*alone_1.db3 can be read \(alone_1.db3: "):
        read_fleet(alone, config, SOURCE)
    assert alone.read_bytes() == before
    (tmp_path / "split").mkdir()
    shutil.move(alone, tmp_path / "split" / "alone_1.db3")
    shutil.copy(whole, tmp_path / "split" / "alone_0.db3")
    log = read_fleet(tmp_path / "split", config, SOURCE)
    assert (log.messages, log.counts) == (2 * SECONDS, {"no metadata": 1, "unreadable files": 1})


def test_sqlite_that_another_process_holds_is_read(tmp_path: Path, config: Config) -> None:
    bag = write_bag(tmp_path / "bag", said(config), "sqlite3")
    expected = by_bag(bag)
    connection = sqlite3.connect(next(bag.glob("*.db3")), isolation_level=None)
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    assert by_bag(bag) == expected
    connection.close()


def test_a_packed_file_that_was_cut_is_read_as_far_as_it_goes(tmp_path: Path, config: Config) -> None:
    file = write_mcap(tmp_path / "run.mcap", said(config)).read_bytes()
    packer = zstandard.ZstdCompressor().compressobj()
    whole = b""
    for at in range(0, len(file), 1000):
        whole += packer.compress(file[at : at + 1000]) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    path = tmp_path / "cut.mcap.zstd"
    path.write_bytes(whole[: len(whole) // 2])
    read, counts = by_bag(path)
    assert counts == {"truncated": 1}
    assert SECONDS // 2 < len(read) < 2 * SECONDS
    assert set(read) <= set(by_mcap(tmp_path / "run.mcap"))
