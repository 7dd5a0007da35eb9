"""Damaged bags: never a traceback, never a silent partial result."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from bag_files import Said, header, write_bag
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.sim.bags.bag import Bag
from meanfleet.sim.bags.log import FleetLog
from meanfleet.sim.bags.reading import Source, read_fleet
from meanfleet.sim.bags.writing import BagWriter, Topic

HEADER, SECONDS = "std_msgs/msg/Header", 40
LOSSES = {"truncated", "missing messages", "damaged chunks", "unreadable files", "missing files", "undecodable",
          "damaged index", "damaged records", "damaged rows", "damaged packing"}  # fmt: skip
SOURCE = Source(topic="/{robot}/zone", tick=1.0, max_age=2.0)


@pytest.fixture(scope="module")
def config() -> Config:
    return Config.from_yaml(Path(__file__).resolve().parents[3] / "config" / "warehouse.yaml")


def said(config: Config) -> list[Said]:
    return [
        (f"/r{robot}/zone", HEADER, t * 10**9 + robot, header(float(t), config.zones[(t + robot) % 5]))
        for t in range(10, 10 + SECONDS)
        for robot in range(2)
    ]


@pytest.fixture(scope="module")
def bags(config: Config, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same messages by rosbags into either storage, and by our own writer in several chunks."""
    folder = tmp_path_factory.mktemp("bags")
    found = {storage: write_bag(folder / storage, said(config), storage) for storage in ("mcap", "sqlite3")}
    from bag_files import STORE

    writer = BagWriter(folder / "own")
    channels = {f"/r{robot}/zone": writer.add_topic(Topic(f"/r{robot}/zone", HEADER)) for robot in range(2)}
    for number, (topic, _, received, message) in enumerate(said(config)):
        writer.write(channels[topic], received, bytes(STORE.serialize_cdr(message, HEADER)))
        if number % 16 == 15:
            writer.flush()
    writer.close()
    return found | {"own": folder / "own"}


def storage_file(bag: Path) -> Path:
    return next(path for path in bag.iterdir() if path.suffix in (".mcap", ".db3"))


def told(bag: Path, config: Config) -> FleetLog | None:
    """What a reading says; None if it refuses in one sentence. Anything else that it raises fails the test."""
    try:
        return read_fleet(bag, config, SOURCE)
    except UserError:
        return None


def messages(bag: Path) -> set[tuple[str, int, bytes]]:
    with Bag(bag) as opened:
        return {
            (opened.channels[batch.channel[i]].topic, int(batch.received[i]), batch.payload(i))
            for batch in opened.batches(opened.channels)
            for i in range(len(batch.channel))
        }


def received(message: tuple[str, int, bytes]) -> int:
    return message[1]


def silent(log: FleetLog) -> bool:
    return not LOSSES & set(log.counts)


BUDGET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("kind", ["mcap", "sqlite3", "own"])
@BUDGET
@given(data=st.data())
def test_damaged_bytes_are_noticed_or_cost_no_message(
    bags: dict[str, Path], config: Config, tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    whole = storage_file(bags[kind]).read_bytes()
    places = data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4))
    damaged = bytearray(whole)
    for place in places:
        damaged[place] ^= data.draw(st.integers(1, 255))
    bag = tmp_path / "bag"
    shutil.rmtree(bag, ignore_errors=True)
    shutil.copytree(bags[kind], bag)
    storage_file(bag).write_bytes(damaged)
    log = told(bag, config)
    if log is not None and silent(log):
        assert log.messages >= 2 * SECONDS


@pytest.mark.parametrize("kind", ["mcap", "sqlite3", "own"])
@BUDGET
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_cut_bag_is_read_as_far_as_it_goes_and_says_so(
    bags: dict[str, Path], config: Config, tmp_path: Path, kind: str, share: float
) -> None:
    """Alone, without metadata.yaml, so that the file itself must show it."""
    source = storage_file(bags[kind])
    whole = source.read_bytes()
    path = tmp_path / source.name
    path.write_bytes(whole[: int(share * len(whole))])
    log = told(path, config)
    if log is not None:
        assert not silent(log) or log.messages == 2 * SECONDS
        read, reference = messages(path), messages(bags[kind])
        assert read <= reference
        if kind != "sqlite3":  # whose pages are in no order
            assert sorted(read, key=received) == sorted(reference, key=received)[: len(read)]
            zones = read_fleet(bags[kind], config, SOURCE).zones
            assert log.zones.tolist() == zones[: len(log.stamps)].tolist()


def test_a_cut_mcap_of_ours_gives_back_its_chunks(bags: dict[str, Path], config: Config, tmp_path: Path) -> None:
    whole = storage_file(bags["own"]).read_bytes()
    lengths = []
    for share in (0.3, 0.6, 0.9):
        (tmp_path / "cut.mcap").write_bytes(whole[: int(share * len(whole))])
        log = told(tmp_path / "cut.mcap", config)
        lengths.append(log.messages if log else 0)
    assert lengths == sorted(lengths)
    assert 16 <= lengths[1] < lengths[2] or lengths[2] == 2 * SECONDS


@BUDGET
@given(data=st.data())
def test_damaged_metadata_is_noticed_or_does_no_harm(
    bags: dict[str, Path], config: Config, tmp_path: Path, data: st.DataObject
) -> None:
    bag = tmp_path / "bag"
    shutil.rmtree(bag, ignore_errors=True)
    shutil.copytree(bags["own"], bag)
    text = bytearray((bag / "metadata.yaml").read_bytes())
    place = data.draw(st.integers(0, len(text) - 1))
    text[place : place + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=8))
    (bag / "metadata.yaml").write_bytes(text)
    log = told(bag, config)
    assert log is not None
    assert log.messages == 2 * SECONDS


def test_a_missing_file_and_a_broken_one_of_a_split_bag_are_counted(
    bags: dict[str, Path], config: Config, tmp_path: Path
) -> None:
    bag = tmp_path / "bag"
    shutil.copytree(bags["own"], bag)
    text = (bag / "metadata.yaml").read_text()
    (bag / "metadata.yaml").write_text(text.replace("- own_0.mcap", "- own_0.mcap\n  - own_1.mcap\n  - own_2.mcap"))
    (bag / "own_1.mcap").write_bytes(b"no bag")
    log = read_fleet(bag, config, SOURCE)
    assert log.counts == {"missing files": 1, "unreadable files": 1}
    assert log.messages == 2 * SECONDS


def test_messages_that_sqlite_left_in_its_journal_are_read(
    bags: dict[str, Path], config: Config, tmp_path: Path
) -> None:
    """A recorder killed in WAL mode leaves its last messages beside the file."""
    bag = tmp_path / "bag"
    shutil.copytree(bags["sqlite3"], bag)
    file = storage_file(bag)
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("INSERT INTO messages SELECT id + 1000, topic_id, timestamp + 40000000000, data FROM messages")
    connection.commit()
    dead = tmp_path / "dead"
    shutil.copytree(bag, dead)  # as a kill would leave it: the connection is open still
    connection.close()
    before = {path.name: path.read_bytes() for path in dead.iterdir() if path.suffix != ".yaml"}
    assert any(name.endswith("-wal") for name in before)
    assert read_fleet(dead, config, SOURCE).messages == 4 * SECONDS
    assert {path.name: path.read_bytes() for path in dead.iterdir() if path.suffix != ".yaml"} == before
