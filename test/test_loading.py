"""Which policies run which configuration: games whose moves lead to no zones run offline, by the moves' numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.running.recording import RunBag
from meanfleet.running.simulation import simulate
from meanfleet.solver import Game, policies
from meanfleet.solver.bundle.loading import load_policies
from meanfleet.solver.bundle.policy import PolicyBundle, Table

PLAIN = "zones: [low, high]\nfleet: {prefix: r, count: 300}\ndispatcher: {k: 2}\nworld: {backend: model}\n"
OWN = PLAIN + "game: {file: own.npz}\n"


def own_game(seed: int = 0) -> Game:
    """Two zones, three priorities, four dispatches, and moves that all lead everywhere."""
    rng = np.random.default_rng(seed)

    def laws(*shape: int) -> np.ndarray:
        return rng.dirichlet(np.ones(shape[-1]), shape[:-1])

    rewards = {"r_g": rng.random((3, 4)), "r_l": rng.random((2, 3, 2))}
    return Game.from_arrays({"P_g": laws(3, 4, 3), "P_l": laws(2, 3, 2, 2), "discount": 0.9} | rewards)


def bundle_for(game: Game) -> PolicyBundle:
    plan = np.arange(9).reshape(3, 3) % 4
    return PolicyBundle(game, policies.uniform(game), (Table(2, plan.astype(np.int64), {}),), {})


def configuration(folder: Path, text: str = OWN) -> Config:
    np.savez(folder / "own.npz", **own_game().arrays())  # type: ignore[arg-type]
    (folder / "own.yaml").write_text(text, encoding="utf-8")
    return Config.from_yaml(folder / "own.yaml")


def test_moves_that_lead_to_no_zones_are_run_by_their_numbers(tmp_path: Path) -> None:
    game, config = own_game(), configuration(tmp_path)
    run = simulate(config, bundle_for(game), ticks=200, seed=1)
    assert set(run.priority.tolist()) == {0, 1, 2}
    for zone, priority, move in np.ndindex(2, 3, 2):
        drawn = (run.zones[:-1] == zone) & (run.priority[:-1, None] == priority) & (run.moves[:-1] == move)
        arrived, law = run.zones[1:][drawn], game.P_l[zone, priority, move, 1]
        assert drawn.sum() > 300
        assert abs(arrived.mean() - law) < 5 * np.sqrt(law * (1 - law) / drawn.sum())
    paid = [
        game.r_l[zones, p, moves].mean() for zones, p, moves in zip(run.zones, run.priority, run.moves, strict=True)
    ]
    assert run.reward == pytest.approx(game.r_g[run.priority, run.dispatch] + paid)


@pytest.mark.parametrize(
    ("text", "seed", "said"),
    [
        (OWN, 1, "another game than that of .*own.yaml: run 'meanfleet solve' again"),
        (OWN.replace("low,", "low, middle,"), 0, "own.yaml names 3 zones, but the game in own.npz has 2"),
        (
            OWN.replace("k: 2", "k: 2, priority_dynamics: direct"),
            0,
            "3 priorities and 4 dispatches.*leave out 'direct'",
        ),
        (OWN.replace("model", "kinematic"), 0, "no robot can drive by it: .*--backend model"),
    ],
    ids=("another game", "other zones", "direct", "bodies"),
)
def test_what_cannot_run_is_refused_with_its_remedy(tmp_path: Path, text: str, seed: int, said: str) -> None:
    with pytest.raises(UserError, match=said):
        simulate(configuration(tmp_path, text), bundle_for(own_game(seed)), ticks=1)


def test_a_bag_of_them_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    with pytest.raises(UserError, match="no ways between zones, which bags are read by: add 'graph'"):
        simulate(config, bundle_for(own_game()), ticks=1, record=RunBag(tmp_path / "bag", config))
    assert not (tmp_path / "bag").exists()


def test_nodes_refuse_them_with_a_remedy_that_works(tmp_path: Path) -> None:
    """'graph' beside the file, and the game solved again: its moves are now ways."""
    rng = np.random.default_rng(0)
    square = {"P_g": rng.dirichlet(np.ones(2), (2, 2)), "P_l": rng.dirichlet(np.ones(2), (2, 2, 2))}
    game = Game.from_arrays(square | {"r_g": np.zeros((2, 2)), "r_l": rng.random((2, 2, 2)), "discount": 0.9})
    config = configuration(tmp_path)
    np.savez(tmp_path / "own.npz", **game.arrays())  # type: ignore[arg-type]
    table = (Table(2, np.zeros((2, 3), dtype=np.int64), {}),)
    PolicyBundle(game, policies.uniform(game), table, {}).save(tmp_path / "policy.npz")
    with pytest.raises(UserError, match=r"no robot can drive by it: .*add 'graph' to that and solve again"):
        load_policies(tmp_path / "policy.npz", config)
    config = configuration(tmp_path, OWN + "graph: {low: [high], high: [low]}\n")
    np.savez(tmp_path / "own.npz", **game.arrays())  # type: ignore[arg-type]
    again = Game.from_config(config)
    PolicyBundle(again, policies.uniform(again), table, {}).save(tmp_path / "policy.npz")
    assert load_policies(tmp_path / "policy.npz", config).game.graph == config.zone_graph
