"""The recorder over real DDS: what it hears, and what is left when it ends in every way."""

from __future__ import annotations

import os
import random
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from processes import Listener, Processes, wait_for

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from mcap.reader import make_reader
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.serialization import deserialize_message
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.rosbag2 import Reader
from std_msgs.msg import Header, Int32

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.ros.node import GOAL, LATCHED
from meanfleet.running.record import RunRecord
from meanfleet.sim.bags.bag import Bag, Channel
from meanfleet.sim.bags.reading import Source, read_fleet
from meanfleet.sim.recorder.choice import FLEET, is_chosen, patterns

RECORDER = "meanfleet.sim.recorder.node"
ZONE = Channel("/r1/zone", "std_msgs/msg/Header")


@pytest.fixture
def listener(processes: Processes) -> Iterator[Listener]:
    """The test's own node on the processes' domain."""
    own = Listener(processes.domain)
    yield own
    own.close()


def kept(bag: Path, channel: Channel = ZONE) -> list[bytes]:
    """Payloads of a channel as far as the bag is readable; none if it is not yet."""
    try:
        with Bag(bag) as opened:
            batches = list(opened.batches([channel])) if channel in opened.channels else []
    except UserError:
        return []
    return [batch.payload(i) for batch in batches for i in range(len(batch.channel))]


def test_topics_are_heard_as_they_offer_and_a_terminated_bag_is_whole(processes: Processes, listener: Listener) -> None:
    bag = processes.folder / "bag"
    early = listener.node.create_publisher(Header, "r1/zone", LATCHED)
    early.publish(Header(frame_id="storage"))  # before the recorder is there: latched
    recorder = processes.node(RECORDER, out=str(bag))
    wait_for(lambda: len(kept(bag)) == 1, 30, lambda: f"the latched zone; {processes.output(recorder)}", listener.spin)
    late = listener.node.create_publisher(Header, "r2/zone", GOAL)  # volatile, and appears later
    odd = listener.node.create_publisher(Int32, "r2/odom", qos_profile_sensor_data)
    unwanted = listener.node.create_publisher(Int32, "r2/battery", GOAL)
    wait_for(lambda: late.get_subscription_count() and odd.get_subscription_count(), 30, "being heard", listener.spin)
    sent = [Header(frame_id=f"zone_{i}") for i in range(50)]
    for i, message in enumerate(sent):
        late.publish(message)
        odd.publish(Int32(data=i))
        unwanted.publish(Int32(data=i))
    second = Channel("/r2/zone", ZONE.msgtype)
    wait_for(lambda: len(kept(bag, second)) == 50, 30, "fifty zones on the disk", listener.spin)
    recorder.send_signal(signal.SIGTERM)
    assert recorder.wait(timeout=30) == 0, processes.output(recorder)
    assert "Traceback" not in processes.output(recorder)

    assert [deserialize_message(payload, Header) for payload in kept(bag, second)] == sent
    with Reader(bag) as reader:
        offered = {c.topic: c.ext.offered_qos_profiles[0] for c in reader.connections}
        assert set(offered) == {"/r1/zone", "/r2/zone", "/r2/odom"}
        assert offered["/r1/zone"].durability == QosDurability.TRANSIENT_LOCAL
        assert offered["/r2/zone"].durability == QosDurability.VOLATILE
        assert offered["/r2/zone"].reliability == QosReliability.RELIABLE
        assert offered["/r2/odom"].reliability == QosReliability.BEST_EFFORT
        count = sum(1 for _ in reader.messages())
        assert count == reader.message_count
    with open(next(bag.glob("*.mcap")), "rb") as stream:
        assert sum(1 for _ in make_reader(stream, validate_crcs=True).iter_messages()) == count


def test_a_topic_whose_publishers_disagree_is_heard_from_all(processes: Processes, listener: Listener) -> None:
    """First a latched publisher, then a volatile one: the recorder must ask for less than it did."""
    bag = processes.folder / "bag"
    first = listener.node.create_publisher(Header, "r1/zone", LATCHED)
    processes.node(RECORDER, out=str(bag))
    wait_for(lambda: first.get_subscription_count(), 30, "the first to be heard", listener.spin)
    second = listener.node.create_publisher(Header, "r1/zone", QoSProfile(depth=5))
    wait_for(lambda: second.get_subscription_count(), 30, "the second to be heard", listener.spin)
    second.publish(Header(frame_id="volatile"))
    wait_for(
        lambda: "volatile" in [deserialize_message(payload, Header).frame_id for payload in kept(bag)],
        30,
        "its message on the disk",
        listener.spin,
    )


def test_a_killed_recorder_leaves_what_it_heard_a_second_ago(
    processes: Processes, listener: Listener, demo_path: Path, demo_policy: Path
) -> None:
    """A live graph is recorded with it; its recorder is killed, and the graph ends with it."""
    bag, out = processes.folder / "bag", processes.folder / "run"
    up = processes.module(
        "meanfleet", "up", str(demo_path), "-p", str(demo_policy), "-n", "20", "-k", "5",
        "--real-time-factor", "8", "--out", str(out), "--record", str(bag),
    )  # fmt: skip

    def ticks() -> int:
        return len(RunRecord.load(out).ticks) if (out / "run.jsonl").exists() else 0

    wait_for(lambda: ticks() >= 6, 90, lambda: f"six ticks; {processes.output(up)}")
    config = Config.from_yaml(demo_path).with_robots(20)

    def recorded() -> int:
        try:
            return len(read_fleet(bag, config).ticks)
        except UserError:
            return 0

    wait_for(lambda: recorded() >= 8, 60, "eight ticks on the disk: the first may not be logged")
    recorders = [pid for pid in processes.left() if RECORDER.encode() in cmdline(pid)]
    assert len(recorders) == 1, processes.output(up)
    os.kill(recorders[0], signal.SIGKILL)
    assert up.wait(timeout=30) == 1
    assert "the recorder was ended by signal 9" in processes.output(up)

    by_zone = read_fleet(bag, config)
    by_pose = read_fleet(bag, config, Source(topic="/{robot}/odom"))
    assert by_zone.counts.get("truncated") == by_pose.counts.get("truncated") == 1
    assert by_zone.robots == config.robots
    ran = RunRecord.load(out)
    # Bag and run's log may begin and end at different ticks; between, none is missing in either.
    logged = {tick["tick"]: tick for tick in ran.ticks}
    both = [tick for tick in by_zone.ticks if tick["tick"] in logged]
    assert both == [logged[tick["tick"]] for tick in both]
    assert [tick["tick"] for tick in both] == list(range(both[0]["tick"], both[0]["tick"] + len(both)))
    assert len(both) >= 6
    # Zones, priorities and moves of every tick are those that the robots acted on.
    assert by_zone.moves is not None
    compared = 0
    for stamp in [tick["stamp"] for tick in both[1:5]]:
        row = int(np.argmin(np.abs(by_zone.stamps - stamp)))
        assert by_zone.stamps[row] == pytest.approx(stamp)
        for act in ran.acts[stamp]:
            robots = [by_zone.robots.index(name) for name in act["robots"]]
            assert by_zone.moves[row, robots].tolist() == act["moves"]
            assert config.zones[by_zone.priority[row]] == act["priority"]
            # A robot may cross a border between the tick and its act.
            assert np.mean(by_zone.zones[row, robots] == act["zones"]) > 0.8
            assert np.mean(by_pose.zones[row, robots] == act["zones"]) > 0.8
            compared += len(robots)
    assert compared >= 50


def test_a_full_disk_ends_the_recorder_with_code_2_and_leaves_a_readable_bag(
    processes: Processes, listener: Listener
) -> None:
    """The kernel refuses the running recorder any file beyond 100 kB, as it would on a full disk."""
    bag = processes.folder / "bag"
    zone = listener.node.create_publisher(Header, "r1/zone", QoSProfile(depth=100))
    recorder = processes.node(RECORDER, out=str(bag))
    wait_for(zone.get_subscription_count, 30, lambda: f"being heard; {processes.output(recorder)}", listener.spin)
    resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))
    noise = random.Random(0)

    def publish() -> None:
        zone.publish(Header(frame_id=noise.randbytes(1000).hex()))
        listener.spin()

    code = wait_for(lambda: str(recorder.poll() or ""), 60, "the recorder to give up", publish)
    assert code == "2", processes.output(recorder)
    said = processes.output(recorder)
    assert "Traceback" not in said
    assert said.count("ended: File too large") == 1
    assert len(kept(bag)) > 10
    assert all(len(deserialize_message(payload, Header).frame_id) == 2000 for payload in kept(bag))


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_recorder_without_a_folder_or_with_a_taken_one_ends_with_code_2(
    processes: Processes, listener: Listener
) -> None:
    (processes.folder / "taken").mkdir()
    (processes.folder / "taken" / "notes.txt").write_text("mine")
    without = processes.node(RECORDER)
    taken = processes.module("meanfleet", "record", str(processes.folder / "taken"))
    assert without.wait(timeout=30) == 2
    assert taken.wait(timeout=30) == 2
    assert "recorder needs the parameter 'out'" in processes.output(without)
    assert "exists and is not empty" in processes.output(taken)


def test_the_default_patterns_take_a_fleets_topics_in_any_namespace() -> None:
    assert patterns("") == FLEET
    for topic in ("/r1/zone", "/site/r1/odom", "/priority_zone", "/site/diagnostics", "/clock", "/r/goal_pose"):
        assert is_chosen(topic, FLEET)
    for topic in ("/r1/scan", "/rosout", "/fleet_markers"):
        assert not is_chosen(topic, FLEET)
    assert patterns("a/zone, */b") == ("/a/zone", "*/b")
    with pytest.raises(UserError, match="patterns with commas"):
        patterns("a,,b")
