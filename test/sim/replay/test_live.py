"""A live run over ROS, re-enacted from its bag: the dispatcher's code comes to the decisions that were made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from processes import Processes

pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")

from meanfleet.config import Config
from meanfleet.running.record import RunRecord
from meanfleet.sim.bags.reading import read_fleet
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.studies.replay.reenact import reenact

TICKS = 12


@pytest.mark.parametrize("observer", ["memoryless", "dirichlet"])
def test_a_live_run_is_reenacted_from_its_bag(
    processes: Processes, demo_path: Path, demo_policy: Path, demo_bundle: PolicyBundle, observer: str
) -> None:
    bag, out = processes.folder / "bag", processes.folder / "run"
    config = Config.from_yaml(demo_path).with_robots(20)
    up = processes.module(
        "meanfleet", "up", str(demo_path), "-p", str(demo_policy), "-n", "20", "-k", "5", "--observer", observer,
        "--seed", "6", "--real-time-factor", "16", "--duration", str(TICKS * config.dispatcher.tick),
        "--out", str(out), "--record", str(bag),
    )  # fmt: skip
    assert up.wait(timeout=180) == 0, processes.output(up)

    log = read_fleet(bag, config)
    lived = {entry["tick"]: entry for entry in RunRecord.load(out).ticks}
    assert [entry["tick"] for entry in log.ticks] == list(range(len(log.ticks)))
    assert len(log.ticks) >= TICKS
    assert all(entry == lived[entry["tick"]] for entry in log.ticks if entry["tick"] in lived)
    assert len({entry["dispatch"] for entry in log.ticks} | {entry["priority"] for entry in log.ticks}) > 1

    found = reenact(log.ticks, demo_bundle, log.robots, log.zone_names)
    assert found.mismatches == []
    assert (found.ticks, found.anchored, found.exact) == (len(log.ticks), 0, True)

    # Not by the report's own words alone: what a table says of the zones in the bag is what was decided.
    if observer == "memoryless":
        for entry in log.ticks:
            if entry["table_k"] == len(entry["heard"]):
                zones = [config.zones.index(zone) for zone, _, _ in entry["heard"].values()]
                histogram = np.bincount(zones, minlength=len(config.zones))
                decided = demo_bundle.dispatch(config.zones.index(entry["priority"]), histogram)
                assert config.zones[decided] == entry["dispatch"]
    # Nor would any other decision have passed.
    changed = [dict(entry) for entry in log.ticks]
    row = next(i for i, entry in enumerate(changed) if entry["kappa"] is not None or entry["table_k"] is not None)
    other = next(zone for zone in config.zones if zone != changed[row]["dispatch"])
    changed[row]["dispatch"] = other
    assert reenact(changed, demo_bundle, log.robots, log.zone_names).mismatches[0].tick == row
