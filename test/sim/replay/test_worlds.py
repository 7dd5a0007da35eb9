"""Rollouts over worlds: what a fit and a bag leave open, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import GAME, bundle, recorded

from meanfleet.solver import Game
from meanfleet.solver.warehouse import mean_law
from meanfleet.studies.replay.counterfactual import Counterfactual
from meanfleet.studies.replay.scene import scene_of
from meanfleet.studies.replay.worlds import Drawn, blocks_of, loss_over_worlds, shares
from naive.surrogate import random_arrays, random_policy


def test_draws_have_the_moments_of_dirichlet_laws() -> None:
    """Mean w/W, variance p(1 − p)/(W + 1), by 4000 draws to 5 % of it; what has no weight is never drawn."""
    weights = np.array([[3.0, 1.0, 0.0], [40.0, 20.0, 20.0]])
    drawn = np.array([Drawn(np.random.default_rng(seed))(weights) for seed in range(4000)])
    assert drawn.sum(axis=-1) == pytest.approx(1.0)
    assert not drawn[:, 0, 2].any()
    mean, total = mean_law(weights), weights.sum(axis=-1, keepdims=True)
    assert drawn.mean(axis=0) == pytest.approx(mean, abs=0.01)
    assert drawn.var(axis=0) == pytest.approx(mean * (1 - mean) / (total + 1), rel=0.08)


def test_laws_that_types_share_are_drawn_once_and_rows_without_weight_stay_empty() -> None:
    law = Drawn(np.random.default_rng(0))
    weights = np.array([[1.0, 2.0], [0.0, 0.0]])
    first = law(weights)
    assert first is law(weights.copy())
    assert first[1].tolist() == [0.0, 0.0]
    assert (first != law(weights + 1)).any()


@given(ticks=st.integers(1, 60), length=st.integers(1, 20), seed=st.integers(0, 1000))
def test_blocks_are_runs_of_the_circle(ticks: int, length: int, seed: int) -> None:
    drawn = blocks_of(ticks, length, np.random.default_rng(seed))
    assert len(drawn) == ticks
    steps = np.diff(drawn) % ticks
    inside = np.arange(1, ticks) % length != 0
    assert (steps[inside] == 1 % ticks).all()


@given(rollouts=st.integers(4, 500), worlds=st.integers(2, 40))
def test_every_world_has_its_share(rollouts: int, worlds: int) -> None:
    sizes = shares(rollouts, worlds)
    assert sum(sizes) == rollouts
    assert 2 <= min(sizes) <= max(sizes) <= min(sizes) + 1 + (rollouts // 2 < worlds)


@pytest.mark.parametrize("unknown", [0.0, 0.3, 2.0])
def test_the_interval_covers_what_the_fit_leaves_open(unknown: float) -> None:
    """The fit is off by as much as its draws spread; 500 fits tell a coverage of 0.95 to ± 1 %."""
    rng, sizes, covered, blind = np.random.default_rng(4), shares(400, 20), 0, 0
    for _ in range(500):
        centre = 1.0 + unknown * rng.normal()  # of the posterior; the truth is 1
        worlds = centre + unknown * rng.normal(size=len(sizes))
        losses = np.repeat(worlds, sizes) + rng.normal(size=400)
        found = loss_over_worlds(losses, sizes, 50.0, 10)
        covered += found.low <= 1.0 <= found.high
        blind += abs(losses.mean() - 1.0) <= 1.96 * losses.std(ddof=1) / np.sqrt(400)
    assert covered / 500 > 0.95 - 3 * 0.01
    if unknown:
        assert blind / 500 < 0.6  # what rollouts taken for independent cover


def test_of_rollouts_that_never_differ_no_loss_is_not_known_exactly() -> None:
    found = loss_over_worlds(np.zeros(400), shares(400, 20), 50.0, 10)
    assert found.mean == 0.0
    assert (found.low, found.high) == pytest.approx((-0.46, 0.46), rel=0.05)  # 50 (1 − 0.025^(1/400))


def test_draws_of_the_game_widen_the_interval_of_rollouts() -> None:
    """Games that a fit of few counts would draw, against one taken as exact; the same starts in both."""
    scene, policies = scene_of(recorded(20, 60, 3), bundle()), bundle()
    arrays = random_arrays(51, 3, 3, 3, 3, 0.9)
    worst = policies.tables[0]
    flipped = type(policies)(
        GAME, random_policy(52, 3, 3, 3), (type(worst)(1, (worst.dispatch + 1) % 3, {}),), {}, None
    )
    weights = {name: 6 * arrays[name] for name in ("P_l", "P_g")}
    drawn = []
    for seed in range(20):
        law = Drawn(np.random.default_rng(seed))
        drawn.append(Game(**arrays | {name: law(value) for name, value in weights.items()}))
    widths = []
    for games in ((), drawn):
        world = Counterfactual(scene, flipped, GAME, 1000, 0, 1, games)
        whole = Counterfactual(scene, policies, GAME, 1000, 0, 1, games).whole()
        loss = world.loss(whole, world.returns(1, "memoryless"))
        assert loss.low < loss.mean < loss.high
        widths.append(loss.high - loss.low)
    assert widths[1] > 1.5 * widths[0]
