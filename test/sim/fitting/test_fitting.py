"""A fleet simulated from a known game gives that game back, within the credible intervals at their stated rate."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import GAME, NAMES, POLICY, ZONES, recorded
from scipy.stats import dirichlet, kstest

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.sim.bags.log import UNKNOWN, FleetLog
from meanfleet.sim.fitting.estimating import behaviour, credible, differs, fit
from meanfleet.sim.fitting.modelfree import compare, dispatches, learn, trajectories
from meanfleet.sim.fitting.writing import fitted_game, write_game
from meanfleet.solver import Game

LOG = recorded(40, 400, 11)
MOVES = 3
DEAF = GAME.P_l[:, :1].repeat(ZONES, axis=1)  # robots that do not care for the priority
DEAF_LOG = recorded(40, 400, 12, game=Game(**GAME.arrays() | {"P_l": DEAF, "discount": 0.9}))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "fleet.yaml"
    path.write_text(yaml.safe_dump({"zones": list(NAMES), "fleet": {"prefix": "r", "count": 40}}))
    return Config.from_yaml(path)


def with_ticks() -> FleetLog:
    """LOG with diagnostics that say which priority came next."""
    entries = [
        entry | {"stamp": float(LOG.stamps[t]), "next_priority": NAMES[LOG.priority[t + 1]]}
        for t, entry in enumerate(LOG.ticks[:-1])
    ]
    return replace(LOG, ticks=entries)


# --- counting


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), silent=st.sampled_from([0.0, 0.3]), gap=st.integers(0, 19))
def test_counts_are_those_of_a_plain_loop(seed: int, silent: float, gap: int) -> None:
    log = recorded(6, 20, seed, silent)
    log.stamps[gap:] += 3.0  # a gap of three ticks before tick `gap`
    expected: Counter[tuple[int, ...]] = Counter()
    for t in range(19):
        for i in range(6):
            z, y = int(log.zones[t, i]), int(log.zones[t + 1, i])
            if t + 1 != gap and z != UNKNOWN and y != UNKNOWN:
                assert log.moves is not None
                expected[z, int(log.priority[t]), int(log.moves[t, i]), y] += 1
    found = fit(log, by_priority=True)
    assert {tuple(cell): int(found.counts[tuple(cell)]) for cell in np.argwhere(found.counts).tolist()} == expected
    pooled = fit(log, by_priority=False)
    assert np.array_equal(pooled.counts, found.counts.sum(axis=1))
    assert sum(found.left_out.values()) + found.counts.sum() == log.zones.size


def test_a_known_game_is_recovered_at_the_stated_rate() -> None:
    """About 95 % of the cells of rows seen 20 times lie in their intervals: 12 logs of 4,000 transitions, ± 3 %."""
    inside = []
    for seed in range(12):
        found = fit(recorded(40, 100, 100 + seed), by_priority=True)
        low, high = found.interval
        inside.append(((low <= GAME.P_l) & (high >= GAME.P_l))[found.counts.sum(axis=-1) >= 20].ravel())
    cells = np.concatenate(inside)
    assert len(cells) > 600
    assert 0.95 - 0.03 < cells.mean() < 0.95 + 0.03


def test_more_data_comes_closer() -> None:
    """As 1/√T: twenty times the ticks, more than a third of the way."""
    errors = [np.abs(fit(recorded(40, ticks, 11), by_priority=True).law - GAME.P_l).mean() for ticks in (20, 400)]
    assert errors[1] < 0.35 * errors[0]


def test_whether_the_priority_matters_is_told_by_the_log() -> None:
    heard, deaf = fit(LOG), fit(DEAF_LOG)
    assert heard.counts.ndim == 4
    assert heard.different is not None
    assert heard.different < 1e-9
    assert deaf.counts.ndim == 3
    assert deaf.different is not None
    assert deaf.different > 1e-3
    low, high = deaf.interval
    assert ((low <= DEAF[:, 0]) & (high >= DEAF[:, 0])).mean() > 0.8


def test_the_test_of_priorities_keeps_its_level() -> None:
    """Under one law for all priorities p-values are uniform: 400 of them, Kolmogorov–Smirnov at 1e-4."""
    rng = np.random.default_rng(0)
    draws = [
        np.stack(
            [[[rng.multinomial(200, DEAF[z, 0, a]) for a in range(MOVES)] for _ in range(ZONES)] for z in range(ZONES)]
        )
        for _ in range(400)
    ]
    assert kstest([differs(counts) for counts in draws], "uniform").pvalue > 1e-4


def test_the_credible_interval_is_the_marginals() -> None:
    weights = np.array([[2.5, 7.5, 0.5]])
    low, high = credible(weights)
    draws = dirichlet.rvs(weights[0], size=200_000, random_state=1)
    np.testing.assert_allclose(np.quantile(draws, 0.025, axis=0), low[0], atol=0.005)
    np.testing.assert_allclose(np.quantile(draws, 0.975, axis=0), high[0], atol=0.005)


# --- what is not known


def test_cells_never_seen_are_flagged_and_left_to_the_prior() -> None:
    log = recorded(40, 200, 5)
    assert log.moves is not None
    log.moves[(log.moves == 2) & (log.zones == 1)] = UNKNOWN
    pooled = fit(log, by_priority=False)
    assert pooled.unseen == [[1, 2]]
    np.testing.assert_allclose(pooled.law[1, 2], 1 / 3)
    apart = fit(log, by_priority=True)
    assert apart.unseen == [[1, s, 2] for s in range(ZONES)]
    summary = json.loads(json.dumps(apart.summary()))
    assert summary["coverage"]["seen"] == 24
    assert summary["left_out"]["move unknown"] > 0


def test_a_row_unseen_under_one_priority_takes_the_law_of_all_others() -> None:
    log = recorded(40, 200, 5)
    assert log.moves is not None
    under = np.broadcast_to(log.priority[:, None], log.zones.shape) == 0
    log.moves[(log.moves == 2) & (log.zones == 1) & under] = UNKNOWN
    found = fit(log, by_priority=True)
    assert found.unseen == [[1, 0, 2]]
    pooled = found.counts[1, :, 2].sum(axis=0) + 0.5
    np.testing.assert_allclose(found.law[1, 0, 2], pooled / pooled.sum())


def test_a_policy_without_a_choice_tells_the_moves() -> None:
    pure = np.eye(MOVES)[np.random.default_rng(3).integers(MOVES, size=(ZONES, ZONES))]
    log = recorded(20, 100, 3)
    found = fit(recorded(20, 100, 3, moves=None), policy=pure, by_priority=False)
    assert found.moves_from == "policy"
    assert found.counts.sum() == 20 * 99
    mixed = pure.copy()
    mixed[0, :] = 1 / MOVES
    some = fit(recorded(20, 100, 3, moves=None), policy=mixed, by_priority=False)
    assert some.left_out["move unknown"] == int((log.zones[:-1] == 0).sum())


def test_moves_towards_where_robots_went_never_fail() -> None:
    found = fit(recorded(20, 100, 3, moves=None), moves_from="way", by_priority=False, prior=0.0)
    for z in range(ZONES):
        for a in range(MOVES):
            assert found.law[z, a, (z + (0, 1, -1)[a]) % ZONES] == 1.0


@pytest.mark.parametrize(
    ("changes", "arguments", "said"),
    [
        ({"moves": None}, {}, "holds no robots' moves"),
        ({"moves": None}, {"moves_from": "policy"}, "give the policy"),
        ({}, {"moves_from": "guess"}, "moves from 'guess'"),
        ({}, {"prior": -1.0}, "prior -1"),
        ({}, {"policy": np.ones((2, 2, 3)), "moves_from": "policy"}, r"shape \(2, 2, 3\)"),
        ({"zones": np.full((60, 20), UNKNOWN)}, {}, "no transition to count: zone unknown"),
        ({"priority": np.full(60, UNKNOWN)}, {"by_priority": True}, "no priorities"),
    ],
)
def test_what_cannot_be_fitted_is_refused(changes: dict[str, Any], arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        fit(recorded(**changes), **arguments)


# --- steering, files


def test_steering_is_counted_from_the_dispatchers_words() -> None:
    found = fit(with_ticks())
    assert found.steering is not None
    assert found.steering.sum() == 399
    bounds = found.steering_interval
    assert bounds is not None
    assert ((bounds[0] <= GAME.P_g) & (bounds[1] >= GAME.P_g)).mean() > 0.8
    assert (
        fit(recorded(ticks=[])[0:0] if False else recorded(20, 60, 0, dispatcher=None) if False else LOG).steering
        is None
    )


@pytest.mark.parametrize("by_priority", [True, False])
def test_the_fitted_configuration_solves_to_the_fitted_game(config: Config, tmp_path: Path, by_priority: bool) -> None:
    found = fit(with_ticks(), by_priority=by_priority)
    paths = write_game({"": found}, config, tmp_path / "fitted.yaml", {"bag": "00", "seed": 0})
    assert [path.name for path in paths] == ["fitted.yaml", "fitted.counts.yaml", "fitted.fit.json"]
    game = Game.from_yaml(paths[0])
    assert game.digest == fitted_game(found, config).digest
    law = found.law if by_priority else found.law[:, None].repeat(ZONES, axis=1)
    np.testing.assert_allclose(game.P_l, law, rtol=1e-12)
    assert np.abs(game.P_g - GAME.P_g).max() < 0.3
    assert np.array_equal(game.r_l, Game.from_config(config).r_l)
    assert json.loads(paths[2].read_text())["game"] == game.digest


def test_the_fitted_configuration_keeps_the_floor(tmp_path: Path) -> None:
    """Zones measured as polygons come back as they were written, with the ways that they name."""
    zones = [
        {
            "name": name,
            "polygon": [[20 * i, 0], [20 * i + 10, 0], [20 * i + 10, 8], [20 * i, 8]],
            "slots": [[20 * i + 1 + column, 1.5 + row, 0.0] for row in range(5) for column in range(8)],
            "neighbours": [other for other in NAMES if other != name],
        }
        for i, name in enumerate(NAMES)
    ]
    path = tmp_path / "floor.yaml"
    path.write_text(yaml.safe_dump({"zones": zones, "fleet": {"prefix": "r", "count": 40}}))
    config = Config.from_yaml(path)
    written = Config.from_yaml(write_game({"": fit(LOG)}, config, tmp_path / "fitted.yaml", {})[0])
    assert written.floor == config.floor
    assert written.graph == config.graph
    assert written.zones == config.zones


def test_without_dispatches_the_configurations_steering_stays(config: Config) -> None:
    assert np.array_equal(fitted_game(fit(LOG), config).P_g, Game.from_config(config).P_g)


def test_arrays_are_a_game_too(config: Config, tmp_path: Path) -> None:
    found = fit(LOG)
    paths = write_game({"": found}, config, tmp_path / "fitted.npz", {})
    assert Game.from_npz(paths[0]).digest == fitted_game(found, config).digest
    with pytest.raises(UserError, match="ends in"):
        write_game({"": found}, config, tmp_path / "fitted.txt", {})


# --- without a model


def test_dispatches_are_found_by_their_stamps() -> None:
    log = with_ticks()
    expected = [NAMES.index(entry["dispatch"]) for entry in log.ticks]
    assert dispatches(log).tolist() == [*expected, UNKNOWN]


def test_trajectories_are_what_happened_to_their_robots() -> None:
    log = with_ticks()
    parts = list(trajectories(log, GAME, 4, seed=1))
    assert len(parts) == 10
    assert {part.ticks for part in parts} == {399}
    total = sum(part.histogram for part in parts)
    assert np.array_equal(total, np.stack([(log.zones == z).sum(axis=1) for z in range(ZONES)], axis=1))
    assert log.moves is not None
    everybody = np.mean([part.reward for part in parts], axis=0)
    a = dispatches(log)[:-1]
    s = log.priority[:-1]
    reward = GAME.r_g[s, a] + GAME.r_l[log.zones[:-1], s[:, None], log.moves[:-1]].mean(axis=1)
    np.testing.assert_allclose(everybody, reward)


def test_q_learning_and_the_fitted_model_agree_better_than_chance(config: Config) -> None:
    log = with_ticks()
    found = compare(log, GAME, 2, rollouts=500)
    assert found["updates"] == 20 * 399
    assert found["pairs"] == ZONES * 6 * ZONES
    assert found["agreement"] > 0.5
    np.testing.assert_allclose(behaviour(log), POLICY, atol=0.1)
    with pytest.raises(UserError, match="nothing to learn"):
        learn(LOG, GAME, 2)
