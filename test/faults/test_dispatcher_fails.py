"""A dispatcher that dies, a second one, and files that fail it while it runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from faults.fleet import Fleet, gapless
from std_msgs.msg import Header

from meanfleet.ros.conversions import zone_header
from meanfleet.ros.node import LATCHED


def test_a_killed_dispatcher_resumes_priority_and_belief(fleet: Fleet, tmp_path: Path) -> None:
    """The second one starts from what the first wrote after its last tick: no tick number is missing or told twice."""
    given = {"checkpoint": str(tmp_path / "state.json"), "observer": "dirichlet"}
    fleet.start(**given)
    fleet.await_ticks(4, lambda tick: tick["complete"])
    fleet.kill("dispatcher")
    state = json.loads((tmp_path / "state.json").read_text())
    last = fleet.ticks[-1]
    assert state["tick"] in (last["tick"] + 1, last["tick"] + 2)  # its last report may have died with it
    # Whoever discovers a publisher late misses its first reports: this one waits until the test listens.
    fleet.start_dispatcher("second", await_nodes=["listener"], startup_timeout=600.0, **given)
    first = fleet.await_ticks(1)[0]
    assert first["tick"] == state["tick"]
    said = fleet.processes.output(fleet.parts["second"])
    assert f"resuming at tick {state['tick']} with priority {fleet.config.zones[state['priority']]}" in said
    assert first["effective"] > fleet.config.dispatcher.k / 2, "the belief was forgotten"
    ledger = first["ledger"]
    assert ledger["complete"] + ledger["partial"] + ledger["held"] == first["tick"] + 1


def test_a_checkpoint_has_one_owner(fleet: Fleet, tmp_path: Path) -> None:
    given = {"checkpoint": str(tmp_path / "state.json")}
    fleet.start(**given)
    fleet.await_ticks(1)
    fleet.start_dispatcher("second", **given)
    assert fleet.parts["second"].wait(timeout=60) == 2
    said = fleet.processes.output(fleet.parts["second"])
    assert "state.json" in said
    assert "Traceback" not in said
    assert fleet.parts["dispatcher"].poll() is None


def test_nothing_that_outlives_a_killed_process_is_shared(fleet: Fleet) -> None:
    """Fast DDS would use shared memory between processes of one computer: what a killed one was writing stays there."""
    fleet.start()
    fleet.await_ticks(2, lambda tick: tick["complete"])
    for part in fleet.parts.values():
        mapped = Path(f"/proc/{part.pid}/maps").read_text()
        assert "libfastdds" in mapped
        assert "/dev/shm/fastdds" not in mapped


def test_a_second_publisher_of_the_priority_is_reported_by_all_and_robots_hold(fleet: Fleet) -> None:
    fleet.start()
    fleet.await_ticks(2, lambda tick: tick["complete"])
    intruder = fleet.listener.node.create_publisher(Header, "priority_zone", LATCHED)
    fleet.await_ticks(1, lambda tick: tick["clashes"] == 1)
    held = fleet.await_(
        lambda: [values for _, values in fleet.statuses("robots") if values.get("clashes") and "holding" in values],
        "robots that say they hold",
    )
    assert set(held[-1]["holding"]) == set(fleet.names)
    fleet.await_(
        lambda: any(values.get("clashes") == 1 for _, values in fleet.statuses("world")), "the world to report it"
    )
    acted = len(fleet.statuses("robots"))
    intruder.publish(zone_header("storage", 1e6))
    fleet.await_ticks(3)
    moves = [values for _, values in fleet.statuses("robots")[acted:] if "moves" in values]
    assert not moves, "robots obeyed one of two dispatchers"
    fleet.listener.node.destroy_publisher(intruder)
    fleet.await_ticks(1, lambda tick: tick["clashes"] == 0)
    count = len(fleet.statuses("robots"))
    fleet.await_(
        lambda: any("moves" in values for _, values in fleet.statuses("robots")[count:]), "robots that act again"
    )
    assert gapless(fleet.ticks)


def test_a_checkpoint_that_cannot_be_written_is_said_and_costs_no_tick(fleet: Fleet, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    fleet.start(checkpoint=str(folder / "state.json"))
    fleet.await_ticks(2, lambda tick: tick["complete"])
    folder.rename(tmp_path / "moved")
    folder.write_text("a file where the folder was")
    count = len(fleet.ticks)
    fleet.await_ticks(3, lambda tick: tick["complete"])
    said = fleet.processes.output(fleet.parts["dispatcher"])
    assert "state.json" in said
    assert "Traceback" not in said
    assert gapless(fleet.ticks[count - 1 :])
    folder.unlink()
    fleet.await_((folder / "state.json").exists, "the checkpoint to be written again")


@pytest.mark.parametrize("node", ["dispatcher", "robots"])
def test_a_damaged_bundle_is_refused_and_the_old_one_stays(fleet: Fleet, tmp_path: Path, node: str) -> None:
    damaged = tmp_path / "damaged.npz"
    content = bytearray(fleet.policy.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    fleet.start()
    fleet.await_ticks(2, lambda tick: tick["complete"])
    answer = fleet.set_parameter(f"/{node}", "policy", str(damaged))
    assert not answer.successful
    assert "damaged.npz" in answer.reason
    assert fleet.set_parameter(f"/{node}", "policy", str(fleet.policy)).successful
    count, acted = len(fleet.ticks), len(fleet.statuses("robots"))
    fleet.await_ticks(2, lambda tick: tick["complete"])
    assert gapless(fleet.ticks[count - 1 :])
    moving: Any = fleet.await_(
        lambda: [values for _, values in fleet.statuses("robots")[acted:] if "moves" in values], "robots that act"
    )
    assert len(moving[-1]["moves"]) == len(fleet.names)


def test_the_log_of_a_run_on_a_full_disk_ends_and_the_run_goes_on(fleet: Fleet, tmp_path: Path) -> None:
    """The monitor writes to a device that is always full."""
    fleet.start()
    os.symlink("/dev/full", tmp_path / "run.jsonl")
    fleet.start_monitor(out=str(tmp_path))
    fleet.await_(lambda: "run.jsonl" in fleet.processes.output(fleet.parts["monitor"]), "the monitor to say so")
    fleet.await_ticks(2, lambda tick: tick["complete"])
    assert fleet.parts["monitor"].poll() is None
    assert "Traceback" not in fleet.processes.output(fleet.parts["monitor"])
