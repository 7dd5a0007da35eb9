"""SIGTERM at any moment: everything ends within its grace, without an error."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from faults.fleet import Fleet

LATE = "in the middle of the run"
MOMENTS = {
    "as soon as it runs": lambda fleet: fleet.pid_of("meanfleet.sim.node"),
    "while nodes are starting": lambda fleet: fleet.pid_of("meanfleet.running.node"),
    "while robots are discovered": lambda fleet: fleet.statuses("world"),
    "at the first tick": lambda fleet: fleet.ticks,
    LATE: lambda fleet: len(fleet.ticks) >= 4,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_ends_on_sigterm(fleet: Fleet, moment: str, tmp_path: Path) -> None:
    """What it had begun to record can be read."""
    bag = tmp_path / "bag"
    up = fleet.up("--record", str(bag))
    fleet.await_(lambda: MOMENTS[moment](fleet), moment)
    up.send_signal(signal.SIGTERM)
    # Within 5 s by design (`supervisor.GRACE`); a machine that runs much else may take longer.
    assert up.wait(timeout=20) == 0, fleet.processes.output(up)
    assert fleet.processes.left() == []
    assert "Traceback" not in fleet.processes.output(up)
    if moment == LATE or (bag / "metadata.yaml").exists():
        with AnyReader([bag], default_typestore=get_typestore(Stores.LATEST)) as reader:
            topics = {connection.topic for connection, _, _ in reader.messages()}
        assert "/priority_zone" in topics or moment != LATE


def test_a_run_ends_on_sigterm_while_its_game_is_solved(fleet: Fleet, tmp_path: Path) -> None:
    fleet.processes.environment["XDG_CACHE_HOME"] = str(tmp_path)
    up = fleet.processes.module("meanfleet", "up", str(fleet.path), "-n", "12", "-k", "5")
    fleet.await_(lambda: "solving the game" in fleet.processes.output(up), "the solver to begin")
    up.send_signal(signal.SIGTERM)
    assert up.wait(timeout=20) == 0, fleet.processes.output(up)
    assert "Traceback" not in fleet.processes.output(up)
    assert not list(tmp_path.rglob("*.npz")), "half a policy was kept"
