"""Tables derived from a larger system: what a sample says of the fleet, and what to do then."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.solver import Game
from meanfleet.solver.fleet import Fleet, derived
from meanfleet.solver.fleet.derived import FLEETS, Reference, reference, visited_fleets
from meanfleet.solver.fleet.posterior import ROWS, posterior_mean
from meanfleet.solver.histograms import enumerate_histograms, rank
from naive.posterior import PartlySeen, posterior_means, sample_law
from naive.surrogate import TupleSystem, histograms, random_arrays, random_policy

few = settings(deadline=None, derandomize=True, max_examples=40)


# --- what a sample says


@few
@given(
    zones=st.integers(1, 3), n=st.integers(1, 6), distinct=st.integers(1, 5), seed=st.integers(0, 99), data=st.data()
)
def test_posterior_means_are_those_of_drawing_robot_by_robot(
    zones: int, n: int, distinct: int, seed: int, data: st.DataObject
) -> None:
    """Every n ≥ k, n = k included, against all subsets of named robots; nan where no fleet explains the sample."""
    k = data.draw(st.integers(1, n))
    rng = np.random.default_rng(seed)
    fleets, prior = rng.multinomial(n, np.ones(zones) / zones, size=distinct), rng.dirichlet(np.ones(distinct))
    values, grid = rng.normal(size=(distinct, 2)), enumerate_histograms(k, zones)
    mean = posterior_mean(grid, fleets, values, np.zeros((len(grid), 2)), prior, doubt=0.0)
    expected = posterior_means([tuple(f) for f in fleets.tolist()], prior.tolist(), list(values), k)
    for h, histogram in enumerate(map(tuple, grid.tolist())):
        if histogram in expected:
            assert np.allclose(mean[h], expected[histogram], rtol=1e-9, atol=1e-12)
        else:
            assert np.isnan(mean[h]).all()


def test_of_a_billion_robots_the_sample_is_multinomial() -> None:
    """Two fleets, k = 3: Bayes by hand with shares instead of counts, equal up to k²/n."""
    shares = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    fleets = (10**9 * shares).astype(np.int64)
    grid = enumerate_histograms(3, 3)
    mean = posterior_mean(grid, fleets, np.array([[0.0], [1.0]]), np.zeros((len(grid), 1)), doubt=0.0)
    likelihood = np.prod(shares[:, None, :] ** grid, axis=2)
    assert np.allclose(mean[:, 0], likelihood[1] / likelihood.sum(axis=0), rtol=1e-7)


def test_a_sample_that_no_fleet_explains_is_taken_at_its_word() -> None:
    grid = enumerate_histograms(2, 2)  # (2, 0), (1, 1), (0, 2)
    at_word = np.array([[10.0], [20.0], [30.0]])
    for fleets in (np.array([[50, 0]]), np.zeros((0, 2), dtype=np.int64)):
        mean = posterior_mean(grid, fleets, np.zeros((len(fleets), 1)), at_word)
        assert mean[2] == pytest.approx(30)
        assert mean[0] == pytest.approx(10 if len(fleets) == 0 else 0, abs=0.02)


def test_pieces_and_order_of_the_work_do_not_matter() -> None:
    grid = enumerate_histograms(30, 5)
    assert len(grid) > 2 * ROWS
    rng = np.random.default_rng(0)
    fleets, at_word = rng.multinomial(200, np.full(5, 0.2), size=20), rng.normal(size=(len(grid), 2))
    values = rng.normal(size=(20, 2))
    whole = posterior_mean(grid, fleets, values, at_word)
    shuffled = rng.permutation(len(grid))[:3000]
    assert np.allclose(posterior_mean(grid[shuffled], fleets, values, at_word[shuffled]), whole[shuffled], atol=1e-12)


# --- derived tables


class Tiny:
    """Four robots in two zones, two of them polled: small enough for exact laws over ordered robots."""

    n, k = 4, 2

    def __init__(self, seed: int) -> None:
        self.arrays = random_arrays(seed, 2, 2, 2, 2, 0.8)
        self.policy = random_policy(seed + 1, 2, 2, 2)
        self.game = Game(**self.arrays)
        self.fleet = Fleet(self.game, self.n, self.k)
        self.system = TupleSystem(self.arrays, self.policy, self.n)

    def seen(self, table: np.ndarray) -> PartlySeen:
        """The exact n-robot system under a table for k."""
        return PartlySeen(self.system, lambda s, h: int(table[s, rank(h)]), self.k)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_with_everybody_polled_the_derived_table_is_the_best_there_is(seed: int) -> None:
    """n = k = κ: a sample is the fleet, so the table is greedy to the optimal Q of the n-robot system itself."""
    tiny = Tiny(seed)
    source = reference(tiny.game, tiny.policy, tiny.n)
    assert source is not None
    assert source.kappa == tiny.n
    fleet = Fleet(tiny.game, tiny.n, tiny.n)
    greedy = source.table(tiny.n)
    fleets = visited_fleets(fleet, greedy, tiny.policy, seed)
    q = np.stack(
        [tiny.system.by_histogram(tiny.system.q_values(tiny.system.optimal())[:, :, a]) for a in range(2)], axis=2
    )
    assert np.array_equal(q.argmax(axis=2), greedy)
    assert np.array_equal(source.derived(tiny.n, fleets), greedy)


@pytest.mark.parametrize("seed", [3, 4])
def test_fleets_are_drawn_from_the_discounted_law_given_the_priority(seed: int) -> None:
    """Frequencies of fleets against the exact occupancy; draws of one rollout depend on each other, hence 5 %."""
    tiny = Tiny(seed)
    table = np.random.default_rng(seed).integers(2, size=(2, 3))
    drawn = visited_fleets(tiny.fleet, table, tiny.policy, seed)
    exact = tiny.seen(table)
    for s, fleets in enumerate(drawn):
        assert len(fleets) == FLEETS
        assert (fleets.sum(axis=1) == tiny.n).all()
        for fleet, chance in exact.law_given_priority(s).items():
            assert abs((fleets == fleet).all(axis=1).mean() - chance) < 0.05


@pytest.mark.parametrize("seed", range(5, 10))
def test_the_derived_table_is_greedy_to_the_posterior_mean_by_enumeration(seed: int) -> None:
    """E[Q_n(fleet) | sample] over the exact on-policy law; where its best two lie close, sampling may choose either."""
    tiny = Tiny(seed)
    source = reference(tiny.game, tiny.policy, tiny.n)
    assert source is not None
    table = source.table(tiny.k)
    greedy = source.derived(tiny.k, visited_fleets(tiny.fleet, table, tiny.policy, seed))
    exact = tiny.seen(table)
    order = {h: i for i, h in enumerate(histograms(tiny.n, 2))}
    decided = 0
    for s in range(2):
        law = exact.law_given_priority(s)
        q = [source.q[s, order[fleet]] for fleet in law]
        for h, mean in posterior_means(list(law), list(law.values()), q, tiny.k).items():
            if abs(mean[0] - mean[1]) > 0.1 * np.ptp([value[0] - value[1] for value in q]):
                decided += 1
                assert greedy[s, rank(h)] == mean.argmax()
    assert decided >= 3


def test_a_state_never_visited_takes_samples_at_their_word() -> None:
    tiny = Tiny(0)
    source = reference(tiny.game, tiny.policy, 3)
    assert source is not None
    nobody = [np.zeros((0, 2), dtype=np.int64)] * 2
    assert np.array_equal(source.derived(tiny.k, nobody), source.table(tiny.k))


def test_kappa_within_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """No κ asked for: none. More histograms than the exact backup is given time for: fewer robots."""
    tiny = Tiny(0)
    assert reference(tiny.game, tiny.policy, 0) is None
    monkeypatch.setattr(derived, "HISTOGRAMS", 10)  # two zones: κ = 9 has as many
    source = reference(tiny.game, tiny.policy, 20)
    assert isinstance(source, Reference)
    assert source.kappa == 9


def test_a_small_sample_law_by_hand() -> None:
    """The oracle itself: 2 of (2, 1) are (2, 0) in one of three pairs."""
    assert sample_law((2, 1), 2) == pytest.approx({(2, 0): 1 / 3, (1, 1): 2 / 3})
