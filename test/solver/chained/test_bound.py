"""The upper bounds of J against robots that are enumerated one by one, and the certificate against every policy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.base.errors import UserError
from meanfleet.solver import Game
from meanfleet.solver.bounds import ValueInterval
from meanfleet.solver.certificate import certify, local_ceiling, single_robot_bound
from meanfleet.solver.chained.at_once import at_once, at_once_values
from meanfleet.solver.chained.bound import Tick, chained_bound, chained_states, joint_bound, one_by_one, slices
from meanfleet.solver.chained.ceiling import AT_ONCE, CHAINED, affordable, ceiling
from meanfleet.solver.evaluation import evaluate
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.histograms import count_histograms
from meanfleet.solver.surrogate import KRobotSystem
from naive.chained import Ticks
from naive.surrogate import (
    Dispatch,
    TupleSystem,
    best_pure_policy,
    histogram_of,
    histograms,
    pure_policies,
    random_arrays,
    random_policy,
)

seeds = st.integers(0, 10**6)


class Case:
    """One random game and one random dispatch table, as product and as oracle."""

    def __init__(self, seed: int, k: int, zones: int = 2, discount: float = 0.7, sparse: bool = False) -> None:
        self.arrays = random_arrays(seed, 2, 2, zones, 2, discount, sparse)
        self.game, self.k, self.zones = Game(**self.arrays), k, zones
        self.order = {h: i for i, h in enumerate(histograms(k, zones))}
        self.table = np.random.default_rng(seed).integers(2, size=(2, len(self.order)))
        self.system = KRobotSystem(self.game, k)

    def rule(self, table: np.ndarray | None = None) -> Dispatch:
        table = self.table if table is None else table
        return lambda s, histogram: int(table[s, self.order[histogram]])

    def by_histogram(self, values: dict) -> np.ndarray:
        """Values of ordered robots as [s_g, h]; they must not depend on the order."""
        result = np.full((2, len(self.order)), np.nan)
        for (s, robots), value in values.items():
            h = self.order[histogram_of(robots, self.zones)]
            assert np.isnan(result[s, h]) or abs(result[s, h] - value) <= 1e-9
            result[s, h] = value
        return result


cases = st.builds(
    Case,
    seed=seeds,
    k=st.integers(1, 3),
    zones=st.integers(1, 2),
    discount=st.sampled_from([0.0, 0.5, 0.8]),
    sparse=st.booleans(),
)


def brackets(interval: ValueInterval, values: np.ndarray) -> bool:
    return bool((np.abs(values - interval.middle) <= interval.half + 1e-9).all())


relaxations = pytest.mark.parametrize(("tick", "naive"), [(one_by_one, "one_by_one"), (at_once, "simultaneous")])


@relaxations
@settings(deadline=None, derandomize=True, max_examples=15)
@given(case=cases)
def test_both_bounds_equal_the_optimum_of_ordered_robots(tick: Tick, naive: str, case: Case) -> None:
    for dispatch, found in (
        (case.rule(), chained_bound(case.game, case.table, case.k, tick, 1e-10)),
        (None, joint_bound(case.game, case.k, tick, 1e-10)),
    ):
        exact = case.by_histogram(Ticks(case.arrays, case.k, dispatch).optimum(naive))
        assert 2 * found.half <= 1e-9
        assert brackets(found, exact)


@settings(deadline=None, derandomize=True, max_examples=12)
@given(cases)
def test_knowing_more_is_never_worth_less(case: Case) -> None:
    """All moves chosen at once <= one by one <= one by one with s_g' seen before, in every state."""
    close = chained_bound(case.game, case.table, case.k, at_once, 1e-10).middle
    wide = chained_bound(case.game, case.table, case.k, one_by_one, 1e-10).middle
    ticks = Ticks(case.arrays, case.k, case.rule())
    pending = case.by_histogram(ticks.optimum("one_by_one", sees_pending=True))
    assert (close <= wide + 1e-9).all()
    assert (wide <= pending + 1e-9).all()


@settings(deadline=None, derandomize=True, max_examples=15)
@given(cases, st.sampled_from([1e-2, 1.0, 100.0]))
def test_a_bound_holds_wherever_iteration_begins_and_however_early_it_ends(case: Case, tolerance: float) -> None:
    exact = chained_bound(case.game, case.table, case.k, tolerance=1e-10).middle
    rough = np.random.default_rng(0).normal(size=exact.shape)
    assert brackets(chained_bound(case.game, case.table, case.k, one_by_one, tolerance, rough), exact)
    once = chained_bound(case.game, case.table, case.k, one_by_one, 1e-10, rough, max_backups=1)
    assert once.backups == 1
    assert brackets(once, exact)


@relaxations
def test_a_chain_that_never_mixes_is_settled_all_the_same(tick: Tick, naive: str) -> None:
    """Robots and priority turn in rings for ever, γ = 0.999: plain iteration would need some 20,000 backups.

    With a single move there is nothing to choose, and the bound is the value, a linear system.
    """
    arrays = random_arrays(3, 2, 1, 3, 1, 0.999)
    arrays["P_l"] = np.broadcast_to(np.roll(np.eye(3), 1, axis=1)[:, None, None, :], (3, 2, 1, 3)).copy()
    arrays["P_g"] = np.array([[[0.0, 1.0]], [[1.0, 0.0]]])
    system = TupleSystem(arrays, np.ones((3, 2, 1)), 2)
    exact = system.by_histogram(system.value(lambda s, histogram: 0))
    found = chained_bound(Game(**arrays), np.zeros((2, 6), dtype=np.int64), 2, tick, 1e-7)
    assert found.backups < 1000
    assert 2 * found.half <= 1e-7
    assert (np.abs(exact - found.middle) <= found.half).all()


@relaxations
@settings(deadline=None, derandomize=True, max_examples=10)
@given(seed=seeds, k=st.integers(2, 6), sparse=st.booleans())
def test_fewer_robots_bound_more_robots(tick: Tick, naive: str, seed: int, k: int, sparse: bool) -> None:
    """κ robots drawn from k earn on average what the k earn, so the joint bound never rises with k."""
    game = Game(**random_arrays(seed, 2, 2, 3, 2, 0.8, sparse))
    bounds = [joint_bound(game, m, tick, 1e-9).mean(KRobotSystem(game, m).start)[1] for m in range(1, k + 1)]
    assert all(more <= fewer + 1e-8 for fewer, more in itertools.pairwise(bounds))
    assert bounds[0] == pytest.approx(single_robot_bound(game), abs=1e-8)


def test_the_work_is_what_enumeration_counts() -> None:
    for k, zones in [(1, 1), (3, 2), (4, 3), (5, 5)]:
        pairs = sum(count_histograms(j, zones) * count_histograms(k - j, zones) for j in range(k + 1))
        assert chained_states(k, zones) == pairs
    game = Case(0, 3).game
    types = list(itertools.product(range(2), range(2)))
    walked = sum(
        len(list(itertools.combinations_with_replacement(types, d))) * len(histograms(3 - d, 2)) for d in (1, 2, 3)
    )
    assert at_once_values(game, 3) == walked
    assert slices(game, np.array([[0, 0, 1, 0], [1, 1, 1, 1]])) == 3
    assert slices(game, None) == 4


@pytest.mark.parametrize("table", [np.zeros((2, 2), dtype=np.int64), np.full((2, 4), 2), np.full((2, 4), -1)])
def test_a_table_of_another_game_is_a_users_error(table: np.ndarray) -> None:
    with pytest.raises(UserError, match="dispatch table"):
        chained_bound(Case(0, 3).game, table, 3)


# --- the certificate's ceiling


@settings(deadline=None, derandomize=True, max_examples=12)
@given(seeds, st.integers(1, 4), st.sampled_from([10**9, 150, 60, 0]))
def test_the_ceiling_lies_above_every_policy_at_every_budget(seed: int, k: int, budget: int) -> None:
    case = Case(seed, k)
    best, policy = best_pure_policy(case.arrays, k, case.rule())
    found = ceiling(case.system, case.table, best, None, 1e-9, budget)
    assert found.value >= best - 1e-9
    mixed = random_policy(seed, 2, 2, 2)
    assert found.value >= TupleSystem(case.arrays, mixed, k).expected_return(case.rule()) - 1e-9
    surrogate = case.system.under(policy)
    least = local_ceiling(surrogate, case.table, evaluate(surrogate, case.table), 1e-9)
    assert best - 1e-9 <= least.value <= single_robot_bound(case.game) + 1e-8


def test_the_kind_says_which_ceiling_the_budget_allowed() -> None:
    case = Case(3, 3)
    pairs = slices(case.game, case.table)
    walk, chain = at_once_values(case.game, 3) * pairs, chained_states(3, 2) * pairs
    assert chain < walk
    joint = chained_states(2, 2) * 4
    assert joint < chain
    budgets = (walk, walk - 1, chain, chain - 1, joint, joint - 1, 0)
    kinds = [ceiling(case.system, case.table, 0.0, None, 1e-6, budget).kind for budget in budgets]
    assert kinds[:3] == [AT_ONCE, CHAINED, CHAINED]
    two, one = (
        "2 robots that see all and choose the dispatch",
        "one robot that sees all and chooses the dispatch",
    )
    why = f"the chained MDP of k = 3 has {chain:.1e} states"
    assert kinds[3:5] == [f"upper bound, loose: {two}; {why}"] * 2
    assert kinds[5:] == [f"upper bound, loose: {one}; {why}"] * 2
    two_robots = Case(3, 2)  # worked out to the last digit, it is a bound all the same
    assert ceiling(two_robots.system, two_robots.table, 1e6).kind == AT_ONCE
    assert affordable(case.game, 3, joint) == 2
    assert affordable(case.game, 3, 10**9) == 3


@settings(deadline=None, derandomize=True, max_examples=10)
@given(seeds)
def test_with_one_robot_the_ceiling_is_the_best_policy(seed: int) -> None:
    case = Case(seed, 1)
    best, _ = best_pure_policy(case.arrays, 1, case.rule())
    found = ceiling(case.system, case.table, best - 1)
    assert found.kind == "exact"
    assert found.value == pytest.approx(best, abs=2e-6)


@pytest.mark.parametrize(("seed", "k"), [(0, 1), (1, 2), (2, 2), (3, 3)])
def test_both_gaps_of_a_tiny_game_against_every_policy(seed: int, k: int) -> None:
    """Every dispatch table and every deterministic π_l are tried, none does better than the certificate allows."""
    case = Case(seed, k)
    policy = random_policy(seed + 7, 2, 2, 2)
    naive = TupleSystem(case.arrays, policy, k)
    value = naive.value(case.rule())
    tables = [np.reshape(t, case.table.shape) for t in itertools.product(range(2), repeat=case.table.size)]
    gains = [(naive.value(case.rule(table)) - value).max() for table in tables]
    others = [TupleSystem(case.arrays, p, k) for p in pure_policies(2, 2, 2)]
    moved = [other.expected_return(case.rule()) for other in others]
    rise = max(moved) - naive.expected_return(case.rule())

    surrogate = case.system.under(policy)
    found = certify(surrogate, learn_exact(surrogate, 1e-9), case.table, evaluate(surrogate, case.table, 1e-10), 1e-8)
    assert max(gains) == pytest.approx(found.global_gap, abs=1e-7)
    assert found.global_kind == "exact"
    # On these games the search finds the best of all pure policies, or a mixed one above it.
    assert rise - 1e-7 <= found.local_gap_low <= found.local_gap_high + 1e-9
    # The proven end is the naive optimum over full-state joint actions, up to where iteration may stop.
    best = Ticks(case.arrays, k, case.rule())
    exact = best.at_start(best.optimum("simultaneous")) - naive.expected_return(case.rule())
    assert exact - 1e-9 <= found.local_gap_high <= exact * 1.011 + 1e-7
    assert found.local_kind == ("exact" if k == 1 else AT_ONCE)
    if k < 3:
        pairs = max(other.expected_return(case.rule(table)) for other in others for table in tables)
        assert found.pair_gap >= pairs - naive.expected_return(case.rule()) - 1e-7


def test_on_the_papers_game_the_ceilings_stand_close_above_the_best_pairs() -> None:
    """Best pairs known: J = 140.805 (k = 2), 130.282 (k = 4). A single robot that dispatches itself: 177.6."""
    game = Game.from_yaml("config/warehouse.yaml")
    for k, pair, once, one in ((2, 140.805, 144.637, 145.201), (4, 130.282, 134.771, 135.082)):
        law = KRobotSystem(game, k).start
        close, wide = (joint_bound(game, k, tick, 1e-4).mean(law)[1] for tick in (at_once, one_by_one))
        assert pair < close < wide
        assert close == pytest.approx(once, abs=2e-3)
        assert wide == pytest.approx(one, abs=2e-3)
    assert single_robot_bound(game) == pytest.approx(177.590, abs=2e-3)


@relaxations
def test_rounding_is_part_of_a_bound_that_iteration_cannot_narrow_further(tick: Tick, naive: str) -> None:
    """However small the tolerance, the interval is no narrower than what sums over zones and robots lose."""
    case = Case(3, 2, discount=0.8)
    for bound in (
        chained_bound(case.game, case.table, case.k, tick, 1e-300),
        joint_bound(case.game, case.k, tick, 1e-300),
    ):
        lost = np.finfo(float).eps * case.k * case.zones * np.abs(bound.middle).max()
        assert bound.half >= lost
