"""Simulated time that stops or jumps back."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from faults.fleet import Fleet, gapless


def test_a_killed_simulation_stops_the_ticks_and_a_new_one_from_zero_starts_them_again(fleet: Fleet) -> None:
    """Its clock begins anew, so for everybody else time jumps back."""
    fleet.start()
    before = fleet.await_ticks(3, lambda tick: tick["complete"])[-1]
    fleet.kill("world")
    fleet.await_(
        lambda: any("clock" in text for text, _ in fleet.statuses("dispatcher")),
        "the dispatcher to say that the clock stands still",
    )
    fleet.start_world()
    after = fleet.await_ticks(3, lambda tick: tick["complete"])
    assert gapless(fleet.ticks), "a jump of the clock lost or repeated a tick"
    assert after[0]["stamp"] < before["stamp"], "time has not begun anew"
    stamps = [tick["stamp"] for tick in after]
    assert stamps == sorted(stamps)
    said = fleet.processes.output(fleet.parts["dispatcher"])
    assert "jumped back" in said


def test_a_simulation_that_comes_late_is_waited_for(fleet: Fleet) -> None:
    """A first launch compiles for a minute before /clock begins: no error, and nobody is asked without a time."""
    fleet.start_robots("robots", fleet.names)
    fleet.start_dispatcher(startup_timeout=0.5)
    log = lambda: fleet.processes.output(fleet.parts["dispatcher"])  # noqa: E731
    fleet.await_(lambda: "waiting for the clock" in log(), "the dispatcher to wait for the clock")
    fleet.await_(lambda: fleet.statuses("dispatcher clock"), "diagnostics to say so after startup_timeout")
    assert "asked were heard" not in log()
    fleet.start_world()
    assert fleet.await_ticks(1)[0]["complete"], "it has listened to the robots before"
    assert fleet.ticks[0]["tick"] == 0
    assert "[ERROR]" not in fleet.logs()


def test_a_supervised_run_ends_with_its_simulation(fleet: Fleet) -> None:
    """`meanfleet up` names the part that died, ends the others, and fails."""
    up = fleet.up()
    world = fleet.await_(lambda: fleet.pid_of("meanfleet.sim.node"), "the world to start")
    fleet.await_(lambda: fleet.ticks, "a tick")
    fleet.kill_pid(world)
    assert up.wait(timeout=30) == 1
    assert "the world was ended by signal 9" in fleet.processes.output(up)
    assert fleet.processes.left() == []
