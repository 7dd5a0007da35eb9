"""The summary of a run says what the log says, and would say so if something were wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.running import figures
from meanfleet.running.record import LOG, RunRecord
from meanfleet.running.simulation import simulate
from meanfleet.running.summary import summarise
from meanfleet.solver.bundle.policy import PolicyBundle

N = 3


@pytest.fixture
def config(demo_path: Path) -> Config:
    return Config.from_yaml(demo_path).with_robots(N)


def tick(number: int, **changes: Any) -> dict[str, Any]:
    """A complete tick that polled robot_00 and robot_01."""
    return {
        "tick": number, "stamp": 8.0 * number, "priority": "storage", "dispatch": "storage", "next_priority": "storage",
        "sampled": ["robot_00", "robot_01"], "replacements": [], "messages": {"robot_00": 1, "robot_01": 2},
        "zones": {"robot_00": "storage", "robot_01": "picking"}, "missing": [], "stale": {}, "k": 2, "answered": 2,
        "complete": True, "gather_seconds": 0.02, "histogram": [0, 1, 1, 0, 0], "table_k": 2, "skipped": 0,
        "clashes": 0,
    } | changes  # fmt: skip


def act(stamp: float, zones: list[int], moves: list[int], published: int) -> dict[str, Any]:
    robots = [f"robot_{i:02d}" for i in range(N)]
    return {"stamp": stamp, "priority": "storage", "robots": robots, "zones": zones, "moves": moves,
            "zone_messages": published}  # fmt: skip


def record(ticks: list[dict[str, Any]]) -> RunRecord:
    found = RunRecord()
    for entry in ticks:
        found.add("dispatcher", entry)
        found.add("robots robot_00", act(entry["stamp"], [1, 1, 2], [0, 1, 2], 10 * entry["tick"]))
    return found


def test_reward_and_messages_are_counted_by_hand(config: Config, demo_bundle: PolicyBundle) -> None:
    """Two robots in the priority zone earn 10, one a zone away 1; moves earn 0, 0.5, -0.3; r_g is 1."""
    summary = summarise(record([tick(0), tick(1)]), config, demo_bundle)
    assert summary["reward"]["per_tick"] == pytest.approx(1 + (10 + 10.5 + (1 - 0.3)) / 3)
    assert summary["reward"]["share_in_priority_zone"] == pytest.approx(2 / 3)
    assert summary["messages"]["received_per_tick"] == 3
    assert summary["messages"]["robots_heard_per_tick"] == 2
    assert summary["messages"]["published_by_the_fleet_per_tick"] == 10
    assert summary["messages"]["exactly_the_asked"] is True
    assert summary["dispatcher"]["complete_fraction"] == 1


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"messages": {"robot_00": 1, "robot_01": 1, "robot_2": 1}}, "from_robots_not_asked"),
        ({"messages": {"robot_00": 1}, "complete": False, "answered": 1}, "asked_robots_not_heard"),
    ],
)
def test_strangers_and_silence_are_not_hidden(config: Config, changes: dict[str, Any], key: str) -> None:
    messages = summarise(record([tick(0), tick(1, **changes)]), config, None)["messages"]
    assert messages[key] == 1
    assert messages["exactly_the_asked"] is False


def test_a_replacement_counts_as_asked(config: Config) -> None:
    changed = tick(0, replacements=["robot_2"], messages={"robot_00": 1, "robot_01": 1, "robot_2": 1})
    assert summarise(record([changed]), config, None)["messages"]["exactly_the_asked"] is True


def test_a_tick_in_which_a_robot_did_not_act_is_left_out_of_the_reward(
    config: Config, demo_bundle: PolicyBundle
) -> None:
    found = record([tick(0), tick(1)])
    del found.acts[8.0]
    assert summarise(found, config, demo_bundle)["reward"]["ticks_with_all_robots"] == 1


def test_a_run_without_ticks_is_a_clear_error(config: Config) -> None:
    with pytest.raises(UserError, match="no tick"):
        summarise(RunRecord(), config, None)


def test_a_log_cut_in_its_last_line_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    lines = [json.dumps({"name": "dispatcher", "values": tick(i)}) for i in range(3)]
    (tmp_path / LOG).write_text("\n".join(lines)[:-40])
    assert len(RunRecord.load(tmp_path).ticks) == 2
    with pytest.raises(UserError, match="no log of a run"):
        RunRecord.load(tmp_path / "elsewhere")


def test_figures_are_drawn_from_runs(tmp_path: Path, demo_path: Path, demo_bundle: PolicyBundle) -> None:
    """Each figure of the demo is written whole, as PNG."""
    config = Config.from_yaml(demo_path).with_robots(20)
    runs = {rule: [simulate(config, demo_bundle, k=5, ticks=5, rule=rule)] for rule in ("learned", "hold", "random")}
    live = runs["learned"][0]
    assert live.moves.max() < 3
    figures.occupancy(tmp_path / "occupancy.png", live, config.zones, "title")
    figures.reward(tmp_path / "reward.png", runs, live, "title")
    rows = [{"robots": n, "received": 5.0, "published": 4.0 * n} for n in (20, 40)]
    figures.messages(tmp_path / "messages.png", rows, "title")
    for name in ("occupancy", "reward", "messages"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.iterdir())) == 3
