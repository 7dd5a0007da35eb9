"""The two chained MDPs are the k-robot system, macro step by macro step, and their play follows their law."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from meanfleet.base.errors import UserError
from meanfleet.solver import Game
from meanfleet.solver.chained.environment import ChainedMDP
from meanfleet.solver.chained.finite import enumerate_chain
from meanfleet.solver.chained.mean_field import MeanFieldChain, MeanFieldState
from meanfleet.solver.chained.replicas import ReplicaChain
from meanfleet.solver.surrogate import KRobotSystem
from naive.chained import Ticks
from naive.surrogate import (
    TupleSystem,
    best_pure_policy,
    histogram_of,
    histograms,
    next_histogram_law,
    random_arrays,
    random_policy,
)

seeds = st.integers(0, 10**6)
Chain = type[ReplicaChain] | type[MeanFieldChain]
both = pytest.mark.parametrize("kind", [ReplicaChain, MeanFieldChain])


class Case:
    """A random game with a random table, a chain over it and its oracle."""

    def __init__(
        self,
        kind: Chain,
        seed: int,
        k: int,
        zones: int = 2,
        priorities: int = 2,
        sparse: bool = False,
        pure: bool = False,
    ) -> None:
        self.arrays = random_arrays(seed, priorities, 2, zones, 2, 0.8, sparse)
        self.game, self.k, self.zones = Game(**self.arrays), k, zones
        self.policy = random_policy(seed + 1, zones, priorities, 2, pure)
        self.order = {h: i for i, h in enumerate(histograms(k, zones))}
        self.table = np.random.default_rng(seed + 2).integers(2, size=(priorities, len(self.order)))
        self.chain: ChainedMDP[Any] = kind(KRobotSystem(self.game, k), self.table)
        self.naive = TupleSystem(self.arrays, self.policy, k)

    def rule(self, s: int, histogram: tuple[int, ...]) -> int:
        return int(self.table[s, self.order[histogram]])


def tick(chain: ChainedMDP[Any], law: dict[Any, float], policy: np.ndarray) -> tuple[dict[Any, float], float, float]:
    """Law of the state one macro step later, the mean reward of that step, and the discount it applied."""
    earned, discount = 0.0, 1.0
    for _ in range(chain.micro_steps):
        after: dict[Any, float] = defaultdict(float)
        factors = {chain.discount(state) for state in law}
        assert len(factors) == 1
        discount *= factors.pop()
        for state, chance in law.items():
            row = policy[chain.cell(state)]
            earned += chance * chain.reward(state, row)
            for x, p in chain.outcomes(state, row).items():
                after[x] += chance * p
        law = after
    return law, earned, discount


def macro(case: Case, s: int, counts: tuple[int, ...]) -> tuple[dict[tuple[int, tuple[int, ...]], float], float]:
    """The same of the k-robot system, by enumerating the robots' joint moves."""
    a = case.rule(s, counts)
    tilde = np.einsum("za,zay->zy", case.policy[:, s], case.arrays["P_l"][:, s])
    reward = np.sum(case.policy[:, s] * case.arrays["r_l"][:, s], axis=1)
    fleet = sum(n * r for n, r in zip(counts, reward, strict=True)) / case.k
    law = {
        (t, after): case.arrays["P_g"][s, a, t] * p
        for t in range(len(case.arrays["P_g"]))
        for after, p in next_histogram_law(tilde, counts).items()
    }
    return law, case.arrays["r_g"][s, a] + fleet


@both
@settings(deadline=None, derandomize=True, max_examples=12)
@given(seed=seeds, k=st.integers(1, 3), zones=st.integers(1, 3), priorities=st.integers(1, 2), sparse=st.booleans())
def test_one_macro_step_is_that_of_the_k_robot_system(
    kind: Chain, seed: int, k: int, zones: int, priorities: int, sparse: bool
) -> None:
    """From every first state, under a mixed π_l: the law of (s_g, histogram) and the reward, to 1e-12."""
    case = Case(kind, seed, k, zones, priorities, sparse)
    for state in case.chain.starts():
        # Given (s_g, μ) alone, the pending priority has its law.
        a = case.rule(state.priority, case.chain.histogram(state))
        opened = {state._replace(pending=t): p for t, p in enumerate(case.arrays["P_g"][state.priority, a]) if p > 0}
        assert state in opened
        after, earned, discount = tick(case.chain, opened, case.policy)
        found: dict[Any, float] = defaultdict(float)
        for x, p in after.items():
            assert x.pointer == 0
            found[x.priority, case.chain.histogram(x)] += p
        law, reward = macro(case, state.priority, case.chain.histogram(state))
        assert earned == pytest.approx(reward, abs=1e-12)
        assert discount == case.game.discount
        for x in set(law) | set(found):
            assert found.get(x, 0.0) == pytest.approx(law.get(x, 0.0), abs=1e-12)


@both
@settings(deadline=None, derandomize=True, max_examples=12)
@given(seed=seeds, k=st.integers(1, 3), zones=st.integers(1, 2), sparse=st.booleans(), pure=st.booleans())
def test_the_discounted_value_is_the_pairs_j(
    kind: Chain, seed: int, k: int, zones: int, sparse: bool, pure: bool
) -> None:
    case = Case(kind, seed, k, zones, sparse=sparse, pure=pure)
    finite = enumerate_chain(case.chain)
    value = finite.value(*finite.under(case.policy))
    assert finite.start.sum() == pytest.approx(1, abs=1e-12)
    assert finite.start @ value == pytest.approx(case.naive.expected_return(case.rule), abs=1e-9)
    if pure:
        moves = np.argmax(case.policy[finite.cells[:, 0], finite.cells[:, 1]], axis=1)
        assert np.allclose(finite.value_of_moves(moves), value, rtol=0, atol=1e-10)


def test_robots_of_a_bin_that_share_a_drawn_move_are_another_law() -> None:
    """Two robots, move 0 keeps, move 1 changes the zone: with a shared coin the bin never splits, with two it may."""
    arrays = random_arrays(0, 1, 1, 2, 2)
    arrays["P_l"] = np.array([[[[1.0, 0.0], [0.0, 1.0]]], [[[0.0, 1.0], [1.0, 0.0]]]])
    chain = MeanFieldChain(KRobotSystem(Game(**arrays), 3), np.zeros((1, 4), dtype=np.int64))
    bin_next = MeanFieldState((2, 0), 0, 0, 1, (1, 0), 0)
    own = chain.outcomes(bin_next, np.array([0.5, 0.5]))
    assert {x.built: p for x, p in own.items()} == pytest.approx({(3, 0): 0.25, (2, 1): 0.5, (1, 2): 0.25})
    shared = [chain.outcomes(bin_next, row) for row in np.eye(2)]
    assert {x.built for law in shared for x in law} == {(3, 0), (1, 2)}


def test_a_tick_of_replicas_by_hand() -> None:
    """Two robots that obey, two priorities in turn: what every micro-step shows, earns and discounts."""
    arrays = random_arrays(0, 2, 1, 2, 2, 0.5)
    arrays["P_g"] = np.array([[[0.0, 1.0]], [[1.0, 0.0]]])
    arrays["r_g"] = np.array([[10.0], [20.0]])
    arrays["P_l"] = np.broadcast_to(np.eye(2)[None, None], (2, 2, 2, 2)).copy()  # move a leads to zone a
    arrays["r_l"] = np.arange(8.0).reshape(2, 2, 2)
    arrays["start_priority"] = np.array([1.0, 0.0])
    chain = ReplicaChain(KRobotSystem(Game(**arrays), 2), np.zeros((2, 3), dtype=np.int64))
    rng = np.random.default_rng(0)
    first = chain.reset(rng)
    x, y = first.zones
    one = chain.step(1, rng)
    two = chain.step(0, rng)
    assert (first.priority, first.pending, first.pointer) == (0, 1, 0)
    assert (one.state, one.reward, one.discount) == (((1, y), 0, 1, 1), 10 + (4 * x + 1) / 2, 1.0)
    assert (two.state, two.reward, two.discount) == (((1, 0), 1, 0, 0), 4 * y / 2, 0.5)


@both
def test_play_follows_the_law(kind: Chain) -> None:
    """Chi-square of 4,000 episodes of one tick and one more micro-step under random moves, p > 0.001."""
    case = Case(kind, 11, 3, 2)
    rng = np.random.default_rng(5)
    moves = [1, 0, 1, 1][: case.chain.micro_steps + 1]
    law = case.chain.starts()
    for move in moves:
        after: dict[Any, float] = defaultdict(float)
        for state, chance in law.items():
            for x, p in case.chain.outcomes(state, np.eye(2)[move]).items():
                after[x] += chance * p
        law = after
    episodes = 4000
    seen: Counter[Any] = Counter()
    for _ in range(episodes):
        state = case.chain.reset(rng)
        for move in moves:
            expected = case.chain.reward(state, np.eye(2)[move]), case.chain.discount(state)
            step = case.chain.step(move, rng)
            assert (step.reward, step.discount) == expected
            state = step.state
        seen[state] += 1
    assert set(seen) <= set(law)
    often = [x for x, p in law.items() if p * episodes >= 5]
    rest = 1 - sum(law[x] for x in often)
    statistic = sum((seen[x] - episodes * law[x]) ** 2 / (episodes * law[x]) for x in often)
    others = episodes - sum(seen[x] for x in often)
    if rest * episodes >= 5:
        statistic += (others - episodes * rest) ** 2 / (episodes * rest)
    assert len(often) > 10
    assert statistic < chi2.ppf(0.999, len(often))


@settings(deadline=None, derandomize=True, max_examples=8)
@given(seed=seeds, k=st.integers(1, 3), sparse=st.booleans())
def test_the_replicas_optimum_is_that_of_the_oracle(seed: int, k: int, sparse: bool) -> None:
    case = Case(ReplicaChain, seed, k, sparse=sparse)
    finite = enumerate_chain(case.chain)
    values, moves = finite.optimum()
    ticks = Ticks(case.arrays, k, case.rule)
    best = ticks.at_start(ticks.optimum("one_by_one", sees_pending=True, by_zone=False))
    assert finite.start @ values == pytest.approx(best, abs=1e-9)
    assert np.allclose(finite.value_of_moves(moves), values, rtol=0, atol=1e-10)


@both
@settings(deadline=None, derandomize=True, max_examples=8)
@given(seed=seeds, k=st.integers(1, 3))
def test_what_sees_the_whole_state_earns_no_less_than_the_best_pure_policy(kind: Chain, seed: int, k: int) -> None:
    case = Case(kind, seed, k)
    finite = enumerate_chain(case.chain)
    best, _ = best_pure_policy(case.arrays, k, case.rule)
    assert finite.start @ finite.optimum()[0] >= best - 1e-9


def test_the_states_are_as_many_as_the_paper_counts() -> None:
    """k-chained: |S_l|^k · |S_g|² · k. Mean-field: |S_l| + 1 micro-steps, whatever k."""
    case = Case(ReplicaChain, 3, 3, 2)
    finite = enumerate_chain(case.chain)
    assert len(finite.states) == 2**3 * 2**2 * 3
    assert all(abs(np.asarray(P.sum(axis=1)) - 1).max() < 1e-12 for P in finite.P)
    assert {histogram_of(x.zones, 2) for x in finite.states} == set(histograms(3, 2))
    assert Case(MeanFieldChain, 3, 3, 2).chain.micro_steps == Case(MeanFieldChain, 3, 2, 2).chain.micro_steps == 3


@both
def test_wrong_tables_moves_and_sizes_are_users_errors(kind: Chain) -> None:
    case = Case(kind, 0, 2)
    with pytest.raises(UserError, match="dispatch table has shape"):
        kind(case.chain.system, case.table[:, :-1])
    with pytest.raises(UserError, match="after a reset"):
        case.chain.step(0, np.random.default_rng(0))
    case.chain.reset(np.random.default_rng(0))
    with pytest.raises(UserError, match="move 2"):
        case.chain.step(2, np.random.default_rng(0))
    with pytest.raises(UserError, match="more than 10 states: lower k"):
        enumerate_chain(case.chain, limit=10)
