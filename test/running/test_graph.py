"""From graph.yaml to robots: solve, inspect, simulate, run over ROS, fit and replay on a graph of zones."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from processes import Processes
from typer.testing import CliRunner

from meanfleet.base.errors import UserError
from meanfleet.cli.app import app
from meanfleet.config import Config
from meanfleet.running.record import RunRecord
from meanfleet.sim.bags.reading import read_fleet
from meanfleet.sim.fitting.estimating import behaviour, fit
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.space.zone_graph import ZoneGraph
from meanfleet.studies.replay.reenact import reenact

ROOT = Path(__file__).resolve().parents[2]
N, K, TICKS = 12, 2, 60
QUICK = {"tolerance": 1e-4, "starts": ["shortest"], "rollouts": 250, "kappa": 4, "rho": [0.95]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """graph.yaml as shipped but smaller, its policy solved by the command line, and a bag of a simulated run."""
    made = tmp_path_factory.mktemp("graph")
    body = yaml.safe_load((ROOT / "config" / "graph.yaml").read_text())
    body |= {"fleet": {"prefix": "r", "count": N}, "solver": QUICK}
    (made / "graph.yaml").write_text(yaml.safe_dump(body, sort_keys=False))
    meanfleet(made, "solve", "graph.yaml", "-k", f"1,{K}", "-o", "policy.npz")
    said = meanfleet(
        made, "simulate", "graph.yaml", "-p", "policy.npz", "-k", str(K), "--ticks", str(TICKS), "--record", "bag"
    )
    assert f"{TICKS} ticks, {N} robots" in said
    return made


def meanfleet(folder: Path, *arguments: str) -> str:
    """What the command prints, run in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "160")
        result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def neighbours(config: Config) -> dict[int, list[int]]:
    """By number, in the order of moves, as the file has them."""
    assert config.graph is not None
    index = {zone: i for i, zone in enumerate(config.zones)}
    return {index[zone]: [index[end] for end in ends] for zone, ends in config.graph.items()}


def test_inspect_calls_moves_by_the_zones_they_lead_to(folder: Path) -> None:
    bundle = PolicyBundle.load(folder / "policy.npz")
    text = meanfleet(folder, "inspect", "policy.npz", "-c", "graph.yaml")
    rows = [line.split("│")[1:-1] for line in text.splitlines() if line.count("│") == 7]
    config = Config.from_yaml(folder / "graph.yaml")
    shown = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}
    for z, zone in enumerate(config.zones):
        names = ["stay", *(f"to {end}" for end in (config.graph or {})[zone])]
        best = [names[move] for move in bundle.local_policy[z].argmax(axis=1)]
        assert [cell.split(" ", 2)[:2] for cell in shown[zone]] == [name.split(" ") for name in best]
    described = json.loads(meanfleet(folder, "inspect", "policy.npz", "--json"))
    assert described["moves"][1] == ["stay", "to 0", "to 2"]
    with pytest.raises(UserError, match="a ring of 5 zones"):
        meanfleet(folder, "inspect", "policy.npz", "-c", str(ROOT / "config" / "warehouse.yaml"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("simulate", "graph.yaml", "-p", "policy.npz", "-k", "2", "--backend", "kinematic"), "the kinematic backend"),
        (("count", "graph.yaml", "--backend", "kinematic", "-o", "counts.yaml"), "the kinematic backend"),
        (("simulate", str(ROOT / "config" / "warehouse.yaml"), "-p", "policy.npz", "-k", "2"), "a ring of 5 zones"),
    ],
)
def test_bodies_do_not_drive_graphs_and_policies_do_not_change_theirs(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        meanfleet(folder, *arguments)
    assert not (folder / "counts.yaml").exists()


def test_a_simulated_fleet_makes_the_moves_of_its_zones_and_its_bag_is_fitted(folder: Path) -> None:
    config = Config.from_yaml(folder / "graph.yaml")
    ways, bundle = neighbours(config), PolicyBundle.load(folder / "policy.npz")
    log = read_fleet(folder / "bag", config)
    assert log.moves is not None
    assert reenact(log.ticks, bundle, log.robots, log.zone_names).exact
    made = {(int(z), int(a)) for z, a in zip(log.zones[:-1].ravel(), log.moves[:-1].ravel(), strict=True)}
    assert all(a <= len(ways[z]) for z, a in made)
    assert len(made) > len(ways)  # they do not only stay

    found = fit(log, graph=config.zone_graph, by_priority=False)
    assert found.left_out.keys() <= {"tick before a gap, or the last", "zone unknown"}
    assert found.counts.sum() == (len(log.stamps) - 1) * N
    assert {(z, a) for z, a, _ in np.argwhere(found.counts)} == made
    rows = {(z, a) for z in ways for a in range(1 + len(ways[z]))}
    assert {tuple(row) for row in found.unseen} == rows - made
    assert found.summary()["coverage"]["rows"] == len(rows)
    for z, a in rows - made:  # nothing but the prior: the zone and its neighbours alike
        assert np.flatnonzero(found.law[z, a]).tolist() == sorted([z, *ways[z]])
    np.testing.assert_allclose(found.law.sum(axis=2), config.zone_graph.allowed)
    np.testing.assert_allclose(behaviour(log, config.zone_graph).sum(axis=2), 1)


def test_a_recorded_move_that_a_zone_does_not_have_is_told_and_not_counted(folder: Path) -> None:
    """The bag of a graph read as one with fewer ways: some moves are none there."""
    config = Config.from_yaml(folder / "graph.yaml")
    log = read_fleet(folder / "bag", config)
    line = ZoneGraph.from_neighbours(
        config.zones, {zone: [config.zones[(i + 1) % 5]] for i, zone in enumerate(config.zones)}
    )
    found = fit(log, graph=line, by_priority=False)
    assert log.moves is not None
    assert found.left_out["move that its zone does not have"] == int((log.moves[:-1] > 1).sum())
    assert found.counts.shape == (5, 2, 5)


def test_moves_inferred_from_where_robots_went_follow_the_shortest_way(folder: Path) -> None:
    config = Config.from_yaml(folder / "graph.yaml")
    log = read_fleet(folder / "bag", config)
    found = fit(log, graph=config.zone_graph, moves_from="way", by_priority=False, prior=0.0)
    for z, a, after in np.argwhere(found.counts):
        ends = neighbours(config)[z]
        assert a == (
            0 if after == z else 1 + ends.index(after) if after in ends else config.zone_graph.towards[z, after]
        )


def test_the_fitted_game_keeps_the_graph_and_the_bag_is_replayed_in_it(folder: Path) -> None:
    (folder / "fit").mkdir()
    text = meanfleet(folder, "fit", "bag", "-c", "graph.yaml", "-o", "fit/game.yaml")
    assert "without a model (Q-learning, k = 2" in text
    known = json.loads((folder / "fit" / "game.fit.json").read_text())
    config = Config.from_yaml(folder / "graph.yaml")
    zone, *_, move = known["unseen"][0]
    end = config.zones[neighbours(config)[zone][move - 1]]
    unseen = text.split("never seen, left to the prior: ")[1].splitlines()[0].split("; ")
    assert unseen[0] == f"{len(known['unseen'])} rows: {config.zones[zone]}, {f'to {end}' if move else 'stay'}"
    game = Game.from_yaml(folder / "fit" / "game.yaml")
    assert game.digest == known["game"]
    assert game.graph == config.zone_graph
    assert "j to the zone's j-th neighbour" in (folder / "fit" / "game.counts.yaml").read_text()
    common = ("-c", "graph.yaml", "--policy", "policy.npz", "-k", "1,2", "--seeds", "10", "--rollouts", "250")
    summary = json.loads(
        meanfleet(folder, "replay", "bag", *common, "--game", "fit/game.yaml", "--out", "out", "--json")
    )
    assert summary["reenacted"]["mismatches"] == 0
    assert summary["whole"]["game"] == known["game"]
    with pytest.raises(UserError, match="another world"):  # counted on other ways
        Game.from_config(_with_one_way_less(folder))


def _with_one_way_less(folder: Path) -> Config:
    body: dict[str, Any] = yaml.safe_load((folder / "fit" / "game.yaml").read_text())
    body["graph"]["storage"] = ["picking", "hub"]
    (folder / "fit" / "other.yaml").write_text(yaml.safe_dump(body, sort_keys=False))
    return Config.from_yaml(folder / "fit" / "other.yaml")


def test_over_ros_robots_go_where_the_ways_of_their_zone_lead(folder: Path, processes: Processes) -> None:
    pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")
    config, bundle = Config.from_yaml(folder / "graph.yaml"), PolicyBundle.load(folder / "policy.npz")
    out = processes.folder / "run"
    up = processes.module(
        "meanfleet", "up", str(folder / "graph.yaml"), "--policy", str(folder / "policy.npz"), "--k", str(K),
        "--duration", "12", "--real-time-factor", "3", "--out", str(out),
    )  # fmt: skip
    assert up.wait(timeout=180) == 0, processes.output(up)
    record, ways = RunRecord.load(out), neighbours(config)
    run = record.trajectory(config, bundle)
    assert len(run.priority) >= 5
    assert all(a <= len(ways[z]) for z, a in zip(run.zones.ravel(), run.moves.ravel(), strict=True))
    drawn = bundle.local_policy[run.zones, run.priority[:, None], run.moves]
    assert (drawn > 0).all()
    # Over all robots and ticks, where they end up is likelier by the moves they drew than if they had stayed.
    steps = [
        (z, s, a, after)
        for t, (one, two) in enumerate(itertools.pairwise(record.ticks))
        if two["tick"] == one["tick"] + 1 and t + 1 < len(run.priority)
        for z, s, a, after in zip(run.zones[t], [run.priority[t]] * N, run.moves[t], run.zones[t + 1], strict=True)
    ]
    moved = np.log([bundle.game.P_l[z, s, a, after] for z, s, a, after in steps]).sum()
    stayed = np.log([bundle.game.P_l[z, s, 0, after] for z, s, _, after in steps]).sum()
    assert moved > stayed
    assert processes.left() == []
