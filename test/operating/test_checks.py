"""The doctor's checks on snapshots made by hand: a healthy fleet gives no finding, each illness its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfleet.config import Config
from meanfleet.config.robot import RobotOverride
from meanfleet.operating.doctor.clock_checks import offset
from meanfleet.operating.doctor.examining import as_json, examine, overview
from meanfleet.operating.doctor.expected import HEADER, POSE_TYPES, Expected
from meanfleet.operating.doctor.findings import ORDER, Finding, by_level
from meanfleet.operating.doctor.settings import check_settings, gather_settings
from meanfleet.operating.doctor.snapshot import Endpoint, Heard, Settings, Snapshot
from meanfleet.operating.words import few

DEMO = Path(__file__).resolve().parents[2] / "config" / "demo.yaml"
ROBOTS = ("robot_00", "robot_01", "robot_02", "robot_03")
WALL = 1_700_000_000.0  # [s]
SPACE = "/site"


@pytest.fixture(scope="module")
def fleet() -> Expected:
    return Expected.from_config(Config.from_yaml(DEMO).with_robots(4), SPACE)


def endpoint(topic: str, kind: str, node: str, quality: str = "reliable", kept: str = "volatile") -> Endpoint:
    return Endpoint(topic, kind, node, quality, kept)  # type: ignore[arg-type]


def healthy(fleet: Expected) -> Snapshot:
    """Every topic of the interface published once as it should be, read by whom it is for, on wall time."""
    makers = {
        "zone": "robots",
        "goal": "robots",
        "navigation": "nav2",
        "pose": "drivers",
        "priority": "dispatcher",
        "diagnostics": "robots",
    }
    publishers, subscriptions, heard = [], [], []
    for topic in fleet.topics():
        if topic.kind in makers:
            node = f"{SPACE}/{makers[topic.kind]}"
            publishers.append(endpoint(topic.name, topic.type, node, topic.reliability, topic.durability))
            subscriptions.append(endpoint(topic.name, topic.type, "/reader", topic.reliability, topic.durability))
        if topic.kind in ("zone", "pose", "priority"):
            frame = "map" if topic.kind == "pose" else fleet.zones[0]
            heard += [Heard(topic.name, WALL + t, WALL + t + 0.01, frame) for t in (0.0, 0.5, 1.0)]
    return Snapshot(
        nodes=tuple(f"{SPACE}/{name}" for name in ("robots", "drivers", "dispatcher")),
        publishers=tuple(publishers),
        subscriptions=tuple(subscriptions),
        heard=tuple(heard),
        seconds=5.0,
        listened=ROBOTS,
    )


def change(endpoints: tuple[Endpoint, ...], topic: str, **values: Any) -> tuple[Endpoint, ...]:
    """The endpoints with those on one topic changed."""
    assert any(one.topic == f"{SPACE}/{topic}" for one in endpoints)
    return tuple(replace(one, **values) if one.topic == f"{SPACE}/{topic}" else one for one in endpoints)


def only(found: list[Finding]) -> Finding:
    (finding,) = found
    assert finding.remedy
    return finding


def simulated(seen: Snapshot, rate: float) -> Snapshot:
    """The same fleet on a simulated clock that runs from 100 s on, `rate` times as fast as real time."""
    nodes = {one.node for one in seen.publishers}
    heard = tuple(replace(one, stamp=one.stamp - WALL + 100, own=one.own - WALL + 100) for one in seen.heard)
    return replace(
        seen,
        publishers=(*seen.publishers, endpoint("/clock", "rosgraph_msgs/msg/Clock", "/world", "best effort")),
        subscriptions=(
            *seen.subscriptions,
            *(endpoint("/clock", "rosgraph_msgs/msg/Clock", node, "best effort") for node in nodes),
        ),
        heard=heard,
        clock=tuple((t / 10, 100 + rate * t / 10) for t in range(11)),
    )


def test_a_healthy_fleet_has_no_finding(fleet: Expected) -> None:
    assert examine(healthy(fleet), fleet) == []
    assert examine(simulated(healthy(fleet), 1.0), fleet) == []


def test_a_fleet_in_mode_shadow_has_a_note_and_no_alarm(fleet: Expected) -> None:
    """Its dispatcher speaks on a topic of its own, and nobody needs to take goals."""
    seen = healthy(fleet)
    topic = f"{SPACE}/priority_zone"
    shadow = tuple(replace(one, topic=f"{topic}/shadow") if one.topic == topic else one for one in seen.publishers)
    idle = tuple(one for one in seen.subscriptions if not one.topic.endswith(("goal_pose", "priority_zone")))
    heard = tuple(one for one in seen.heard if one.topic != topic)
    quiet = replace(seen, publishers=shadow, subscriptions=idle, heard=heard)
    finding = only(examine(quiet, fleet))
    assert (finding.level, finding.check) == ("info", "dispatcher")
    assert "mode shadow" in finding.text
    two = replace(
        quiet, publishers=(*shadow, endpoint(f"{topic}/shadow", HEADER, "/other", "reliable", "transient local"))
    )
    assert [one.level for one in examine(two, fleet)] == ["error", "info"], "two of them are one too many all the same"
    beside = replace(seen, publishers=(*seen.publishers, *(one for one in shadow if one.topic == f"{topic}/shadow")))
    assert examine(beside, fleet) == [], "beside a dispatcher that moves robots it is nobody's rival"


def test_nothing_at_all(fleet: Expected) -> None:
    finding = only(examine(Snapshot(seconds=5.0), fleet))
    assert (finding.level, finding.check) == ("error", "discovery")


def test_nodes_without_zones_when_nobody_says_what_there_should_be() -> None:
    found = examine(Snapshot(nodes=("/talker",)), Expected.from_graph(()))
    assert [(one.level, one.check) for one in found] == [("error", "robots"), ("warn", "dispatcher")]


def test_a_navigation_that_takes_no_goals(fleet: Expected) -> None:
    """By topic it subscribes, by action it publishes its status; a recorder that listens drives nobody."""
    seen = healthy(fleet)
    topic = f"{SPACE}/robot_01/goal_pose"
    kept = change(seen.subscriptions, "robot_01/goal_pose", node=f"{SPACE}/recorder")
    finding = only(examine(replace(seen, subscriptions=kept), fleet))
    assert (finding.level, finding.check, finding.names) == ("warn", "goals", ("robot_01",))
    idle = replace(seen, publishers=tuple(one for one in seen.publishers if one.topic != topic), subscriptions=kept)
    assert examine(idle, fleet) == [], "no robot node that would send any"
    acting = replace(fleet, overrides={"robot_01": RobotOverride(goals="action")})
    assert "navigate_to_pose" in only(examine(seen, acting)).text
    assert examine(healthy(acting), acting) == []


# --- who is there


def test_missing_and_unknown_robots_and_the_name_that_was_meant(fleet: Expected) -> None:
    seen = healthy(fleet)
    renamed = tuple(
        replace(one, topic=one.topic.replace("robot_02/", "robot02/")) for one in seen.publishers + seen.subscriptions
    )
    half = len(seen.publishers)
    found = examine(replace(seen, publishers=renamed[:half], subscriptions=renamed[half:]), fleet)
    missing, stranger = found
    assert (missing.level, missing.names) == ("error", ("robot_02",))
    assert (stranger.level, stranger.names) == ("warn", ("robot02",))
    assert "did you mean 'robot_02'" in stranger.text
    other = Expected.from_config(Config.from_yaml(DEMO).with_robots(3), SPACE)
    (stranger,) = examine(seen, other)
    assert stranger.names == ("robot_03",)
    assert "did you mean" not in stranger.text


def test_a_thousand_missing_robots_are_one_finding() -> None:
    fleet = Expected.from_config(Config.from_yaml(DEMO).with_robots(1000))
    present = healthy(fleet).publishers[:1]
    found = examine(Snapshot(nodes=("/dispatcher",), publishers=present), fleet)
    (finding,) = [one for one in found if one.check == "robots"]
    assert "1000 of 1000 robots" in finding.text
    assert len(finding.text) < 150
    assert len(finding.names) == 1000


def test_without_a_configuration_robots_are_those_that_publish_a_zone(fleet: Expected) -> None:
    seen = healthy(fleet)
    unknown = Expected.from_graph(seen.publishers, SPACE)
    assert unknown.robots == ROBOTS
    assert examine(seen, unknown) == []
    gone = replace(seen, publishers=tuple(one for one in seen.publishers if "robot_01" not in one.topic))
    assert examine(gone, Expected.from_graph(gone.publishers, SPACE)) == [], "nobody can miss a robot it does not know"


def test_two_nodes_with_the_same_robot(fleet: Expected) -> None:
    seen = healthy(fleet)
    (zone,) = seen.publishing(f"{SPACE}/robot_01/zone")
    finding = only(examine(replace(seen, publishers=(*seen.publishers, replace(zone, node="/twin"))), fleet))
    assert (finding.level, finding.names) == ("error", ("robot_01",))
    assert "/twin" in finding.text


def test_a_robot_node_without_a_driver(fleet: Expected) -> None:
    seen = healthy(fleet)
    finding = only(
        examine(
            replace(seen, publishers=tuple(one for one in seen.publishers if one.topic != f"{SPACE}/robot_03/odom")),
            fleet,
        )
    )
    assert (finding.level, finding.check, finding.names) == ("error", "poses", ("robot_03",))


def test_two_dispatchers_and_none(fleet: Expected) -> None:
    seen = healthy(fleet)
    (one,) = seen.publishing(f"{SPACE}/priority_zone")
    two = examine(replace(seen, publishers=(*seen.publishers, replace(one, node="/other"))), fleet)
    assert set(only(two).names) == {f"{SPACE}/dispatcher", "/other"}
    without = tuple(publisher for publisher in seen.publishers if publisher != one)
    assert only(examine(replace(seen, publishers=without), fleet)).level == "warn"


# --- types and qualities of service


@pytest.mark.parametrize(
    "topic", ["robot_00/zone", "robot_00/goal_pose", "priority_zone", "robot_00/odom", "diagnostics"]
)
def test_another_type_on_any_topic(fleet: Expected, topic: str) -> None:
    seen = healthy(fleet)
    finding = only(examine(replace(seen, publishers=change(seen.publishers, topic, type="std_msgs/msg/Int8")), fleet))
    assert (finding.level, finding.check, finding.names) == ("error", "types", (f"{SPACE}/{topic}",))
    reader = only(
        examine(replace(seen, subscriptions=change(seen.subscriptions, topic, type="std_msgs/msg/Int8")), fleet)
    )
    assert "/reader" in reader.text


@pytest.mark.parametrize("name", ["PoseStamped", "PoseWithCovarianceStamped"])
def test_a_pose_of_another_known_type_names_the_setting(fleet: Expected, name: str) -> None:
    seen = healthy(fleet)
    changed = change(seen.publishers, "robot_00/odom", type=POSE_TYPES[name])
    assert f"robot.pose_type: {name}" in only(examine(replace(seen, publishers=changed), fleet)).remedy


@pytest.mark.parametrize(
    ("topic", "offers", "ill"),
    [
        ("robot_00/zone", {"durability": "volatile"}, True),
        ("robot_00/zone", {"reliability": "best effort"}, True),
        ("priority_zone", {"durability": "volatile"}, True),
        ("robot_00/odom", {"reliability": "reliable"}, False),  # more than is asked for
        ("robot_00/odom", {"durability": "transient local", "reliability": "reliable"}, False),
        ("robot_00/zone", {"durability": "unknown", "reliability": "unknown"}, False),  # some middlewares do not tell
    ],
)
def test_offered_less_than_requested(fleet: Expected, topic: str, offers: dict[str, str], ill: bool) -> None:
    """By the rules of DDS: a request is met by what offers as much or more."""
    seen = healthy(fleet)
    found = examine(replace(seen, publishers=change(seen.publishers, topic, **offers)), fleet)
    assert [(one.level, one.check, one.names) for one in found] == [("error", "QoS", (f"{SPACE}/{topic}",))] * ill


def test_both_lacks_are_told_each_with_its_remedy(fleet: Expected) -> None:
    seen = healthy(fleet)
    less = change(seen.publishers, "robot_00/zone", durability="volatile", reliability="best effort")
    found = examine(replace(seen, publishers=less), fleet)
    assert len({one.remedy for one in found}) == 2


def test_a_foreign_reader_that_asks_for_more_than_a_goal_offers(fleet: Expected) -> None:
    """Nav2's subscription is not meanfleet's, but without it the robot stands."""
    seen = healthy(fleet)
    asking = change(seen.subscriptions, "robot_00/goal_pose", durability="transient local", node="/bt_navigator")
    finding = only(examine(replace(seen, subscriptions=asking), fleet))
    assert (finding.level, finding.names) == ("error", (f"{SPACE}/robot_00/goal_pose",))
    assert "/bt_navigator" in finding.text
    asking = change(seen.subscriptions, "diagnostics", durability="transient local")
    assert only(examine(replace(seen, subscriptions=asking), fleet)).level == "warn"


@pytest.mark.parametrize(
    ("quality", "kept", "why"),
    [
        ("reliable", "volatile", "starts later"),
        ("best effort", "transient local", "a lost stop"),
        ("reliable", "transient local", ""),
    ],
)
def test_a_panel_whose_stop_may_not_be_received(fleet: Expected, quality: str, kept: str, why: str) -> None:
    """Its readers ask for every quality, so that no reader lacks anything; which is no healthy stop all the same."""
    seen, topic, kind = healthy(fleet), f"{SPACE}/estop", "std_msgs/msg/Bool"
    readers = tuple(
        endpoint(topic, kind, f"{SPACE}/robots", *asked)
        for asked in (("reliable", "transient local"), ("reliable", "volatile"), ("best effort", "volatile"))
    )
    panel = endpoint(topic, kind, "/gui", quality, kept)
    seen = replace(seen, publishers=(*seen.publishers, panel), subscriptions=seen.subscriptions + readers)
    found = examine(seen, fleet)
    assert [(one.level, one.check) for one in found] == ([("warn", "estop")] if why else [])
    assert all(why in one.text and "/gui" in one.text for one in found)


def test_the_same_illness_of_all_robots_is_one_finding(fleet: Expected) -> None:
    seen = healthy(fleet)
    publishers = seen.publishers
    for robot in ROBOTS:
        publishers = change(publishers, f"{robot}/zone", durability="volatile")
    assert only(examine(replace(seen, publishers=publishers), fleet)).names == tuple(
        f"{SPACE}/{robot}/zone" for robot in ROBOTS
    )


# --- clocks


@given(
    apart=st.floats(-1e4, 1e4),
    delays=st.lists(st.floats(0, 5), min_size=2, max_size=20),
)
def test_the_offset_is_right_up_to_the_shortest_delay(apart: float, delays: list[float]) -> None:
    """Stamps by a clock that is `apart` ahead; each message takes its delay."""
    messages = [Heard("zone", WALL + t + apart, WALL + t + delay) for t, delay in enumerate(delays)]
    estimate = offset(messages)
    assert estimate == pytest.approx(min(delays) - apart, abs=1e-5)


def test_one_latched_message_tells_no_offset_unless_it_lies_in_the_future() -> None:
    assert offset([]) is None
    assert offset([Heard("zone", WALL - 100, WALL)]) is None
    assert offset([Heard("zone", WALL + 100, WALL)] * 2) == -100


def shift(seen: Snapshot, robots: tuple[str, ...], by: float) -> Snapshot:
    """Stamps of some robots by clocks that are ahead."""
    return replace(
        seen,
        heard=tuple(
            replace(one, stamp=one.stamp + by) if one.topic.split("/")[2] in robots else one for one in seen.heard
        ),
    )


@pytest.mark.parametrize(("by", "ill"), [(5.0, True), (-5.0, True), (0.9, False), (-0.9, False)])
def test_a_robots_clock(fleet: Expected, by: float, ill: bool) -> None:
    found = examine(shift(healthy(fleet), ("robot_01",), by), fleet)
    names = (f"{SPACE}/robot_01/zone", f"{SPACE}/robot_01/odom")
    assert [(one.level, one.check, one.names) for one in found] == [("error", "clocks", names)] * ill


def test_if_all_are_apart_alike_it_is_the_doctors_own_clock(fleet: Expected) -> None:
    found = only(examine(shift(healthy(fleet), (*ROBOTS, "priority_zone"), 60.0), fleet))
    assert "this computer's clock is the wrong one" in found.text


def test_fast_simulations_may_lag_more(fleet: Expected) -> None:
    """At 50 times real time a tenth of a second on the way is five simulated seconds."""
    late = shift(healthy(fleet), ROBOTS, -3.0)
    assert examine(simulated(late, 50.0), fleet) == []
    assert only(examine(simulated(late, 1.0), fleet)).check == "clocks"


def test_wall_stamps_in_a_simulation(fleet: Expected) -> None:
    seen = simulated(healthy(fleet), 1.0)
    heard = tuple(replace(one, stamp=one.stamp + WALL) if "robot_02" in one.topic else one for one in seen.heard)
    finding = only(examine(replace(seen, heard=heard), fleet))
    assert "another kind of time" in finding.text
    assert "use_sim_time" in finding.remedy


def test_a_node_that_does_not_follow_the_simulated_clock(fleet: Expected) -> None:
    seen = simulated(healthy(fleet), 1.0)
    fewer = tuple(one for one in seen.subscriptions if (one.topic, one.node) != ("/clock", f"{SPACE}/dispatcher"))
    finding = only(examine(replace(seen, subscriptions=fewer), fleet))
    assert (finding.check, finding.names) == ("clock", (f"{SPACE}/dispatcher",))


def test_two_clocks_a_silent_one_and_none(fleet: Expected) -> None:
    seen = simulated(healthy(fleet), 1.0)
    second = endpoint("/clock", "rosgraph_msgs/msg/Clock", "/rosbag2_player", "best effort")
    assert "/rosbag2_player" in only(examine(replace(seen, publishers=(*seen.publishers, second)), fleet)).text
    silent = only(examine(replace(seen, clock=(), heard=()), fleet))
    assert "nothing was heard" in silent.text
    without = tuple(one for one in seen.publishers if one.topic != "/clock")
    assert "time stands still" in only(examine(replace(seen, publishers=without, clock=(), heard=()), fleet)).text


def test_zones_that_are_not_renewed_and_priorities_that_stop(fleet: Expected) -> None:
    seen = healthy(fleet)
    latched = (Heard(f"{SPACE}/robot_00/zone", WALL - 30, WALL, fleet.zones[0]),)
    finding = only(examine(replace(seen, heard=latched), fleet))
    assert (finding.level, finding.check) == ("warn", "stamps")
    assert "30 s" in finding.text
    old = (Heard(f"{SPACE}/priority_zone", WALL - 25, WALL, fleet.zones[0]),)
    assert only(examine(replace(seen, heard=old), fleet)).check == "dispatcher"


def telling(seen: Snapshot, topic: str, frame: str) -> Snapshot:
    """The same fleet with another frame on one topic."""
    full = f"{SPACE}/{topic}"
    return replace(seen, heard=tuple(replace(one, frame=frame) if one.topic == full else one for one in seen.heard))


@pytest.mark.parametrize("topic", ["priority_zone", "robot_02/zone"])
def test_an_emergency_stop_and_a_robot_out_of_service_are_no_illness(fleet: Expected, topic: str) -> None:
    """What they tell is an empty name."""
    assert examine(telling(healthy(fleet), topic, ""), fleet) == []


def test_on_a_line_the_priority_is_a_place_and_robots_tell_bins() -> None:
    fleet = Expected.from_config(Config.from_yaml(DEMO.with_name("continuous.yaml")).with_robots(4), SPACE)
    seen = telling(healthy(fleet), "priority_zone", "-0.7312")
    assert examine(seen, fleet) == []
    assert examine(telling(seen, "priority_zone", ""), fleet) == []
    for strange in ("bin_1", "2.5", "nan"):
        finding = only(examine(telling(seen, "priority_zone", strange), fleet))
        assert (finding.check, finding.names) == ("zones", (f"{SPACE}/priority_zone",))
        assert f"says {strange!r}, which the configuration does not know" in finding.text
    finding = only(examine(telling(seen, "robot_001/zone", "0.3"), fleet))
    assert finding.names == (f"{SPACE}/robot_001/zone",)


def test_a_zone_of_another_configuration(fleet: Expected) -> None:
    seen = healthy(fleet)
    heard = tuple(replace(one, frame="atlantis") if one.topic.endswith("robot_02/zone") else one for one in seen.heard)
    finding = only(examine(replace(seen, heard=heard), fleet))
    assert (finding.check, finding.names) == ("zones", (f"{SPACE}/robot_02/zone",))
    assert "atlantis" in finding.text


# --- settings


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        ({"ROS_DOMAIN_ID": "42", "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}, []),
        ({"ROS_DOMAIN_ID": "233"}, [("error", "domain")]),
        ({"ROS_DOMAIN_ID": "-1"}, [("error", "domain")]),
        ({"ROS_DOMAIN_ID": "102"}, [("warn", "domain")]),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "OFF"}, [("error", "discovery")]),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}, [("info", "discovery")]),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "localhost"}, [("error", "discovery")]),
        ({"ROS_LOCALHOST_ONLY": "1", "ROS_STATIC_PEERS": "10.0.0.2"}, [("warn", "discovery")]),
        ({"ROS_LOCALHOST_ONLY": "0"}, []),
        ({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}, [("error", "middleware")]),
        ({"RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"}, []),
        ({"FASTDDS_DEFAULT_PROFILES_FILE": "/nowhere/profiles.xml"}, [("error", "settings")]),
        ({"CYCLONEDDS_URI": "<CycloneDDS></CycloneDDS>"}, []),
        ({"ROS_DISCOVERY_SERVER": "10.0.0.1:11811"}, [("info", "discovery")]),
    ],
)
def test_settings(variables: dict[str, str], expected: list[tuple[str, str]]) -> None:
    settings = replace(gather_settings(variables), rmw="rmw_fastrtps_cpp")
    assert [(one.level, one.check) for one in check_settings(Snapshot(settings=settings))] == expected


def test_settings_take_only_what_concerns_ros() -> None:
    settings = gather_settings({"HOME": "/root", "ROS_DOMAIN_ID": "3", "ROS_STATIC_PEERS": ""})
    assert settings.variables == {"ROS_DOMAIN_ID": "3"}
    assert settings.versions["meanfleet"]


# --- putting it together


@given(st.lists(st.sampled_from(ORDER)))
def test_errors_come_first_and_nothing_gets_lost(levels: list[Any]) -> None:
    found = [Finding(level, "check", str(i)) for i, level in enumerate(levels)]
    ordered = by_level(found)
    assert sorted(ordered, key=lambda one: int(one.text)) == found
    assert [ORDER.index(one.level) for one in ordered] == sorted(ORDER.index(one.level) for one in found)


@given(st.lists(st.text("abc", min_size=1), max_size=20))
def test_few_names_tell_how_many_there_are(names: list[str]) -> None:
    told, _, more = few(names).partition(" and ")
    assert len(told.split(", ") if told else []) + int(more.split()[0] if more else 0) == len(names)


def test_the_overview_counts(fleet: Expected) -> None:
    seen = replace(healthy(fleet), settings=Settings({"ROS_DOMAIN_ID": "7"}, rmw="rmw_fastrtps_cpp"))
    said = as_json(seen, fleet, examine(seen, fleet))
    assert said["seen"] == overview(seen, fleet)
    assert (said["seen"]["robots"], said["seen"]["robots_seen"], said["seen"]["domain"]) == (4, 4, "7")
    assert said["findings"] == []


def posed(fleet: Expected, frame: str, xy: tuple[float, float], robots: tuple[str, ...]) -> Snapshot:
    """A healthy fleet but for the last poses of some robots."""
    seen = healthy(fleet)
    names = {topic.name: topic.robot for topic in fleet.topics() if topic.kind == "pose"}
    heard = tuple(
        replace(one, frame=frame.format(names[one.topic]), xy=xy) if names.get(one.topic) in robots else one
        for one in seen.heard
    )
    return replace(seen, heard=heard)


@pytest.mark.parametrize("frame", ["odom", "{}/map"])
def test_poses_in_a_frame_that_is_not_known(fleet: Expected, frame: str) -> None:
    finding = only(examine(posed(fleet, frame, (0.0, 0.0), ROBOTS[2:]), fleet))
    assert (finding.level, finding.check, finding.names) == ("error", "frames", ROBOTS[2:])
    assert all(repr(frame.format(name)) in finding.text for name in ROBOTS[2:])
    assert "frames.static" in finding.text
    assert examine(posed(fleet, "/map", (0.0, 0.0), ROBOTS[2:]), fleet) == []


def test_robots_outside_all_zones(fleet: Expected) -> None:
    finding = only(examine(posed(fleet, "map", (500.0, 500.0), ROBOTS[1:2]), fleet))
    assert (finding.level, finding.check, finding.names) == ("warn", "places", ROBOTS[1:2])
    assert "outside all zones" in finding.text
