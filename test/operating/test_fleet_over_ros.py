"""`meanfleet doctor` and `meanfleet watch` beside meanfleet's own fleet at work: world, robots, dispatcher."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from faults.fleet import LIMIT, Fleet, K, N
from operating.sick_fleet import printed_object
from processes import ROOT, Listener, Processes, wait_for


@pytest.fixture(scope="module")
def fleet(demo_path: Path, demo_policy: Path) -> Iterator[Fleet]:
    """Twelve robots in two processes, the dispatcher and the kinematic world, that have begun to tick."""
    processes = Processes()
    listener = Listener(processes.domain)
    running = Fleet(processes, listener, demo_path, demo_policy)
    running.start({"first": running.names[:4], "others": running.names[4:]})
    try:
        running.await_ticks(2, lambda tick: tick["complete"])
        yield running
    finally:
        listener.close()
        processes.end_all()


def ended(fleet: Fleet, process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Exit code and output of a command, once it has ended."""
    fleet.await_(lambda: process.poll() is not None, "the end of a command")
    return process.returncode, fleet.processes.output(process)


def test_the_doctor_finds_nothing_wrong(fleet: Fleet) -> None:
    """Types and QoS are what the doctor expects, at eight times real time; so no false alarm."""
    process = fleet.processes.module("meanfleet", "doctor", str(fleet.path), "-n", str(N), "--seconds", "3", "--json")
    code, text = ended(fleet, process)
    report = printed_object(text)
    assert code == 0, report
    assert [finding for finding in report["findings"] if finding["level"] != "info"] == []
    seen = report["seen"]
    assert (seen["robots"], seen["robots_seen"], seen["robots_listened_to"], seen["dispatchers"]) == (N, N, N, 1)
    assert seen["simulated_time"]
    assert seen["messages"] > N


def test_the_doctor_knows_whom_the_configuration_does_not(fleet: Fleet) -> None:
    path = fleet.path.with_name("ten.yaml")
    listed = f"names: [{', '.join(fleet.names[:10])}]"
    path.write_text(fleet.path.read_text().replace("prefix: robot_", listed).replace("count: 100", ""))
    process = fleet.processes.module("meanfleet", "doctor", str(path), "--seconds", "2", "--json")
    code, text = ended(fleet, process)
    assert code == 0, text
    (stranger,) = [finding for finding in printed_object(text)["findings"] if finding["check"] == "robots"]
    assert (code, stranger["level"], stranger["names"]) == (0, "warn", list(fleet.names[10:]))


def test_watch_tells_what_the_nodes_said(fleet: Fleet) -> None:
    """The object of a tick against the reports of the same tick as the test itself heard them."""
    process = fleet.processes.module("meanfleet", "watch", str(fleet.path), "-n", str(N), "--once", "--json")
    code, text = ended(fleet, process)
    assert code == 0, text
    said = printed_object(text)
    (tick,) = [tick for tick in fleet.ticks if tick["tick"] == said["tick"]["tick"]]
    assert {key: tick.get(key) for key in said["tick"]} == said["tick"]
    stamps = {report["stamp"] for report in said["reports"].values()}
    assert len(said["reports"]) == 2
    acts = [act for _, act in fleet.statuses("robots") if act.get("stamp") in stamps]
    acts = [act for act in acts if act["stamp"] == said["reports"][f"robots {act['robots'][0]}"]["stamp"]]
    counts = Counter(zone for act in acts for zone in act["zones"])
    assert said["seen"] == [counts[zone] for zone in range(5)]
    assert (sum(said["seen"]), said["zones"]) == (N, list(fleet.config.zones))
    assert said["believed"] == tick["mean"]
    assert said["gather_ms"]["last"] == pytest.approx(1e3 * tick["gather_seconds"])
    assert said["faults"] == []


def test_watch_draws_one_view(fleet: Fleet) -> None:
    given = (str(fleet.path), "-n", str(N), "--policy", str(fleet.policy), "--once")
    code, text = ended(fleet, fleet.processes.module("meanfleet", "watch", *given))
    assert code == 0, text
    assert all(zone in text for zone in fleet.config.zones)
    assert f"reported by {N} of {N}" in text
    assert f"{K} of {K}" in text
    assert "robots ≤" in text
    assert "no faults" in text


def test_watch_on_a_terminal_gives_it_back_on_ctrl_c(fleet: Fleet) -> None:
    """The alternate screen is left, the cursor is shown, and the last picture stays."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(fleet.processes.environment | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"})
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-m", "meanfleet", "watch", str(fleet.path), "-n", str(N)])
    shown = bytearray()

    def read() -> bytes:
        ready, _, _ = select.select([terminal], [], [], 0.05)
        try:
            shown.extend(os.read(terminal, 65536) if ready else b"")
        except OSError:  # its other end is closed
            return b"end"
        return b""

    status = None
    try:
        wait_for(lambda: b"gathered in" in shown, LIMIT, "a picture", read)
        os.write(terminal, b"\x03")
        wait_for(lambda: read() == b"end", LIMIT, "the terminal's end", lambda: None)
        _, status = wait_for(lambda: reaped if (reaped := os.waitpid(pid, os.WNOHANG))[0] else None, LIMIT, "its end")
    finally:
        if status is None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(terminal)
    text = shown.decode()
    assert "\x1b[?1049h" in text
    left = text.rindex("\x1b[?1049l")
    assert "\x1b[?25h" in text[left - 20 :]
    assert "gathered in" in text[left:]
    assert "Traceback" not in text
    assert os.waitstatus_to_exitcode(status) == 0


def test_watch_tells_ticks_and_new_faults_line_by_line(fleet: Fleet) -> None:
    """Without a terminal; a process of four robots is killed meanwhile. Runs last: the fleet is ill then."""
    process = fleet.processes.module("meanfleet", "watch", str(fleet.path), "-n", str(N))
    fleet.await_(lambda: f"reported {N}: " in fleet.processes.output(process), "a line that counts all robots")
    fleet.kill("first")
    late = "4 robots have not acted for more than 2 ticks: robots robot_00"
    fleet.await_(lambda: late in fleet.processes.output(process), "the fault's line")
    process.send_signal(signal.SIGINT)
    code, text = ended(fleet, process)
    assert code == 0
    assert text.count(late) == 1
    assert "\x1b" not in text
    assert "Traceback" not in text


def test_watch_without_a_dispatcher_says_so(processes: Processes) -> None:
    process = processes.module("meanfleet", "watch", "--once", "--wait", "1")
    assert process.wait(timeout=LIMIT) == 2
    line = processes.output(process).splitlines()[-1]
    assert f"domain {processes.domain}" in line
    assert "meanfleet doctor" in line


def test_what_is_no_status_of_meanfleet_is_passed_over() -> None:
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

    from meanfleet.operating.watch.conversions import statuses
    from meanfleet.ros.conversions import diagnostics

    own: Any = diagnostics("dispatcher", "warn", "text", {"k": 3, "zones": {"a": "b"}}, 1.0)
    own.status[0].values.append(KeyValue(key="broken", value="{"))
    other = DiagnosticStatus(name="camera", hardware_id="cam0", level=DiagnosticStatus.STALE)
    (status,) = statuses(DiagnosticArray(status=[other, *own.status]))
    assert (status.name, status.level, status.values) == ("dispatcher", "warn", {"k": 3, "zones": {"a": "b"}})
