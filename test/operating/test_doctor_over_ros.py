"""`meanfleet doctor` in its own process, on fleets over real DDS: what is ill is found, and what is well is not."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from operating.sick_fleet import SickFleet, printed_object
from processes import Listener, Processes, wait_for

from meanfleet.base.errors import UserError
from meanfleet.cli.app import app

ROBOTS = [f"robot_{i}" for i in range(6)]
WELL, VOLATILE, MISTYPED, AHEAD, MISSING, BEHIND = ROBOTS
LIMIT = 60.0  # [s, wall] for anything awaited


def doctor(
    processes: Processes, *arguments: str, meanwhile: Callable[[], None] | None = None
) -> tuple[int, dict[str, Any]]:
    """Exit code and what it prints for machines."""
    process = processes.module("meanfleet", "doctor", *arguments, "--json")
    wait_for(lambda: process.poll() is not None, LIMIT, f"the end of doctor {arguments}", meanwhile)
    return process.returncode, printed_object(processes.output(process))


def errors(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [finding for finding in report["findings"] if finding["level"] == "error"]


def told(report: dict[str, Any], check: str) -> dict[str, Any]:
    """The one error of a check."""
    (finding,) = [finding for finding in errors(report) if finding["check"] == check]
    assert finding["remedy"]
    return finding


@pytest.fixture(scope="module")
def demo_of_six(demo_path: Path) -> Path:
    path = demo_path.with_name("six.yaml")
    path.write_text(demo_path.read_text().replace("count: 100", "count: 6"))
    return path


@pytest.fixture(scope="module")
def report(demo_of_six: Path) -> Iterator[dict[str, Any]]:
    """What the doctor says of a fleet in which every robot but one is ill in its own way."""
    processes = Processes()
    fleet = SickFleet(
        processes.domain,
        [name for name in ROBOTS if name != MISSING],
        volatile=[VOLATILE],
        mistyped=[MISTYPED],
        offsets={AHEAD: 5.0, BEHIND: -5.0},
        dispatchers=2,
    )
    try:
        code, said = doctor(processes, str(demo_of_six), "--seconds", "3", meanwhile=fleet.say)
        assert code == 1
        yield said
    finally:
        fleet.close()
        processes.end_all()


def test_a_volatile_zone_never_reaches_the_dispatcher(report: dict[str, Any]) -> None:
    finding = told(report, "QoS")
    assert finding["names"] == [f"/{VOLATILE}/zone"]
    assert "volatile" in finding["text"]
    assert "transient_local" in finding["remedy"]


def test_a_topic_of_another_type_is_found(report: dict[str, Any]) -> None:
    finding = told(report, "types")
    assert finding["names"] == [f"/{MISTYPED}/zone"]
    assert "std_msgs/msg/String" in finding["text"]
    assert "std_msgs/msg/Header" in finding["text"]


def test_two_dispatchers_are_found(report: dict[str, Any]) -> None:
    assert "2 nodes publish '/priority_zone'" in told(report, "dispatcher")["text"]
    assert report["seen"]["dispatchers"] == 2


def test_clocks_five_seconds_off_are_found(report: dict[str, Any]) -> None:
    finding = told(report, "clocks")
    assert {name.split("/")[1] for name in finding["names"]} == {AHEAD, BEHIND}
    assert "5.0 s ahead" in finding["text"] or "4.9 s ahead" in finding["text"]
    assert "chrony" in finding["remedy"]


def test_a_missing_robot_is_found(report: dict[str, Any]) -> None:
    finding = told(report, "robots")
    assert finding["names"] == [MISSING]
    assert "1 of 6 robots" in finding["text"]


def test_nothing_else_is_wrong_with_them(report: dict[str, Any]) -> None:
    checks = [finding["check"] for finding in errors(report)]
    assert sorted(checks) == ["QoS", "clocks", "dispatcher", "robots", "types"]


def test_an_empty_domain_is_said_to_be_empty(processes: Processes) -> None:
    code, report = doctor(processes, "--seconds", "1")
    finding = told(report, "discovery")
    assert code == 1
    assert f"domain {processes.domain}" in finding["text"]
    assert "ROS_DOMAIN_ID" in finding["remedy"]


def test_ctrl_c_ends_it_without_a_report(processes: Processes) -> None:
    process = processes.module("meanfleet", "doctor", "--seconds", "600")
    listener = Listener(processes.domain)
    try:
        names = listener.node.get_node_names
        wait_for(lambda: "meanfleet_doctor" in names(), LIMIT, "the doctor on the domain", listener.spin)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
    finally:
        listener.close()
    assert "Traceback" not in processes.output(process)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("doctor", "--namespace", "a b"), "--namespace 'a b'"),
        (("doctor", "nowhere.yaml"), "nowhere.yaml"),
        (("doctor", "--n", "5"), "--n counts the robots of a configuration"),
        (("watch", "--namespace", "site"), "--namespace 'site'"),
        (("watch", "--policy", "nowhere.npz"), "nowhere.npz"),
    ],
)
def test_a_users_mistake_is_one_sentence(arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(UserError, match=re.escape(says)):
        app(arguments, standalone_mode=False)


def test_a_domain_that_is_none_is_told_before_ros_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """rclpy itself would end with a traceback."""
    monkeypatch.setenv("ROS_DOMAIN_ID", "two")
    assert app(("doctor", "--json"), standalone_mode=False) == 1
    assert "'two'" in told(printed_object(capsys.readouterr().out), "domain")["text"]
