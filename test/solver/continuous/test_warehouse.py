"""The continuous warehouse against formulas, laws and a slow twin, and the rules of thumb against known returns."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest, norm

from meanfleet.base.errors import UserError
from meanfleet.solver.continuous.rollouts import Dispatcher, Estimate, Robots, roll
from meanfleet.solver.continuous.rules import AnyMove, AnyTarget, Follow, Hold, Leave, Toward, nearest_target
from meanfleet.solver.continuous.warehouse import ContinuousWarehouse
from naive import continuous as naive

PAPER = ContinuousWarehouse()
PLACE = st.one_of(st.floats(-2, 2), st.sampled_from(naive.EDGES))


# --- the model


@given(st.lists(PLACE, min_size=1, max_size=8), st.floats(-2, 2), st.integers(0, 2), st.integers(0, 4))
def test_rewards_are_the_formulas(places: list[float], s: float, move: int, dispatch: int) -> None:
    moves = np.full((1, len(places)), move)
    [got] = PAPER.robot_reward(np.array([places]), np.array([s]), moves)
    assert got == pytest.approx([naive.robot_reward(x, s, move) for x in places], abs=1e-12)
    [got] = PAPER.dispatch_reward(np.array([s]), np.array([dispatch]))
    assert got == pytest.approx(naive.dispatch_reward(s, dispatch), abs=1e-12)


@given(st.lists(st.lists(PLACE, min_size=3, max_size=3), min_size=1, max_size=4))
def test_histograms_count_every_robot_once(fleets: list[list[float]]) -> None:
    inside = [[x if abs(abs(x) - 0.4) > 1e-9 and abs(abs(x) - 1.2) > 1e-9 else x + 1e-6 for x in f] for f in fleets]
    assert PAPER.histogram(np.array(inside)).tolist() == [naive.histogram(fleet) for fleet in inside]


def test_places_on_edges() -> None:
    assert PAPER.bin_of(np.array([-2.0, 0.0, 2.0, 1.9999999])).tolist() == [0, 2, 4, 4]
    assert np.diff(PAPER.bin_of(PAPER.edges[1:-1])).tolist() == [1, 1, 1]  # whatever rounding says, one bin each
    assert PAPER.bin_of(PAPER.tau).tolist() == [0, 1, 2, 3, 4]


def test_steps_have_the_mean_and_spread_of_their_law_and_stay_on_the_line() -> None:
    rng, many = np.random.default_rng(0), 20_000
    s = PAPER.steer(np.full(many, 0.5), np.full(many, 3), rng)
    assert kstest(s, norm(0.5 + 0.6 * 0.3, 0.08).cdf).pvalue > 1e-3
    for move, delta in enumerate(naive.DELTA):
        after = PAPER.drive(np.full((2, many), 0.3), np.full((2, many), move), rng)
        assert kstest(after.ravel(), norm(0.3 + delta, 0.04).cdf).pvalue > 1e-3
    edge = PAPER.drive(np.full((1, many), 2.0), np.zeros((1, many), int), rng)
    assert edge.max() == 2.0
    assert abs((edge == 2.0).mean() - 0.5) < 0.02


def test_the_start_has_exact_shares_and_every_pair_of_targets() -> None:
    s, places = PAPER.start(2000, np.random.default_rng(1))
    assert kstest(s, "uniform", (-1, 2)).pvalue > 1e-3
    # 275 robots around one target, 225 around another; the means say which.
    first = nearest_target(PAPER, places[:, :275].mean(axis=1))
    second = nearest_target(PAPER, places[:, 275:].mean(axis=1))
    pairs = np.zeros((5, 5))
    np.add.at(pairs, (first, second), 1)
    assert (np.diag(pairs) == 0).all()
    assert chisquare(pairs[~np.eye(5, dtype=bool)]).pvalue > 1e-3
    inner = places[:, :275][first == 2].ravel()  # nobody is clipped there
    assert kstest(inner[:20_000], norm(0, 0.18).cdf).pvalue > 1e-3


# --- polling


@given(st.lists(st.integers(0, 30), min_size=5, max_size=5).filter(any), st.data())
def test_a_poll_draws_k_robots_that_are_there(counts: list[int], data: st.DataObject) -> None:
    k = data.draw(st.integers(0, sum(counts)))
    sample = PAPER.poll(np.array([counts] * 3), k, np.random.default_rng(k))
    assert (sample.sum(axis=1) == k).all()
    assert (sample >= 0).all()
    assert (sample <= counts).all()
    assert PAPER.poll(np.array([counts]), sum(counts), np.random.default_rng(0)).tolist() == [counts]


def test_a_poll_has_the_law_of_drawing_without_replacement() -> None:
    counts, k, many = [3, 1, 0, 2, 1], 3, 30_000
    sample = PAPER.poll(np.tile(counts, (many, 1)), k, np.random.default_rng(2))
    found: dict[tuple[int, ...], int] = {}
    for row in map(tuple, sample.tolist()):
        found[row] = found.get(row, 0) + 1
    law = {row: math.prod(math.comb(c, m) for c, m in zip(counts, row, strict=True)) / math.comb(7, 3) for row in found}
    assert sum(law.values()) == pytest.approx(1)
    assert chisquare([found[row] for row in law], [many * law[row] for row in law]).pvalue > 1e-3


# --- rollouts


def slow_hold() -> Callable[[float, list[int]], int]:
    held: list[int] = []

    def dispatch(s: float, sample: list[int]) -> int:
        held[:] = held or [min(range(5), key=lambda a: abs(s - naive.TAU[a]))]
        return held[0]

    return dispatch


def slow_follow() -> Callable[[float, list[int]], int]:
    return lambda s, sample: sample.index(max(sample))


def slow_leave() -> Callable[[float, list[int]], int]:
    seen, hold = [0] * 5, slow_hold()
    held: list[int] = []

    def dispatch(s: float, sample: list[int]) -> int:
        seen[:] = [a + b for a, b in zip(seen, sample, strict=True)]
        stay, most = held[0] if held else hold(s, sample), seen.index(max(seen))
        held[:] = [most if seen[most] - seen[stay] > 0.45 * sum(seen) else stay]
        return held[0]

    return dispatch


def slow_toward(x: float, s: float) -> int:
    return 1 if s - x > 0.025 else 2 if x - s > 0.025 else 0


@pytest.mark.parametrize(
    ("dispatcher", "slow"),
    [(Hold, slow_hold), (lambda w: Follow(3), slow_follow), (lambda w: Leave(w, 3), slow_leave)],
    ids=["hold", "follow", "leave"],
)
def test_returns_agree_with_the_slow_twin(
    dispatcher: Callable[[ContinuousWarehouse], Dispatcher], slow: Callable[[], Callable[[float, list[int]], int]]
) -> None:
    warehouse, horizon, rng = ContinuousWarehouse(robots=20), 15, random.Random(3)
    rule = dispatcher(warehouse)
    fast = roll(warehouse, rule, Toward(warehouse), 4000, horizon, seed=3).returns
    slowly = np.array(
        [naive.discounted_return(20, rule.k, horizon, slow(), slow_toward, rng) for _ in range(500)], dtype=float
    )
    error = math.hypot(Estimate.of(fast).error, Estimate.of(slowly).error)
    assert abs(fast.mean() - slowly.mean()) < 3.5 * error
    assert error < 1.5


@pytest.mark.parametrize(
    ("dispatcher", "robots", "known", "error"),
    [
        (Hold(PAPER), Toward(PAPER), 161.4, 0.8),
        (Follow(1), Toward(PAPER), 127.3, 0.8),
        (Follow(75), Toward(PAPER), 165.2, 0.8),
        (Leave(PAPER, 1), Toward(PAPER), 171.7, 0.8),
        (Leave(PAPER, 75), Toward(PAPER), 178.8, 0.8),
    ],
    ids=["hold", "follow 1", "follow 75", "leave 1", "leave 75"],
)
def test_known_returns(dispatcher: Dispatcher, robots: Robots, known: float, error: float) -> None:
    """Reference points of math.md §7, measured by others: agreement within both errors."""
    got = Estimate.of(roll(PAPER, dispatcher, robots, 400, 50, seed=7).returns)
    assert abs(got.mean - known) < 3 * math.hypot(got.error, error)


def test_random_play_earns_a_quarter_of_holding() -> None:
    got = Estimate.of(roll(PAPER, AnyTarget(PAPER), AnyMove(PAPER), 400, 50, seed=7).returns)
    assert abs(got.mean - 38) < 3


def test_same_seed_same_fleets_for_every_rule() -> None:
    one, two = (roll(PAPER, rule, Toward(PAPER), 250, 3, seed=5) for rule in (Hold(PAPER), Follow(2)))
    again = roll(PAPER, Hold(PAPER), Toward(PAPER), 250, 3, seed=5)
    assert (one.histogram[:, 0] == two.histogram[:, 0]).all()
    assert (one.priority[:, 0] == two.priority[:, 0]).all()
    assert (one.returns == again.returns).all()
    assert (one.returns != roll(PAPER, Hold(PAPER), Toward(PAPER), 250, 3, seed=6).returns).all()
    more = roll(PAPER, Hold(PAPER), Toward(PAPER), 400, 3, seed=5)
    assert (more.returns[:200] == one.returns[:200]).all()  # further fleets leave the earlier ones as they are


def test_mistakes_are_refused() -> None:
    with pytest.raises(UserError, match="k = 501, but the fleet has 500"):
        roll(PAPER, Follow(501), Toward(PAPER), 1, 1, seed=0)
    with pytest.raises(UserError, match="must ascend"):
        ContinuousWarehouse(targets=(0.0, 0.0))
    with pytest.raises(UserError, match="move 0"):
        ContinuousWarehouse(moves=(0.1, 0.0))
