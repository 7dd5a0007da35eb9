"""SIGTERM at any moment: everything ends within its grace, without an error."""

from __future__ import annotations

import signal

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from faults.fleet import Fleet

MOMENTS = {
    "as soon as it runs": lambda fleet: fleet.pid_of("meanfleet.sim.node"),
    "while nodes are starting": lambda fleet: fleet.pid_of("meanfleet.running.node"),
    "while robots are discovered": lambda fleet: fleet.statuses("world"),
    "at the first tick": lambda fleet: fleet.ticks,
    "in the middle of the run": lambda fleet: len(fleet.ticks) >= 4,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_ends_on_sigterm(fleet: Fleet, moment: str) -> None:
    up = fleet.up()
    fleet.await_(lambda: MOMENTS[moment](fleet), moment)
    up.send_signal(signal.SIGTERM)
    assert up.wait(timeout=5) == 0, fleet.processes.output(up)
    assert fleet.processes.left() == []
    assert "Traceback" not in fleet.processes.output(up)
