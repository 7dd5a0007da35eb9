"""Bags written here, read back by rosbags, by mcap and by ourselves; cut off, recovered, and on a full disk."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from bag_files import STORE, T, header
from mcap.reader import make_reader
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.rosbag2 import Reader

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.sim.bags.bag import Bag
from meanfleet.sim.bags.qos import LATCHED, Offer, Request, overrides, request
from meanfleet.sim.bags.reading import Source, read_fleet
from meanfleet.sim.bags.recovering import recover
from meanfleet.sim.bags.writing import BagWriter, Topic, entries

HEADER, DAY = "std_msgs/msg/Header", 86_400 * 10**9
LATCHED_OFFER = Offer("keep_last", 1, "reliable", "transient_local", DAY, DAY, "automatic", DAY)
SENSOR_OFFER = Offer("keep_last", 5, "best_effort", "volatile", DAY, DAY, "automatic", DAY)
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def config() -> Config:
    return Config.from_yaml(ROOT / "config" / "warehouse.yaml")


def said(count: int, zone: str = "storage") -> list[tuple[int, bytes]]:
    return [((10 + i) * 10**9, bytes(STORE.serialize_cdr(header(10.0 + i, zone), HEADER))) for i in range(count)]


def begun(folder: Path) -> tuple[BagWriter, int]:
    writer = BagWriter(folder, "kilted")
    channel = writer.add_topic(Topic("/r1/zone", HEADER, STORE.hash_rihs01(HEADER), entries([LATCHED_OFFER])))
    return writer, channel


def test_a_closed_bag_is_read_field_by_field_by_rosbags_and_mcap(tmp_path: Path) -> None:
    writer, zone = begun(tmp_path / "bag")
    number = writer.add_topic(Topic("/count", "std_msgs/msg/Int32", "", entries([SENSOR_OFFER])))
    strange = writer.add_topic(Topic("/strange", "my_msgs/msg/Thing"))
    messages = [(zone, *message) for message in said(20)]
    messages += [(number, at, bytes(STORE.serialize_cdr(T["std_msgs/msg/Int32"](i), "std_msgs/msg/Int32")))
                 for i, (_, at, _) in enumerate(messages)]  # fmt: skip
    messages.append((strange, 40 * 10**9, b"\0\1\0\0abcd"))
    messages.sort(key=lambda message: message[1])
    for place, message in enumerate(messages):
        writer.write(*message)
        if place % 7 == 0:
            writer.flush()  # several chunks
    writer.close()
    names = {zone: "/r1/zone", number: "/count", strange: "/strange"}
    expected = [(names[channel], at, payload) for channel, at, payload in messages]

    with Reader(tmp_path / "bag") as reader:
        assert sorted((c.topic, at, bytes(data)) for c, at, data in reader.messages()) == sorted(expected)
        assert reader.message_count == 41
        assert reader.duration == 30 * 10**9 + 1
        assert reader.ros_distro == "kilted"
        topics = {connection.topic: connection for connection in reader.connections}
        assert topics["/r1/zone"].msgcount == 20
        assert topics["/r1/zone"].digest == STORE.hash_rihs01(HEADER)
        assert topics["/r1/zone"].msgdef.data == STORE.generate_msgdef(HEADER, ros_version=2)[0]
        (qos,) = topics["/r1/zone"].ext.offered_qos_profiles
        assert (qos.durability, qos.reliability) == (QosDurability.TRANSIENT_LOCAL, QosReliability.RELIABLE)
        (qos,) = topics["/count"].ext.offered_qos_profiles
        assert (qos.durability, qos.reliability) == (QosDurability.VOLATILE, QosReliability.BEST_EFFORT)

    with open(tmp_path / "bag" / "bag_0.mcap", "rb") as stream:
        reader_ = make_reader(stream, validate_crcs=True)
        read = [(channel.topic, message.log_time, message.data) for _, channel, message in reader_.iter_messages()]
        summary = reader_.get_summary()
        (inside,) = reader_.iter_metadata()
        assert reader_.get_header().profile == "ros2"
    assert sorted(read) == sorted(expected)
    assert summary is not None
    assert summary.statistics is not None
    assert summary.statistics.message_count == 41
    channels = {channel.topic: channel for channel in summary.channels.values()}
    assert yaml.safe_load(channels["/r1/zone"].metadata["offered_qos_profiles"]) == [LATCHED_OFFER.entry()]
    beside = yaml.safe_load((tmp_path / "bag" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert yaml.safe_load(inside.metadata["serialized_metadata"]) == beside
    assert sorted(path.name for path in (tmp_path / "bag").iterdir()) == ["bag_0.mcap", "metadata.yaml"]


def test_what_was_flushed_survives_without_the_end_and_recover_adds_it(tmp_path: Path, config: Config) -> None:
    writer, channel = begun(tmp_path / "bag")
    for message in said(30):
        writer.write(channel, *message)
    writer.flush()
    writer.write(channel, 100 * 10**9, said(1)[0][1])  # never brought to the disk
    dead = shutil.copytree(tmp_path / "bag", tmp_path / "dead")
    writer.close()

    log = read_fleet(dead, config, Source(tick=1.0))
    assert log.messages == 30
    assert log.counts == {"truncated": 1}
    done = recover(dead)
    assert (done.messages, done.mended, done.lost) == (30, ["bag_0.mcap"], {"truncated": 1})
    whole = read_fleet(dead, config, Source(tick=1.0))
    assert whole.counts == {}
    assert whole.zones.tolist() == log.zones.tolist()
    with Reader(dead) as reader:
        (connection,) = reader.connections
        assert connection.ext.offered_qos_profiles[0].durability == QosDurability.TRANSIENT_LOCAL
        assert reader.message_count == 30
    left = ["bag_0.mcap", "bag_0.mcap.damaged", "metadata.yaml", "metadata.yaml.damaged"]
    assert sorted(path.name for path in dead.iterdir()) == left
    before = {path.name: path.read_bytes() for path in dead.iterdir()}
    assert recover(dead).mended == []
    assert {path.name: path.read_bytes() for path in dead.iterdir()} == before


def test_recover_keeps_hands_off_what_holds_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "bag"
    folder.mkdir()
    (folder / "bag_0.mcap").write_bytes(b"\x89MCAP0\r\nrubbish")
    with pytest.raises(UserError, match="nothing to recover"):
        recover(folder)
    assert [path.name for path in folder.iterdir()] == ["bag_0.mcap"]


FULL = """
import resource, sys
from pathlib import Path
from meanfleet.base.errors import UserError
from meanfleet.sim.bags.writing import BagWriter, Topic
writer = BagWriter(Path(sys.argv[1]))
channel = writer.add_topic(Topic("/r1/zone", "std_msgs/msg/Header"))
payload = bytes.fromhex(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
import random
noise = random.Random(0)
try:
    for i in range(100_000):
        writer.write(channel, (10 + i) * 10**9, payload + noise.randbytes(200))  # does not compress
        if i % 50 == 49:
            writer.flush()
            print(i + 1, flush=True)
except UserError as error:
    sys.exit(str(error))
"""


def test_a_disk_that_refuses_ends_the_recording_in_one_sentence_and_keeps_the_rest(
    tmp_path: Path,
) -> None:
    """The kernel refuses to let the file grow, in the middle of a chunk: a real OSError of a real file."""
    payload = said(1)[0][1].hex()
    done = subprocess.run(
        [sys.executable, "-c", FULL.format(limit=100_000), str(tmp_path / "bag"), payload],
        capture_output=True, text=True, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "ended: File too large; what was brought to the disk before" in done.stderr
    kept = int(done.stdout.split()[-1])
    assert kept > 100
    with Bag(tmp_path / "bag") as bag:
        (channel,) = bag.channels
        batches = list(bag.batches([channel]))
        assert [time for batch in batches for time in batch.received.tolist()] == [
            (10 + i) * 10**9 for i in range(kept)
        ]
        assert bag.counts == {"truncated": 1}


def test_a_folder_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="exists and is not empty"):
        BagWriter(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    with pytest.raises(UserError, match="cannot record into"):
        BagWriter(tmp_path / "notes.txt" / "bag")


def test_a_subscription_asks_for_what_all_publishers_offer() -> None:
    assert request([LATCHED_OFFER]) == Request(reliable=True, latched=True)
    assert request([SENSOR_OFFER, LATCHED_OFFER]) == Request(reliable=False, latched=False)


def test_overrides_name_latched_topics_alone(tmp_path: Path) -> None:
    writer, channel = begun(tmp_path / "bag")
    other = writer.add_topic(Topic("/r1/odom", "nav_msgs/msg/Odometry"))
    writer.write(channel, *said(1)[0])
    writer.write(other, 10**9, b"\0\1\0\0")
    writer.close()
    with Bag(tmp_path / "bag") as bag:
        assert overrides(bag.channels) == {"/r1/zone": LATCHED}
    assert overrides([("/ns/priority_zone", HEADER), ("/zone", "std_msgs/msg/String")]) == {
        "/ns/priority_zone": LATCHED
    }


def test_the_command_recovers_bags_and_writes_overrides(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from meanfleet.cli.app import app

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["record", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return " ".join(result.output.split())

    writer, channel = begun(tmp_path / "bag")
    writer.write(channel, *said(1)[0])
    writer.flush()
    assert run("--qos-overrides", str(tmp_path / "qos.yaml"), str(tmp_path / "bag")).startswith("ros2 bag play")
    assert yaml.safe_load((tmp_path / "qos.yaml").read_text()) == {"/r1/zone": LATCHED}
    with pytest.raises(UserError, match="another process is writing into"):
        run("--recover", str(tmp_path / "bag"))
    dead = str(shutil.copytree(tmp_path / "bag", tmp_path / "dead"))
    assert "is whole: 1 messages; mended bag_0.mcap (truncated: 1); metadata.yaml is new" in run("--recover", dead)
    assert "nothing was to be done" in run("--recover", dead)
    with pytest.raises(UserError, match="one at a time"):
        run("--recover", "--qos-overrides", "x.yaml", str(tmp_path / "bag"))
