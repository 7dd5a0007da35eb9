"""Networks forward in numpy, and what learners are shown: against softmax, formulas and a slow discounted sum."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import chisquare

from meanfleet.solver.continuous.experience import episodes, labelled_samples
from meanfleet.solver.continuous.networks import NetworkDispatcher, drawing, fast, greedy, logits, robot_view
from meanfleet.solver.continuous.warehouse import ContinuousWarehouse
from naive import continuous as naive

SMALL = ContinuousWarehouse(robots=20)
Layers = list[tuple[np.ndarray, np.ndarray]]


def network(*sizes: int) -> Layers:
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(i, o)), rng.normal(size=o)) for i, o in pairwise(sizes)]


def slow_logits(layers: Layers, x: list[float]) -> list[float]:
    for index, (weights, biases) in enumerate(layers):
        sums = [sum(w * v for w, v in zip(column, x, strict=True)) for column in weights.T.tolist()]
        x = [a + b for a, b in zip(sums, biases.tolist(), strict=True)]
        if index < len(layers) - 1:
            x = [math.tanh(v) for v in x]
    return x


def test_forward_is_the_formula_also_beyond_one_block_and_in_float32() -> None:
    layers, inputs = network(2, 8, 8, 3), np.random.default_rng(1).uniform(-2, 2, (20_000, 2))
    got = logits(layers, inputs)
    for row in (0, 8191, 8192, 19_999):
        assert got[row] == pytest.approx(slow_logits(layers, inputs[row].tolist()), abs=1e-12)
    single = logits(fast(layers), inputs)
    assert single.dtype == np.float32
    assert np.abs(single - got).max() < 1e-4


def test_robots_draw_by_softmax_or_take_the_best() -> None:
    layers, many = network(2, 8, 8, 3), 30_000
    places, s = np.array([[0.4] * many, [-1.0] * many]), np.array([0.1, 0.9])
    moves = drawing(layers)(places, s, np.random.default_rng(2))
    best = greedy(layers)(places, s, np.random.default_rng(2))
    for fleet in range(2):
        law = softmax(slow_logits(layers, [s[fleet], places[fleet, 0]]))
        assert chisquare(np.bincount(moves[fleet], minlength=3), many * law).pvalue > 1e-3
        assert (best[fleet] == law.argmax()).all()
    assert robot_view(places[:, :1], s).tolist() == [[0.1, 0.4], [0.9, -1.0]]


def test_labels_are_the_mode_of_the_whole_fleet() -> None:
    rng = np.random.default_rng(3)
    seen, modes = labelled_samples(SMALL, SMALL.robots, 450, rng)
    assert seen.sum(axis=1) == pytest.approx(1)
    assert (seen.argmax(axis=1) == modes).all()
    one, modes = labelled_samples(SMALL, 1, 4000, rng)
    assert set(one.ravel().tolist()) == {0.0, 1.0}
    assert abs((one.argmax(axis=1) == modes).mean() - 0.55) < 0.04  # 11 of 20 robots, some beyond their bin


def test_returns_of_episodes_are_discounted_sums_of_what_was_seen() -> None:
    many, horizon, learners = 3, 6, 2
    found = episodes(
        SMALL, network(5, 4, 4, 5), network(2, 4, 4, 3), 3, many, horizon, learners, np.random.default_rng(4)
    )
    assert found.seen.shape == (horizon * many * learners, 2)
    pairs = zip(found.seen.tolist(), found.moves.tolist(), strict=True)
    rewards = np.array([naive.robot_reward(x, s, a) for (s, x), a in pairs]).reshape(horizon, -1)
    returns = found.returns.reshape(horizon, -1)
    for t in range(horizon):
        later = sum(0.95 ** (u - t) * rewards[u] for u in range(t, horizon))
        assert returns[t] == pytest.approx(later)
    # Robots of one episode go on from where they were, by a move and noise.
    places = found.seen[:, 1].reshape(horizon, -1)
    assert np.abs(np.diff(places, axis=0)).max() < 0.05 + 6 * 0.04


def test_the_dispatcher_sees_shares_only() -> None:
    layers = network(5, 4, 4, 5)
    decide = NetworkDispatcher(layers, 4).begin(2, np.random.default_rng(0))
    got = decide(np.array([-1.0, 1.0]), np.array([[4, 0, 0, 0, 0], [1, 1, 2, 0, 0]]))
    expected = [slow_logits(layers, row) for row in ([1.0, 0, 0, 0, 0], [0.25, 0.25, 0.5, 0, 0])]
    assert got.tolist() == [int(np.argmax(row)) for row in expected]
