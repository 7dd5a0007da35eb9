"""Off-policy G-LEARN: what the log holds, the update against a dictionary, and the error against the exact Q."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from meanfleet.base.errors import UserError
from meanfleet.solver import Game
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.logged import (
    StepSize,
    Trajectory,
    epsilon_greedy,
    learn_logged,
    record,
    smallest_visit_rate,
    uniform_behaviour,
)
from meanfleet.solver.rewards import RewardLaws
from meanfleet.solver.surrogate import KRobotSystem
from naive.logged import q_learning
from naive.sampling import next_state_law
from naive.surrogate import TupleSystem, histograms, random_arrays, random_policy

few = settings(deadline=None, derandomize=True, max_examples=20)
seeds = st.integers(0, 10**6)

K = 2
ARRAYS = random_arrays(21, 2, 2, 2, 2, 0.5)
GAME, POLICY = Game(**ARRAYS), random_policy(22, 2, 2, 2)
SURROGATE = KRobotSystem(GAME, K).under(POLICY)
UNIFORM = uniform_behaviour(GAME, K)


@pytest.fixture(scope="module")
def log() -> Trajectory:
    """40,000 ticks under the uniform behaviour."""
    return record(GAME, POLICY, K, UNIFORM, 40_000, seed=1)


# --- recording


def test_logged_ticks_have_the_law_of_robots_that_move_one_by_one(log: Trajectory) -> None:
    """Chi-square of (s_g', μ') after every (s_g, μ, a_g), 12 cells, p > 1e-3/12; dispatches are as often as told."""
    order = {h: i for i, h in enumerate(histograms(K, 2))}
    cells = np.ravel_multi_index((log.priority[:-1], log.index[:-1], log.dispatch), log.shape)
    ends = log.priority[1:] * len(order) + log.index[1:]
    for cell, (s, h, a) in enumerate(np.ndindex(log.shape)):
        histogram = histograms(K, 2)[h]
        robots = tuple(z for z in range(2) for _ in range(histogram[z]))
        law = np.zeros(2 * len(order))
        for (t, after), chance in next_state_law(ARRAYS, POLICY, s, robots, a).items():
            law[t * len(order) + order[after]] += chance
        seen = np.bincount(ends[cells == cell], minlength=len(law))
        assert stats.chisquare(seen, law / law.sum() * seen.sum()).pvalue > 1e-3 / 12
    chosen = np.bincount(log.dispatch, minlength=2)
    assert stats.chisquare(chosen).pvalue > 1e-3


def test_logged_rewards_have_the_games_mean_in_every_cell(log: Trajectory) -> None:
    """With certain and with stochastic rewards: within 4 standard errors in all 12 cells."""
    noisy = record(GAME, POLICY, K, UNIFORM, 40_000, seed=2, rewards=RewardLaws.two_points(GAME, 0.5))
    expected = np.asarray(GAME.r_g)[:, None, :] + SURROGATE.fleet_reward[:, :, None]
    for trajectory in (log, noisy):
        cells = np.ravel_multi_index((trajectory.priority[:-1], trajectory.index[:-1], trajectory.dispatch), log.shape)
        for cell, mean in enumerate(expected.ravel()):
            rewards = trajectory.reward[cells == cell]
            assert abs(rewards.mean() - mean) < 4 * rewards.std(ddof=1) / np.sqrt(len(rewards))
    assert noisy.reward.std() > 1.5 * log.reward.std()


def test_reward_and_next_zones_belong_to_the_same_moves() -> None:
    """Move a leads to zone a and pays a: a tick's reward is the next histogram's mean zone, not only on average."""
    arrays = random_arrays(3, 2, 2, 3, 3)
    arrays["P_l"] = np.broadcast_to(np.eye(3), (3, 2, 3, 3)).copy()
    arrays["r_l"] = np.broadcast_to(np.arange(3.0), (3, 2, 3)).copy()
    arrays["r_g"] = np.zeros((2, 2))
    game = Game(**arrays)
    log = record(game, random_policy(4, 3, 2, 3), 5, uniform_behaviour(game, 5), 300)
    assert np.allclose(log.reward, log.histogram[1:] @ np.arange(3.0) / 5, rtol=0, atol=1e-12)
    assert log.reward.std() > 0.1


def test_a_recording_goes_on_where_it_is_told_and_repeats_with_its_seed() -> None:
    start = (1, np.array([0, 2]))
    first, same, other = (record(GAME, POLICY, K, UNIFORM, 50, seed, start=start) for seed in (3, 3, 4))
    assert (first.priority[0], first.histogram[0].tolist()) == (1, [0, 2])
    assert np.array_equal(first.reward, same.reward)
    assert not np.array_equal(first.reward, other.reward)


@few
@given(seeds, st.integers(1, 3), st.integers(1, 3), st.integers(1, 2))
def test_the_smallest_visit_rate_solves_the_stationary_equations(
    seed: int, zones: int, priorities: int, k: int
) -> None:
    """Against the left eigenvector of the dense chain over ordered robots."""
    arrays = random_arrays(seed, priorities, 2, zones, 2)
    game, policy = Game(**arrays), random_policy(seed + 1, zones, priorities, 2)
    rng = np.random.default_rng(seed)
    behaviour = rng.dirichlet(np.ones(2), size=uniform_behaviour(game, k).shape[:2])
    naive = TupleSystem(arrays, policy, k)
    order = {h: i for i, h in enumerate(histograms(k, zones))}
    index = [order[tuple(robots.count(z) for z in range(zones))] for robots in naive.tuples]
    size = len(naive.tuples)
    P = np.zeros((priorities, size, priorities, size))
    for s in range(priorities):
        for t in range(priorities):
            steer = behaviour[s, index] @ arrays["P_g"][s, :, t]
            P[s, :, t, :] = steer[:, None] * naive.kernel[s]
    flat = P.reshape(priorities * size, -1)
    equations = np.vstack([flat.T - np.eye(len(flat)), np.ones(len(flat))])
    law = np.linalg.lstsq(equations, np.append(np.zeros(len(flat)), 1.0), rcond=None)[0].reshape(priorities, size)
    expected = (naive.summed_by_histogram(law)[:, :, None] * behaviour).min()
    assert smallest_visit_rate(KRobotSystem(game, k).under(policy), behaviour) == pytest.approx(expected, rel=1e-7)


def test_a_state_that_is_left_for_good_has_no_visit_rate() -> None:
    arrays = random_arrays(5)
    arrays["P_g"] = np.zeros((2, 2, 2))
    arrays["P_g"][:, :, 1] = 1.0
    game = Game(**arrays)
    with pytest.raises(UserError, match="not visited again"):
        smallest_visit_rate(KRobotSystem(game, 2).under(random_policy(0, 2, 2, 2)), uniform_behaviour(game, 2))


# --- learning


@few
@given(seeds, st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.sampled_from([0.0, 0.5, 0.95]))
def test_the_update_is_that_of_a_dictionary(seed: int, k: int, zones: int, priorities: int, discount: float) -> None:
    game = Game(**random_arrays(seed, priorities, 3, zones, 2))
    log = record(game, random_policy(seed, zones, priorities, 2), k, uniform_behaviour(game, k), 200, seed)
    found = learn_logged(log, discount, StepSize(7.0, 11.0))
    states = [(int(s), tuple(h)) for s, h in zip(log.priority, log.histogram.tolist(), strict=True)]
    rows = zip(states, log.dispatch.tolist(), log.reward.tolist(), states[1:], strict=False)
    order = {h: i for i, h in enumerate(histograms(k, zones))}
    expected, touched = np.zeros(log.shape), np.zeros(log.shape, dtype=bool)
    for ((s, h), a), value in q_learning(rows, 3, discount, 7.0, 11.0).items():
        expected[s, order[h], a], touched[s, order[h], a] = value, True
    assert np.allclose(found.q, expected, rtol=0, atol=1e-12)
    assert np.array_equal(found.visits > 0, touched)
    assert np.array_equal(found.visits, log.visits)
    assert found.unseen == np.sum(~touched)


@few
@given(seeds, st.lists(st.integers(1, 99), max_size=3, unique=True))
def test_learning_in_parts_is_learning_at_once(seed: int, cuts: list[int]) -> None:
    log, step = record(GAME, POLICY, K, UNIFORM, 100, seed), StepSize(5.0, 5.0)
    ends = [0, *sorted(cuts), 100]
    state = None
    for begin, end in itertools.pairwise(ends):
        state = learn_logged(log.part(begin, end), 0.5, step if state is None else None, state)
    whole = learn_logged(log, 0.5, step)
    assert state is not None
    assert state.updates == whole.updates == 100
    assert np.array_equal(state.q, whole.q)
    assert np.array_equal(state.visits, whole.visits)


def errors_of(margin: float, lengths: list[int], logs: list[Trajectory]) -> list[float]:
    """Root mean square over logs of max |Q − Q*| after each length; h = margin / ((1−γ) μ_min), t0 = h."""
    exact = learn_exact(SURROGATE, 1e-11).q
    step = StepSize.for_rate(smallest_visit_rate(SURROGATE, UNIFORM), GAME.discount, margin)
    return [
        float(np.sqrt(np.mean([np.abs(learn_logged(log.part(0, n), 0.5, step).q - exact).max() ** 2 for log in logs])))
        for n in lengths
    ]


@pytest.mark.parametrize("stochastic", [False, True])
def test_the_error_falls_as_one_over_the_root_of_the_length(stochastic: bool) -> None:
    """T = 5,000 … 320,000, 8 logs: slope −1/2 within 0.1 in log–log, with certain and with stochastic rewards.

    A tenth of the least h that promises it barely learns at all in the same time.
    """
    laws = RewardLaws.two_points(GAME, 0.5) if stochastic else None
    lengths = [5000, 20_000, 80_000, 320_000]
    logs = [record(GAME, POLICY, K, UNIFORM, lengths[-1], seed, laws) for seed in range(8)]
    errors = errors_of(2.0, lengths, logs)
    slope = np.polyfit(np.log(lengths), np.log(errors), 1)[0]
    assert -0.6 < slope < -0.4, (slope, errors)
    timid = errors_of(0.1, lengths, logs)
    assert np.polyfit(np.log(lengths), np.log(timid), 1)[0] > -0.25
    assert timid[-1] > 20 * errors[-1]


def test_a_greedy_behaviour_that_explores_teaches_the_best_dispatch() -> None:
    """ε-greedy on a bad table, h from the log's own visits: the learned table is the exact one."""
    exact = learn_exact(SURROGATE, 1e-11)
    worst = exact.q.argmin(axis=2)
    log = record(GAME, POLICY, K, epsilon_greedy(worst, 2, 0.4), 300_000, seed=7)
    step = StepSize.for_log(log, GAME.discount)
    true = smallest_visit_rate(SURROGATE, epsilon_greedy(worst, 2, 0.4))
    assert 2 / (0.5 * step.h) == pytest.approx(true, rel=0.1)  # the estimate of μ_min
    found = learn_logged(log, GAME.discount)
    assert found.step == step
    assert np.array_equal(found.table, exact.table)
    assert np.abs(found.q - exact.q).max() < 0.1


# --- what is refused


def changed(log: Trajectory, name: str, row: int, value: object) -> dict[str, object]:
    arrays: dict[str, object] = {}
    for key in ("priority", "histogram", "dispatch", "reward"):
        array = np.array(getattr(log, key), dtype=float)
        if key == name:
            array[row] = value
        arrays[key] = array
    return arrays | {"priorities": 2, "dispatches": 2}


@pytest.mark.parametrize(
    ("name", "row", "value", "sentence"),
    [
        ("priority", 3, 2, r"priority\[3\] of the log is 2: expected 0 to 1"),
        ("priority", 4, -1, r"priority\[4\] of the log is -1"),
        ("dispatch", 0, 2, r"dispatch\[0\] of the log is 2"),
        ("dispatch", 1, 0.5, "dispatch of the log holds 0.5: expected whole numbers"),
        ("histogram", 7, [1, 2], r"histogram\[7\] of the log holds 3 robots, the first one 2"),
        ("histogram", 7, [3, -1], r"histogram\[7\] of the log has a negative count"),
        ("histogram", 2, [np.nan, 2], "expected whole numbers"),
        ("reward", 5, np.inf, r"reward\[5\] of the log is not a finite number"),
    ],
)
def test_a_log_that_cannot_be_is_refused(log: Trajectory, name: str, row: int, value: object, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Trajectory(**changed(log.part(0, 10), name, row, value))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["priority", "histogram", "dispatch", "reward"])
def test_shapes_that_do_not_fit_are_refused(log: Trajectory, name: str) -> None:
    arrays = changed(log.part(0, 10), name, 0, 0) | {name: getattr(log, name)[:5]}
    with pytest.raises(UserError, match="of the log has shape"):
        Trajectory(**arrays)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="not an array of numbers"):
        Trajectory(**(arrays | {name: "north"}))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no robots"):
        Trajectory([0, 0], [[0, 0], [0, 0]], [0], [0.0], 2, 2)  # type: ignore[arg-type]


def test_rows_as_the_paper_logs_them_are_one_trajectory_or_refused(log: Trajectory) -> None:
    ten = log.part(0, 10)
    rows = [ten.priority[:-1], ten.histogram[:-1], ten.dispatch, ten.reward, ten.priority[1:], ten.histogram[1:]]
    again = Trajectory.from_transitions(*rows, priorities=2, dispatches=2)
    for name in ("priority", "histogram", "dispatch", "reward"):
        assert np.array_equal(getattr(again, name), getattr(ten, name))
    rows[5] = rows[5].copy()
    rows[5][3] = rows[5][3] + np.array([1, 1])
    with pytest.raises(UserError, match="transition 4 of the log does not begin where 3 ended"):
        Trajectory.from_transitions(*rows, priorities=2, dispatches=2)
    with pytest.raises(UserError, match="expected priorities"):
        Trajectory.from_transitions(*(row[:0] for row in rows), priorities=2, dispatches=2)


def test_behaviour_without_full_support_is_refused() -> None:
    half = UNIFORM.copy()
    half[1, 2] = [1.0, 0.0]
    for refuse in (lambda b: record(GAME, POLICY, K, b, 5), lambda b: smallest_visit_rate(SURROGATE, b)):
        with pytest.raises(UserError, match=r"no full support: \[s_g, h, a_g\] = \[1, 2, 1\]"):
            refuse(half)
        with pytest.raises(UserError, match=r"sums to 1.2 at \[s_g, h\] = \[0, 0\]"):
            refuse(UNIFORM * 1.2)
        with pytest.raises(UserError, match="has shape"):
            refuse(UNIFORM[:, :-1])
    with pytest.raises(UserError, match="epsilon = 0"):
        epsilon_greedy(np.zeros((2, 3), dtype=np.int64), 2, 0.0)


def test_recordings_that_cannot_begin_are_refused() -> None:
    for k, ticks in ((0, 5), (2, 0)):
        with pytest.raises(UserError, match="expected at least 1"):
            record(GAME, POLICY, k, UNIFORM, ticks)
    for start in ((2, [1, 1]), (0, [1, 0]), (0, [3, -1])):
        with pytest.raises(UserError, match="cannot start"):
            record(GAME, POLICY, K, UNIFORM, 5, start=(start[0], np.array(start[1])))


def test_step_sizes_and_states_that_do_not_fit_are_refused(log: Trajectory) -> None:
    for h, t0 in ((0.0, 1.0), (-1.0, 1.0), (2.0, 1.0), (np.nan, 1.0), (1.0, np.inf)):
        with pytest.raises(UserError, match="step size"):
            StepSize(h, t0)
    with pytest.raises(UserError, match="smallest visit rate"):
        StepSize.for_rate(0.0, 0.5)
    with pytest.raises(UserError, match="never seen in the log"):
        learn_logged(log.part(0, 5), 0.5)
    with pytest.raises(UserError, match="discount"):
        learn_logged(log, 1.0)
    step = StepSize(1.0, 1.0)
    state = learn_logged(log.part(0, 5), 0.5, step)
    assert learn_logged(log, 0.5, step, state).updates == log.ticks + 5
    for arguments in ({"discount": 0.6}, {"step": StepSize(1.0, 2.0)}, {"first": state.q}):
        with pytest.raises(UserError, match="goes on"):
            learn_logged(log, **({"discount": 0.5, "state": state} | arguments))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="Q has shape"):
        learn_logged(log, 0.5, step, first=np.zeros((2, 3, 3)))
