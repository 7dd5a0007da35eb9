"""Robots that die, freeze, fall silent, or tell nonsense: what the dispatcher makes of it, and what it says."""

from __future__ import annotations

import math
import signal
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from diagnostic_msgs.msg import DiagnosticArray
from faults.fleet import Fleet, K, gapless, held
from nav_msgs.msg import Odometry
from processes import Listener
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from std_msgs.msg import Header

from meanfleet.ros.conversions import read_diagnostics, to_stamp, zone_header
from meanfleet.ros.node import DIAGNOSTICS, LATCHED


def lost(tick: dict[str, Any]) -> set[str]:
    """Robots asked in vain."""
    return {*tick["missing"], *tick["stale"]}


def asked(tick: dict[str, Any]) -> set[str]:
    """Robots asked at first or instead of others."""
    return {*tick["sampled"], *tick["replacements"]}


def test_a_killed_robot_process_is_replaced_and_comes_back(fleet: Fleet) -> None:
    gone, others = fleet.names[:4], fleet.names[4:]
    fleet.start({"gone": gone, "others": others})
    fleet.await_ticks(3, lambda tick: tick["complete"])
    fleet.kill("gone")
    ticks = fleet.await_ticks(3, lambda tick: lost(tick) & set(gone))
    assert all(tick["complete"] and set(tick["zones"]) <= set(others) for tick in ticks[1:])
    fleet.start_robots("gone", gone)
    fleet.await_ticks(1, lambda tick: set(gone) & set(tick["zones"]))
    assert gapless(fleet.ticks)


def test_a_frozen_process_is_missed_and_resumes(fleet: Fleet) -> None:
    frozen = fleet.names[:4]
    fleet.start({"frozen": frozen, "others": fleet.names[4:]})
    fleet.await_ticks(3, lambda tick: tick["complete"])
    fleet.parts["frozen"].send_signal(signal.SIGSTOP)
    ticks = fleet.await_ticks(3, lambda tick: lost(tick) & set(frozen))
    assert all(not set(frozen) & set(tick["zones"]) for tick in ticks[1:])
    fleet.parts["frozen"].send_signal(signal.SIGCONT)
    fleet.await_ticks(1, lambda tick: set(frozen) & set(tick["zones"]))
    assert gapless(fleet.ticks)


def test_a_zone_that_is_published_volatile_is_told_with_the_remedy(fleet: Fleet) -> None:
    odd = fleet.names[0]
    volatile = QoSProfile(depth=1, durability=DurabilityPolicy.VOLATILE, reliability=ReliabilityPolicy.RELIABLE)
    publisher = fleet.listener.node.create_publisher(Header, f"{odd}/zone", volatile)
    fleet.start({"robots": fleet.names[1:]})
    ticks = fleet.await_ticks(3, lambda tick: odd in tick["missing"], lambda: publisher.publish(zone_header("x", 0.0)))
    assert all(tick["complete"] for tick in ticks)
    said = fleet.processes.output(fleet.parts["dispatcher"])
    assert said.count(f"/{odd}/zone of node 'listener' cannot be heard (volatile publisher") == 1
    assert "publish it reliable and transient local" in said


def test_thirty_percent_silent_robots_leave_ticks_complete(fleet: Fleet) -> None:
    """Four of twelve never start: whoever draws them asks others in the same tick."""
    silent = set(fleet.names[8:])
    fleet.start({"robots": fleet.names[:8]}, startup_timeout=3.0)
    ticks = fleet.await_ticks(8, lambda tick: asked(tick) & silent)
    assert [tick["complete"] for tick in ticks] == [True] * len(ticks)
    for tick in ticks:
        assert set(tick["missing"]) == asked(tick) & silent
        assert not silent & set(tick["zones"])


def test_with_all_silent_the_dispatcher_holds_and_says_so(fleet: Fleet) -> None:
    fleet.start()
    fleet.await_ticks(2, lambda tick: tick["complete"])
    fleet.kill("robots")
    ticks = fleet.await_ticks(3, held)
    last = ticks[-3:]
    assert len({tick["priority"] for tick in last}) == 1, "the priority is not held"
    assert all(tick["dispatch"] == tick["priority"] for tick in last)
    texts = [text for text, values in fleet.statuses("dispatcher") if values.get("tick") == last[-1]["tick"]]
    assert "holding" in texts[0]
    assert f"0/{K}" in texts[0]
    fleet.start_robots("robots", fleet.names)
    fleet.await_ticks(2, lambda tick: tick["complete"])


def test_parts_that_wait_say_what_for(fleet: Fleet) -> None:
    fleet.start_robots("robots", fleet.names)
    fleet.start_dispatcher()

    def says(part: str, text: str) -> bool:
        return text in fleet.processes.output(fleet.parts[part])

    topic = f"/{fleet.names[0]}/odom"
    for missing in ("the clock", topic, "a priority"):
        fleet.await_(lambda text=missing: says("robots", text), f"a line about {missing}")
    fleet.await_(lambda: says("dispatcher", "waiting for the clock"), "a line about the clock")
    fleet.start_world(deaf=fleet.names)
    fleet.await_(lambda: says("dispatcher", f"0 of {len(fleet.names)} asked were heard"), "a line about silent robots")
    fleet.kill("world")
    fleet.start_world()
    fleet.await_ticks(2, lambda tick: tick["complete"])


def test_the_first_tick_waits_for_those_who_are_to_hear_of_it(fleet: Fleet) -> None:
    fleet.start(await_nodes=["recorder"], startup_timeout=600.0)
    given = f"{len(fleet.names)} of {len(fleet.names)} found, no recorder yet"
    fleet.await_(lambda: given in fleet.processes.output(fleet.parts["dispatcher"]), "a line about the recorder")
    assert not fleet.ticks
    late = Listener(fleet.processes.domain, "recorder")
    try:
        heard = late.hear(DiagnosticArray, "diagnostics", DIAGNOSTICS)

        def ticks() -> list[int]:
            values = [values for message in heard for _, _, values in read_diagnostics(message)]
            return [one["tick"] for one in values if "gather_seconds" in one]

        fleet.await_(lambda: len(ticks()) >= 2, "two ticks", late.spin)
        assert ticks()[:2] == [0, 1]
    finally:
        late.close()


def test_poses_that_are_no_numbers_are_not_believed(fleet: Fleet) -> None:
    victim = fleet.names[0]

    def broken() -> Any:
        message = Odometry(header=Header(stamp=to_stamp(now[-1] if now else 0.0)))
        message.pose.pose.position.x = math.nan
        return message

    now = fleet.clock()
    fleet.start_world(deaf=[victim])
    fleet.start_robots("robots", fleet.names)
    fleet.start_dispatcher(startup_timeout=3.0)
    send = fleet.publish(Odometry, f"{victim}/odom", qos_profile_sensor_data, broken)
    ticks = fleet.await_ticks(2, lambda tick: victim in asked(tick), meanwhile=send)
    assert all(victim in lost(tick) and tick["complete"] for tick in ticks)
    told = fleet.await_(
        lambda: [values for _, values in fleet.statuses("robots") if values.get("bad_poses", {}).get(victim)],
        "a report of poses that are no numbers",
        send,
    )
    assert set(told[-1]["bad_poses"]) == {victim}


def test_a_robot_far_from_all_zones_is_out_until_it_is_back(fleet: Fleet) -> None:
    victim, now = fleet.names[0], fleet.clock()
    away = [1000.0]  # [m] east of its slot

    def standing() -> Any:
        message = Odometry(header=Header(stamp=to_stamp(now[-1] if now else 0.0)))
        x, y, _ = fleet.slot(victim, 0)
        message.pose.pose.position.x, message.pose.pose.position.y = x + away[0], y
        return message

    fleet.start_world(deaf=[victim])
    fleet.start_robots("robots", fleet.names)
    fleet.start_dispatcher(startup_timeout=3.0)
    send = fleet.publish(Odometry, f"{victim}/odom", qos_profile_sensor_data, standing)
    ticks = fleet.await_ticks(2, lambda tick: victim in asked(tick), meanwhile=send)
    assert all(victim in lost(tick) and tick["complete"] for tick in ticks)
    assert "out of service" in ticks[-1]["stale"][victim]
    fleet.await_(
        lambda: [True for _, values in fleet.statuses("robots") if victim in values.get("outside_zones", {})],
        "a report of the robot outside",
        send,
    )
    away[0] = 0.0
    fleet.await_ticks(1, lambda tick: victim in tick["zones"], meanwhile=send)


def test_a_robot_without_fresh_poses_does_not_keep_its_sample_alive(fleet: Fleet) -> None:
    """Its node lives and holds a latched zone; the stamp tells how old it is."""
    victim, now = fleet.names[0], fleet.clock()

    def standing() -> Any:
        message = Odometry(header=Header(stamp=to_stamp(now[-1])))
        x, y, _ = fleet.slot(victim, 0)
        message.pose.pose.position.x, message.pose.pose.position.y = x, y
        return message

    fleet.start_world(deaf=[victim])
    fleet.start_robots("robots", fleet.names)
    fleet.start_dispatcher(startup_timeout=3.0)
    send = fleet.publish(Odometry, f"{victim}/odom", qos_profile_sensor_data, standing)
    fleet.await_(lambda: now, "the clock")
    fleet.await_ticks(2, lambda tick: victim in tick["zones"], meanwhile=send)
    ticks = fleet.await_ticks(2, lambda tick: tick["stale"].get(victim) == "stale")
    assert all(tick["complete"] and victim not in tick["zones"] for tick in ticks)
    fleet.await_(
        lambda: any(victim in values.get("silent_poses", {}) for _, values in fleet.statuses("robots")),
        "a report of the robot whose poses have ceased",
    )


@pytest.mark.parametrize(
    ("zone", "ahead", "reason"), [("atlantis", 0.0, "unknown zone"), ("storage", 1e4, "from the future")]
)
def test_nonsense_on_a_zone_topic_is_refused(fleet: Fleet, zone: str, ahead: float, reason: str) -> None:
    victim, now = fleet.names[0], fleet.clock()
    fleet.start({"robots": fleet.names[1:]}, startup_timeout=3.0)
    fleet.await_(lambda: now, "the clock")
    send = fleet.publish(Header, f"{victim}/zone", LATCHED, lambda: zone_header(zone, now[-1] + ahead))
    ticks = fleet.await_ticks(2, lambda tick: tick["stale"].get(victim) == reason, meanwhile=send)
    assert all(tick["complete"] for tick in ticks)
    assert all(victim not in tick["zones"] for tick in fleet.ticks)


def test_a_flood_on_a_zone_topic_delays_no_tick(fleet: Fleet) -> None:
    """10,000 messages as fast as they can be sent, from a second publisher of a robot's zone."""
    victim, now, sent = fleet.names[0], fleet.clock(), [0]
    fleet.start()
    before = fleet.await_ticks(2, lambda tick: tick["complete"])[-1]
    send = fleet.publish(Header, f"{victim}/zone", LATCHED, lambda: zone_header("storage", now[-1]))

    def burst() -> None:
        for _ in range(500 if sent[0] < 10_000 else 0):
            send()
            sent[0] += 1

    flooded = fleet.await_ticks(2, lambda tick: victim in asked(tick) and sent[0] >= 10_000, meanwhile=burst)
    assert sent[0] == 10_000
    assert gapless(fleet.ticks)
    assert flooded[-1]["skipped"] == before["skipped"]
    assert all(tick["complete"] for tick in fleet.ticks if tick["tick"] > before["tick"])


def test_two_nodes_of_one_robot_both_say_so(fleet: Fleet) -> None:
    """The second has two of the first one's robots, under a name of its own."""
    fleet.start()
    fleet.start_robots("twin", fleet.names[2:4])
    sentence = (
        f"more than one node has {fleet.names[2]}, {fleet.names[3]}: /robots and /twin send goals to the same robot"
    )
    for part in ("robots", "twin"):
        fleet.await_(lambda part=part: sentence in fleet.processes.output(fleet.parts[part]), f"{part} to say so")
    for name in (fleet.names[0], fleet.names[2]):  # by which the statuses of the two nodes are named
        fleet.await_(
            lambda name=name: any(
                list(values.get("twins", {})) == list(fleet.names[2:4])
                for _, values in fleet.statuses(f"robots {name}")
            ),
            f"a status of robots {name}",
        )
    doctor = fleet.processes.module("meanfleet", "doctor", str(fleet.path), "-n", str(len(fleet.names)))
    fleet.await_(lambda: doctor.poll() is not None, "the doctor")
    said = " ".join(fleet.processes.output(doctor).split())
    assert f"more than one node publishes the zone of {fleet.names[2]}, {fleet.names[3]}: /robots, /twin" in said
