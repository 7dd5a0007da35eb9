"""UCFH: its confidence sets, its planning, its reduction, and that it learns what it promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2

from meanfleet.base.errors import UserError
from meanfleet.solver import Game
from meanfleet.solver.chained.confidence import extreme, interval
from meanfleet.solver.chained.episodic import EpisodicMDP, episodes_of, truncation
from meanfleet.solver.chained.finite import FiniteChain, enumerate_chain
from meanfleet.solver.chained.mean_field import MeanFieldChain
from meanfleet.solver.chained.replicas import ReplicaChain
from meanfleet.solver.chained.response import follow, project, respond
from meanfleet.solver.chained.ucfh import Confidence, Constants, _Model, learn
from meanfleet.solver.surrogate import KRobotSystem
from naive.surrogate import TupleSystem, best_pure_policy, histograms, random_arrays, random_policy
from naive.ucfh import best_mean, inside, optimistic_value

few = settings(deadline=None, derandomize=True, max_examples=40)
seeds = st.integers(0, 10**6)
both = pytest.mark.parametrize("kind", [ReplicaChain, MeanFieldChain])


class Case:
    """k = 2 robots, 2 zones, γ = 0.5: a random game and table, its chain and its episodes."""

    def __init__(self, kind: Any = ReplicaChain, seed: int = 5, epsilon: float = 0.05) -> None:
        self.arrays = random_arrays(seed, 2, 2, 2, 2, 0.5)
        self.game = Game(**self.arrays)
        self.system = KRobotSystem(self.game, 2)
        self.table = np.random.default_rng(seed).integers(2, size=(2, 3))
        self.chain: FiniteChain = enumerate_chain(kind(self.system, self.table))
        self.episodes: EpisodicMDP = episodes_of(self.chain, epsilon)

    def rule(self, s: int, histogram: tuple[int, ...]) -> int:
        return int(self.table[s, histograms(2, 2).index(histogram)])


# --- confidence sets


@few
@given(
    n=st.integers(1, 400),
    share=st.floats(0, 1),
    log_term=st.floats(2, 20),
    scale=st.sampled_from([1.0, 0.3, 0.05]),
)
def test_the_interval_is_the_hull_of_the_confidence_set(n: int, share: float, log_term: float, scale: float) -> None:
    """Compared with the definition on a grid of step 1/2000."""
    p = round(share * n) / n
    low, high = interval(p, n, log_term, scale)
    grid = [q for q in np.linspace(0, 1, 2001) if inside(q, p, n, log_term, scale)]
    assert 0 <= low <= p <= high <= 1
    assert all(low - 1e-12 <= q <= high + 1e-12 for q in grid)
    # Tight: the set reaches to the ends, where the grid is fine enough to meet it at all.
    for end in (low, high):
        assert any(inside(end + shift, p, n, log_term, scale) for shift in (0.0, 1e-9, -1e-9))


@pytest.mark.parametrize("p", [0.01, 0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("n", [2, 5, 20, 100, 1000])
@pytest.mark.parametrize("delta", [0.5, 0.1])
def test_the_interval_misses_the_truth_no_more_often_than_promised(p: float, n: int, delta: float) -> None:
    """Exactly, by summing the binomial law."""
    seen = np.arange(n + 1)
    ends = [interval(x / n, n, np.log(6 / delta), 1.0) for x in seen]
    missed = [not low <= p <= high for low, high in ends]
    assert binom.pmf(seen, n, p)[missed].sum() <= delta


def test_certainty_narrows_with_the_root_of_the_visits_and_with_the_scale() -> None:
    widths = [np.subtract(*interval(0.3, n, 10.0, 1.0)[::-1]) for n in (10**4, 4 * 10**4, 10**6)]
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.1)
    assert np.subtract(*interval(0.3, 10**6, 10.0, 0.1)[::-1]) == pytest.approx(widths[2] / 10, rel=0.01)
    assert interval(0.3, 1, 10.0, 0.01) == interval(1.0, 0, 10.0, 0.01) == (0.0, 1.0)


@few
@given(seed=seeds, count=st.integers(1, 6))
def test_the_extreme_means_solve_the_linear_programme(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(count))
    low, high = p * rng.uniform(0, 1, count), p + (1 - p) * rng.uniform(0, 1, count)
    values, ends = rng.normal(size=9), rng.choice(9, size=count, replace=False)
    assert extreme(values, ends, low, high, True) == pytest.approx(best_mean(values[ends], low, high), abs=1e-9)
    assert extreme(values, ends, low, high, False) == pytest.approx(best_mean(values[ends], low, high, -1), abs=1e-9)


# --- the reduction


@few
@given(st.floats(0.01, 0.99), st.floats(0.01, 100), st.floats(1e-3, 10))
def test_the_horizon_is_the_least_that_cuts_off_no_more_than_epsilon(gamma: float, r_max: float, eps: float) -> None:
    ticks = truncation(gamma, r_max, eps)
    tail = r_max / (1 - gamma)
    assert gamma**ticks * tail <= eps * (1 + 1e-9)
    assert ticks == 1 or gamma ** (ticks - 1) * tail > eps * (1 - 1e-9)


@both
@pytest.mark.parametrize("seed", range(4))
def test_an_episode_returns_what_the_chain_does_up_to_the_horizon(kind: Any, seed: int) -> None:
    """Under any moves, time-dependent ones too: deciding states, scaling and γ^tick change nothing."""
    case = Case(kind, seed, 0.2)
    mdp, chain = case.episodes, case.chain
    assert (mdp.reward[: mdp.deciding] == 0).all()
    assert mdp.reward.min() == 0
    assert mdp.reward.max() == 1
    micro = mdp.horizon // 2
    moves = np.random.default_rng(seed).integers(2, size=(micro, mdp.deciding))
    law, earned = mdp.start, 0.0
    for t in range(mdp.horizon):
        earned += mdp.weight[t] * law @ mdp.reward
        after = np.zeros_like(law)
        for s in np.flatnonzero(law):
            pair = mdp.pair[s] + (moves[t // 2, s] if s < mdp.deciding else 0)
            part = slice(mdp.begin[pair], mdp.begin[pair + 1])
            np.add.at(after, mdp.successor[part], law[s] * mdp.probability[part])
        law = after
        assert law.sum() == pytest.approx(1, abs=1e-12)
    law, direct = chain.start, 0.0
    for move in moves:
        direct += law @ np.take_along_axis(chain.reward, move[:, None], axis=1)[:, 0]
        law = sum(P.T @ (law * chain.discount * (move == a)) for a, P in enumerate(chain.P))
    assert mdp.shift + mdp.scale * earned == pytest.approx(direct, abs=1e-12)
    # What follows lies within the tail, which is ε wide at most.
    assert mdp.tail[1] - mdp.tail[0] <= 0.2 + 1e-12
    j, _ = follow(chain, moves)
    assert direct + mdp.tail[0] - 1e-12 <= j <= direct + mdp.tail[1] + 1e-12


# --- planning and counting


def played(case: Case, rounds: int, scale: float = 0.2) -> _Model:
    """A model after some rounds of plan, play, update."""
    confidence = Confidence(0.05, 0.1, scale, 0.0, 10**6)
    model, rng = _Model(case.episodes, Constants.of(case.episodes, confidence), scale), np.random.default_rng(1)
    for _ in range(rounds):
        model.play(model.plan()[0], rng, 10**6)
        model.update()
    return model


def test_planning_finds_the_best_of_all_policies_and_models() -> None:
    case = Case(epsilon=1.0)
    mdp, model = case.episodes, played(case, 30)

    def box(s: int, a: int) -> dict[int, tuple[float, float]]:
        pair = mdp.pair[s] + a
        ends = range(mdp.begin[pair], mdp.begin[pair + 1])
        if len(ends) == 1:
            return {int(mdp.successor[ends[0]]): (1.0, 1.0)}
        n = int(model.n[pair])
        bounds = [interval(model.n_next[i] / max(n, 1), n, model.constants.log_term, model.scale) for i in ends]
        return {int(mdp.successor[i]): b for i, b in zip(ends, bounds, strict=True)}

    naive = sum(
        p * optimistic_value(mdp.horizon, lambda t, s: mdp.weight[t] * mdp.reward[s], lambda s: mdp.actions[s], box, s)
        for s, p in enumerate(mdp.start)
        if p > 0
    )
    _, best, worst = model.plan()
    assert best == pytest.approx(naive, abs=1e-8)
    assert worst <= best


def test_counts_are_taken_in_when_they_doubled_and_none_is_lost() -> None:
    case = Case()
    model, rng = played(case, 0), np.random.default_rng(2)
    mdp, visits = case.episodes, 0
    updates = 0
    for _ in range(60):
        before = model.n.copy()
        # Every other time step leaves an outcome state, and there alone something is to be learned.
        visits += model.play(model.plan()[0], rng, 10**6) * mdp.horizon // 2
        updates += model.update()
        assert (model.n + model.v).sum() == (model.n_next + model.v_next).sum()
        assert (model.n + model.v).sum() <= visits
        changed = np.flatnonzero(model.n != before)
        assert len(changed) == 1
        assert model.n[changed[0]] >= 2 * before[changed[0]]
    assert updates == 60
    # What was seen follows the true law: chi-square per pair, p > 0.001 each of a dozen.
    seen = model.n_next + model.v_next
    tested = 0
    for pair in np.argsort(-(model.n + model.v))[:12]:
        part = slice(mdp.begin[pair], mdp.begin[pair + 1])
        expected = mdp.probability[part] * seen[part].sum()
        if expected.min() >= 5:
            tested += 1
            assert ((seen[part] - expected) ** 2 / expected).sum() < chi2.ppf(0.999, len(expected) - 1)
    assert tested >= 3


def test_the_constants_of_the_theory_by_hand() -> None:
    """32 chain states, 96 in all, 64 pairs of 4 successors at most, T = 6 ticks of 4 time steps."""
    case = Case(seed=3)
    mdp = case.episodes
    assert (len(mdp.actions), mdp.horizon, int((np.diff(mdp.begin) > 1).sum())) == (96, 24, 64)
    theory = Constants.of(mdp, Confidence(0.05, 0.1, 1.0, 1.0, 1))
    epsilon = 0.05 / mdp.scale
    w_min = epsilon / (4 * 24 * 96)
    log_term = np.log(6 * 2 * 64 * np.log2(96 * 24 / w_min) * 4 / 0.1)
    assert theory.log_term == pytest.approx(log_term)
    iterated = np.log2(np.log2(24)) ** 2
    m = 512 * iterated * 4 * 24**2 / epsilon**2 * np.log2(8 * 24**2 * 96**2 / epsilon) ** 2 * log_term
    assert theory.m == pytest.approx(m)
    assert theory.floor == pytest.approx(m * w_min)
    assert theory.cap == pytest.approx(96 * m * 24)
    # With this patience a budget of ten thousand episodes ends before anything is learned, and says so.
    waited = learn(mdp, Confidence(0.05, 0.1, 1.0, 1.0, 10_000), np.random.default_rng(0))
    assert theory.floor > 10**8
    assert (waited.episodes, waited.updates, waited.settled) == (10_000, 0, False)


# --- learning

EPSILON = 0.1


@both
@pytest.mark.parametrize(("seed", "scale", "budget"), [(0, 1.0, 60_000), (1, 1.0, 60_000), (2, 0.1, 2_000)])
def test_learning_ends_within_epsilon_of_the_chained_optimum(kind: Any, seed: int, scale: float, budget: int) -> None:
    """k = 2, 2 zones, γ = 0.5, δ = 0.1. At scale 1 the confidence sets are those of the theory."""
    case = Case(kind)
    optimum = case.chain.start @ case.chain.optimum()[0]
    surrogate = case.system.under(np.full((2, 2, 2), 0.5))
    confidence = Confidence(EPSILON, 0.1, scale, 0.0, budget)
    widths: list[float] = []
    found = respond(
        surrogate,
        case.table,
        confidence,
        np.random.default_rng(seed),
        kind is MeanFieldChain,
        progress=lambda label, width: widths.append(width),
    )
    learned = found.learned
    assert learned.settled
    assert learned.episodes <= budget
    assert learned.confidence.scale == scale
    assert optimum - EPSILON <= found.chained <= optimum + 1e-9
    assert learned.low - 1e-9 <= found.chained
    assert optimum <= learned.high + 1e-9
    # Ignorance was far from enough, and every plan was reported.
    assert widths[0] > 10 * EPSILON / 2
    assert widths[-1] == learned.width <= EPSILON / 2
    assert len(widths) == learned.updates + 1


def test_the_same_seed_learns_the_same() -> None:
    case = Case()
    runs = [learn(case.episodes, Confidence(0.1, 0.1, 0.1), np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert np.array_equal(runs[0].moves, runs[1].moves)
    assert runs[0].episodes == runs[1].episodes
    assert (runs[0].low, runs[0].episodes) != (runs[2].low, runs[2].episodes)


@pytest.mark.parametrize(
    "wrong", [{"epsilon": 0.0}, {"delta": 1.0}, {"delta": 0.0}, {"scale": 0.0}, {"patience": -1.0}, {"episodes": 0}]
)
def test_parameters_out_of_range_are_users_errors(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=f"{next(iter(wrong))} = "):
        Confidence(**wrong)  # type: ignore[arg-type]


# --- projection and acceptance


@both
def test_following_one_policy_for_ever_earns_its_value_and_counts_its_robots(kind: Any) -> None:
    case = Case(kind)
    moves = np.random.default_rng(0).integers(2, size=len(case.chain.states))
    j, counts = follow(case.chain, np.tile(moves, (case.chain.environment.micro_steps, 1)))
    assert j == pytest.approx(case.chain.start @ case.chain.value_of_moves(moves), abs=1e-10)
    assert counts.sum() == pytest.approx(2 / (1 - 0.5), abs=1e-10)


@both
def test_a_projected_pure_policy_is_itself(kind: Any) -> None:
    case = Case(kind)
    policy = random_policy(3, 2, 2, 2, pure=True)
    moves = np.argmax(policy[case.chain.cells[:, 0], case.chain.cells[:, 1]], axis=1)
    j, counts = follow(case.chain, moves[None, :])
    assert np.array_equal(project(counts, np.full((2, 2, 2), 0.5)), policy)
    assert j == pytest.approx(TupleSystem(case.arrays, policy, 2).expected_return(case.rule), abs=1e-10)


def test_the_majority_decides_and_cells_never_met_keep_their_row() -> None:
    counts = np.array([[[0.2, 0.3], [0.0, 0.0]], [[5.0, 4.0], [0.0, 0.1]]])
    row = np.array([0.25, 0.75])
    found = project(counts, np.broadcast_to(row, (2, 2, 2)))
    assert found.tolist() == [[[0, 1], row.tolist()], [[1, 0], [0, 1]]]


@both
@pytest.mark.parametrize("seed", range(3))
def test_a_response_is_accepted_only_if_the_exact_j_rises(kind: Any, seed: int) -> None:
    case = Case(kind, seed)
    best, policy = best_pure_policy(case.arrays, 2, case.rule)
    confidence = Confidence(EPSILON, 0.1, 0.1, 0.0, 2_000)

    def from_policy(local_policy: np.ndarray) -> Any:
        rng = np.random.default_rng(seed)
        return respond(case.system.under(local_policy), case.table, confidence, rng, kind is MeanFieldChain)

    for before in (np.full((2, 2, 2), 0.5), policy):
        found = from_policy(before)
        j = TupleSystem(case.arrays, before, 2).expected_return(case.rule)
        projected = TupleSystem(case.arrays, found.candidate, 2).expected_return(case.rule)
        assert found.candidate_value.mean(case.system.start)[0] == pytest.approx(projected, abs=1e-6)
        assert found.accepted == (projected > j + 1e-6)
        kept = TupleSystem(case.arrays, found.surrogate.local_policy, 2).expected_return(case.rule)
        assert found.value.mean(case.system.start)[0] == pytest.approx(kept, abs=1e-6)
        assert kept == pytest.approx(max(j, projected), abs=1e-6)
    assert not found.accepted  # nothing pure beats the best pure policy
    assert kept == pytest.approx(best, abs=1e-9)
