"""The fleet of config/graphon.yaml: what a robot counts in the game, in simulation and over ROS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from fleets import hand_made_policy
from processes import Processes

from meanfleet.config import Config
from meanfleet.dispatcher_node.dispatcher import Decision, Dispatcher
from meanfleet.running.record import RunRecord
from meanfleet.running.simulation import simulate
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PolicyBundle
from naive.weighting import fleet_reward

ROOT = Path(__file__).resolve().parents[2]
N, K, LIFTS = 12, 5, 2
STORAGE = 1  # where all robots matter alike in this test


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """graphon.yaml as shipped but for fewer robots and weights: forklifts are certain to be polled for the docks."""
    made = tmp_path_factory.mktemp("graphon")
    body = yaml.safe_load((ROOT / "config" / "graphon.yaml").read_text(encoding="utf-8"))
    body["fleet"] = {"prefix": "r", "count": N}
    body["interactions"] = {"receiving": {"forklift": 10.0}, "shipping": {"cart": 0.1}}
    body["dispatcher"] |= {"k": K, "observer": "memoryless"}
    (made / "graphon.yaml").write_text(yaml.safe_dump(body, sort_keys=False))
    hand_made_policy(Config.from_yaml(made / "graphon.yaml"), made / "policy.npz")
    return made


def test_a_robot_counts_in_the_reward_what_it_matters_to_the_priority_zone() -> None:
    """The shipped game at 100 random fleets: its mean over robots is the weighted mean of the rewards of each type."""
    config = Config.from_yaml(ROOT / "config" / "graphon.yaml")
    game, own = Game.from_config(config), [Game.from_config(config.of_type(name)) for name in config.types]
    kinds, rng, zones = np.array(config.type_of), np.random.default_rng(1), len(config.zones)
    assert np.bincount(kinds).tolist() == [10, 50]
    matter = np.array([[10.0, 1.0], [3.0, 1.0], [10.0, 1.0]])
    for _ in range(100):
        where, moves = rng.integers(zones, size=len(kinds)), rng.integers(3, size=len(kinds))
        s, a = rng.integers(zones, size=2)
        rewards = [own[kind].r_l[z, s, move] for kind, z, move in zip(kinds, where, moves, strict=True)]
        said = game.r_g[s, a] + game.r_l[kinds * zones + where, s, moves].mean()
        assert said == pytest.approx(fleet_reward(game.r_g[s, a], rewards, matter[s, kinds].tolist()), rel=1e-12)


def check(tick: dict[str, Any], zones: tuple[str, ...]) -> None:
    """Who was polled, what every answer counted, and what mattered, by hand."""
    polled = [int(name[1:]) for name in tick["sampled"]]
    lifts = sum(robot < LIFTS for robot in polled)
    assert len(polled) == K
    docks = tick["priority"] != zones[STORAGE]
    if docks:  # both forklifts, and 3 of 10 carts
        assert lifts == LIFTS
    chance = {True: 1.0, False: (K - LIFTS) / (N - LIFTS)} if docks else dict.fromkeys((True, False), K / N)
    mean = (LIFTS / chance[True] + (N - LIFTS) / chance[False]) / N
    total = dict.fromkeys(zones, 0.0)
    for name, (zone, _, weight) in tick["heard"].items():
        lift = int(name[1:]) < LIFTS
        assert weight == pytest.approx(1 / chance[lift] / mean)
        total[zone] += (10.0 if lift and docks else 1.0) / chance[lift]
    assert list(tick["weighted"]) == pytest.approx([value / sum(total.values()) for value in total.values()])


def test_simulated_dispatchers_poll_who_matters_to_the_present_priority(folder: Path) -> None:
    config, bundle = Config.from_yaml(folder / "graphon.yaml"), PolicyBundle.load(folder / "policy.npz")
    decisions: list[Decision] = []

    def note(tick: int, dispatcher: Dispatcher, world: object) -> None:
        assert dispatcher.last is not None
        decisions.append(dispatcher.last)

    run = simulate(config, bundle, ticks=60, seed=5, on_tick=note)
    lifts = []
    for t, decision in enumerate(decisions):
        heard = {name: (config.zones[a.zone % 3], a.age, a.weight) for name, a in decision.heard.items()}
        priority = config.zones[run.priority[t]]
        told = {"sampled": list(heard), "heard": heard, "weighted": decision.weighted, "priority": priority}
        check(told, config.zones)
        assert sum(decision.histogram) == K  # whole robots for the table, rounded without a bias
        assert all(config.zones[run.zones[t, int(name[1:])]] == zone for name, (zone, _, _) in heard.items())
        if decision.priority == STORAGE:
            lifts.append(sum(int(name[1:]) < LIFTS for name in heard))
    assert set(run.priority.tolist()) == {0, 1, 2}
    assert np.mean(lifts) < LIFTS - 0.5, "where robots matter alike few forklifts are polled"
    evenly = simulate(config, bundle, ticks=5, seed=5, sampling="uniform", on_tick=note)
    assert len(evenly.priority) == 5
    assert [decision.weighted for decision in decisions[60:]] == [()] * 5


def test_over_ros_the_dispatcher_polls_by_weight_and_says_what_matters(folder: Path, processes: Processes) -> None:
    pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")
    out = processes.folder / "run"
    up = processes.module(
        "meanfleet", "up", str(folder / "graphon.yaml"), "--policy", str(folder / "policy.npz"),
        "--duration", "12", "--real-time-factor", "3", "--sampling", "graphon", "--out", str(out),
    )  # fmt: skip
    assert up.wait(timeout=180) == 0, processes.output(up)
    record, zones = RunRecord.load(out), Config.from_yaml(folder / "graphon.yaml").zones
    whole = [tick for tick in record.ticks if tick["complete"] and not tick["replacements"]]
    assert len(whole) >= 5, processes.output(up)
    for tick in whole:
        assert tick["sampling"] == "graphon"
        check(tick, zones)
    assert processes.left() == []
