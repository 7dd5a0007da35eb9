"""Studies of SUBSAMPLE-MFQ: configurations, bundles, and what a study says."""

from __future__ import annotations

from dataclasses import replace
from math import comb
from pathlib import Path

import numpy as np
import pytest
import yaml

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.config.counts import write_counts
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PeerPlan, PolicyBundle
from meanfleet.solver.mfq import Crowd, learn_joint
from meanfleet.studies.mfq.figures import comparison, gap
from meanfleet.studies.mfq.study import Effort, Setup, as_bundle, check, conduct, load
from naive.surrogate import random_arrays

ROOT = Path(__file__).resolve().parent.parent
SMALL = {
    "zones": ["a", "b", "c", "d", "e"],
    "fleet": {"prefix": "r", "count": 20},
    "world": {"backend": "model"},
    "solver": {"tolerance": 1e-4, "starts": ["shortest"]},
}


def written(folder: Path, **content: object) -> Path:
    path = folder / "game.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_shipped_experiments_are_games_of_eight_robots() -> None:
    for name in ("squeeze", "exploration"):
        setup = load(ROOT / "config" / f"{name}.yaml")
        assert (setup.n, setup.config) == (8, None)
        assert (setup.crowd.squeeze is None) == (name == "exploration")
        check(setup, Effort(tuple(range(1, 9))))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"squeeze": {"widht": 1}}, "unknown key 'squeeze.widht'"),
        ({"squeeze": {"width": 0}}, "key 'squeeze.width'"),
        ({"squeeze": {}, "exploration": {}}, "either 'squeeze' or 'exploration'"),
        ({"exploration": {"width": 1, "height": 1}}, "at least two cells"),
        ({"exploration": {}, "robots": 0}, "key 'robots'"),
    ],
)
def test_a_wrong_experiment_is_told_by_its_key(tmp_path: Path, content: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        load(written(tmp_path, **content))


def test_a_robot_on_the_grid_moves_along_the_open_axis_only() -> None:
    """2 × 1 cells and no failures: under axis 0 ahead leads right, under axis 1 nowhere; effort is paid for moving."""
    file = yaml.safe_load((ROOT / "config" / "exploration.yaml").read_text())
    from meanfleet.config.crowd import ExplorationConfig
    from meanfleet.solver.mfq.games import exploration_game

    game = exploration_game(
        ExplorationConfig(**file["exploration"] | {"width": 2, "height": 1, "success": 1, "recall": 0})
    ).game
    assert game.P_l[0, 0, 1].tolist() == [0, 1]
    assert game.P_l[0, 1, 1].tolist() == [1, 0]
    assert game.r_l[0, 0, 1] < game.r_l[0, 0, 0] == game.r_l[0, 1, 1]


# --- bundles


def test_a_bundle_holds_the_plans_and_survives_the_disk(tmp_path: Path) -> None:
    crowd = Crowd(Game.from_arrays(random_arrays(2, 2, 2, 3, 2)))
    policy = learn_joint(crowd, 4)
    bundle = as_bundle(crowd, policy, Effort((4,)))
    bundle.save(tmp_path / "peers.npz")
    read = PolicyBundle.load(tmp_path / "peers.npz", crowd.game)
    (peer,) = read.peers
    assert peer.k == 4
    assert np.array_equal(peer.plan, policy.plan)
    assert read.digest == bundle.digest
    assert read.dispatch(1, [2, 1, 1]) == policy.dispatch[1, [*map(tuple, _histograms())].index((2, 1, 1))]
    assert np.allclose(read.local_policy.sum(axis=2), 1)


def _histograms() -> list[list[int]]:
    from meanfleet.solver.histograms import enumerate_histograms

    return enumerate_histograms(4, 3).tolist()


def test_plans_that_lose_a_robot_are_refused() -> None:
    crowd = Crowd(Game.from_arrays(random_arrays(2, 2, 2, 3, 2)))
    policy = learn_joint(crowd, 2)
    bundle, lost = as_bundle(crowd, policy, Effort((2,))), policy.plan.copy()
    lost[0, 0, 0, np.argmax(lost[0, 0, 0])] -= 1
    for plan, words in (
        (lost, "does not move the robots"),
        (policy.plan[:, :-1], "has shape"),
        (policy.plan.astype(float), "whole numbers"),
    ):
        with pytest.raises(UserError, match=words):
            replace(bundle, peers=(PeerPlan(2, plan),))


# --- studies


def test_a_small_fleet_is_compared_with_its_optimum(tmp_path: Path) -> None:
    setup = load(written(tmp_path, robots=4, squeeze={"capacity": 1}))
    found = conduct(setup, Effort((1, 2, 3, 4), seeds=4, rollouts=200), lambda note: None)
    best = found["optimum"]["low"]
    for point in found["curve"]:
        for sharing in ("name", "lot"):
            each = point[sharing]
            assert each["gap"]["mean"] == pytest.approx(best - each["return"]["mean"], abs=1e-5)
    first, last = found["curve"][0]["name"]["gap"], found["curve"][-1]["name"]["gap"]
    assert first["low"] > last["high"]
    assert abs(last["mean"]) < 4 * last["error"] + 1e-2
    assert found["fit"]["name"]["slope"]["mean"] > 0
    gap(found, "a squeeze")


def test_a_warehouse_is_compared_with_alternating_marl(tmp_path: Path) -> None:
    setup = load(written(tmp_path, **SMALL))
    found = conduct(setup, Effort((1, 2), seeds=2, rollouts=20, horizon=10), lambda note: None, tmp_path)
    for point, k in zip(found["curve"], (1, 2), strict=True):
        assert point["mfq"]["messages"] == k + 20 * (k - 1)
        assert point["alternating"]["messages"] == k
        assert point["alternating"]["cells"] == 5 * (5 * comb(k + 4, 4) + 15)
        bundle = PolicyBundle.load(tmp_path / "units" / f"mfq{k:04d}.npz", setup.crowd.game)
        assert bundle.peers[0].k == k
    assert [row["moves"] for row in found["moves"]] == [2, 3, 4, 5]
    comparison(found)


def test_a_warehouse_from_arrays_is_compared_without_other_moves(tmp_path: Path) -> None:
    """Arrays are of one graph of zones: the study ends whole, with nothing against |A_l|."""
    game = Game.from_yaml(written(tmp_path, **SMALL))
    arrays = ("P_g", "P_l", "r_g", "r_l", "discount", "start_priority", "start_concentration")
    np.savez(tmp_path / "game.npz", **{name: getattr(game, name) for name in arrays})
    setup = load(written(tmp_path, **SMALL, game={"file": "game.npz"}))
    found = conduct(setup, Effort((1,), seeds=2, rollouts=10, horizon=5), lambda note: None)
    assert (len(found["curve"]), found["moves"]) == (1, [])
    comparison(found)


def test_types_of_robots_are_compared_with_other_moves_that_earn_nothing(tmp_path: Path) -> None:
    """A type's own rewards of the ring's three moves say nothing of two or five: they are left out, as the game's."""
    types = {"carrier": {"share": 1}, "scout": {"share": 2, "r_l": {"same_zone": 2.0, "move": [0.0, 3.0, 3.0]}}}
    setup = load(written(tmp_path, **SMALL, types=types))
    found = conduct(setup, Effort((1,), seeds=2, rollouts=10, horizon=5), lambda note: None)
    assert [row["moves"] for row in found["moves"]] == [2, 3, 4, 5]
    comparison(found)


def test_counted_types_are_compared_without_other_moves(tmp_path: Path) -> None:
    """As arrays: where robots of one type were counted is where they could drive."""
    path = written(tmp_path, **SMALL, types={"carrier": {"share": 1}, "scout": {"share": 2}})
    config = Config.from_yaml(path)
    write_counts(tmp_path / "counts.yaml", config, np.ones((5, 3, 5), dtype=np.int64), {})
    scout = {"share": 2, "P_l": {"counted": "counts.yaml"}}
    setup = load(written(tmp_path, **SMALL, types={"carrier": {"share": 1}, "scout": scout}))
    found = conduct(setup, Effort((1,), seeds=2, rollouts=10, horizon=5), lambda note: None)
    assert (len(found["curve"]), found["moves"]) == (1, [])


def test_what_cannot_be_done_is_refused_before_any_work() -> None:
    setup = load(ROOT / "config" / "squeeze.yaml")
    for effort, words in (
        (Effort((9,)), "fleet has 8 robots"),
        (Effort((1,), seeds=1), "at least 2"),
    ):
        with pytest.raises(UserError, match=words):
            check(setup, effort)
    with pytest.raises(UserError, match="out of reach"):
        check(Setup(setup.crowd, 5000, None), Effort((1,)))
    with pytest.raises(UserError, match="paid together"):
        as_bundle(setup.crowd, learn_joint(setup.crowd, 1), Effort((1,)))
