"""Thinning and de Casteljau are the law of the next histogram, for every P, within a stated error (math.md §3)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.base.errors import UserError
from meanfleet.solver import Game, policies
from meanfleet.solver.next_law import next_law
from meanfleet.solver.next_law.casteljau import CasteljauLaw, operations
from meanfleet.solver.next_law.choice import LOSS
from meanfleet.solver.next_law.factorisation import factorise
from meanfleet.solver.next_law.kernels import band
from meanfleet.solver.next_law.thinning import ThinningLaw
from naive.surrogate import histograms, next_histogram_law
from naive.symmetric_power import dense_power
from naive.transitions import KINDS, transition

ROOT = Path(__file__).resolve().parents[3]

few = settings(deadline=None, derandomize=True, max_examples=60)
cases = (st.integers(0, 10**6), st.integers(1, 5), st.integers(0, 7), st.sampled_from(KINDS))


def laws(P: np.ndarray, k: int) -> list[ThinningLaw | CasteljauLaw]:
    """Both ways, where both are open."""
    factors = factorise(P, k, 1e-6) if len(P) > 2 and k > 0 else None
    return [CasteljauLaw(k, P)] + ([ThinningLaw(k, factors, factors.error_bound(P, k))] if factors else [])


def paper(priority: int) -> np.ndarray:
    """P̃[s_g] of the paper's warehouse with robots on the shortest way."""
    game = Game.from_yaml(ROOT / "config" / "warehouse.yaml")
    policy = policies.shortest_way(game)
    return np.einsum("za,zay->zy", policy[:, priority], game.P_l[:, priority])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("k", "zones"), [(1, 3), (2, 2), (3, 3), (3, 4)])
def test_the_oracle_itself_is_the_enumeration_of_all_joint_moves(k: int, zones: int, kind: str) -> None:
    P = transition(5, zones, kind)
    every = histograms(k, zones)
    expected = [[next_histogram_law(P, mu).get(nu, 0.0) for nu in every] for mu in every]
    assert np.allclose(dense_power(P, k), expected, rtol=0, atol=1e-14)


@few
@given(*cases)
def test_expectations_are_those_of_the_dense_matrix_within_the_stated_error(
    seed: int, zones: int, k: int, kind: str
) -> None:
    P = transition(seed, zones, kind)
    T = dense_power(P, min(k, 5))
    f = np.random.default_rng(seed).normal(size=(len(T), 1 + seed % 6))
    for law in laws(P, min(k, 5)):
        assert np.abs(law.expect(f) - T @ f).max() <= law.error * np.abs(f).max()
        assert np.abs(law.push(f) - T.T @ f).max() <= 1e-14 + len(T) * law.error * np.abs(f).max()


@few
@given(*cases)
def test_products_have_their_closed_form_and_push_is_the_transpose(seed: int, zones: int, k: int, kind: str) -> None:
    """f(ν) = Π_j u_j^ν_j gives (E f)(μ) = Π_z (P u)_z^μ_z for any P; Σ w (E f) = Σ (push w) f."""
    P = transition(seed, zones, kind)
    rng = np.random.default_rng(seed)
    u = rng.uniform(-1, 1, zones)
    every = np.array(histograms(k, zones))
    f = np.prod(u**every, axis=1)[:, None]
    w = rng.random((len(every), 2))
    for law in laws(P, k):
        expected = law.expect(f)
        assert np.abs(expected[:, 0] - np.prod((P @ u) ** every, axis=1)).max() <= law.error + 1e-14
        assert np.allclose(w.T @ expected, law.push(w).T @ f, rtol=0, atol=1e-12 + 10 * w.sum() * law.error)


@pytest.mark.parametrize(("k", "zones"), [(40, 3), (25, 4), (20, 5), (12, 6), (8, 7)])
@pytest.mark.parametrize("kind", ["sticky", "dense", "equal rows", "permutation"])
def test_many_robots_keep_products_and_moments(k: int, zones: int, kind: str) -> None:
    """Mean and variance of μ' have closed forms for any P, as do products; both ways keep them to their error."""
    P = transition(11, zones, kind)
    every = np.array(histograms(k, zones), dtype=float) if zones < 5 else _enumerated(k, zones)
    u = np.linspace(0.5, 1.0, zones)
    f = np.column_stack([every, every**2, np.prod(u**every, axis=1) * k])
    law = next_law(P, k)
    found = law.expect(f)
    allowed = (law.error + 1e-15) * k**2
    assert law.error <= LOSS
    assert np.abs(found[:, :zones] - every @ P).max() <= allowed
    assert np.abs(found[:, zones : 2 * zones] - (every @ P) ** 2 - every @ (P * (1 - P))).max() <= 4 * k * allowed
    assert np.abs(found[:, -1] - k * np.prod((P @ u) ** every, axis=1)).max() <= allowed


def _enumerated(k: int, zones: int) -> np.ndarray:
    """All histograms, largest first count first, by stars and bars: the oracle's own list takes too long here."""
    from itertools import combinations

    bars = np.array(list(combinations(range(k + zones - 1), zones - 1)))
    edges = np.column_stack([np.full(len(bars), -1), bars, np.full(len(bars), k + zones - 1)])
    return (np.diff(edges, axis=1) - 1)[::-1].astype(float)


def test_the_papers_game_factorises_into_averages_and_keeps_moments_at_k_30() -> None:
    """All shares in [0, 1], and mean and variance of μ' equal their closed forms to rounding (46,376 histograms)."""
    k = 30
    for priority in range(5):
        law = next_law(paper(priority), k)
        assert isinstance(law, ThinningLaw)
        assert all(0 <= share <= 1 for step in law.factors.steps for share in step.shares)
    P, law = paper(4), next_law(paper(4), k)
    every = _enumerated(k, 5)
    mean = law.expect(every)
    assert np.allclose(mean, every @ P, rtol=0, atol=1e-12)
    assert np.allclose(law.expect(every**2) - mean**2, every @ (P * (1 - P)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("zones", [1, 2, 5])
def test_no_robots_have_one_histogram(zones: int) -> None:
    law = next_law(np.full((zones, zones), 1 / zones), 0)
    assert law.expect(np.array([[2.0, 3.0]])).tolist() == [[2.0, 3.0]]
    assert law.push(np.array([[2.0, 3.0]])).tolist() == [[2.0, 3.0]]


def test_without_a_factorisation_the_fallback_serves_up_to_its_budget_and_then_k_is_refused() -> None:
    """Zone 0 swaps with zone 1 half of the time and so on: the shares of every elimination order leave [0, 1] far."""
    P = transition(7, 5, "dense")
    assert factorise(P, 30, LOSS) is None
    law = next_law(P, 20)
    assert isinstance(law, CasteljauLaw)
    assert operations(30, 5) < operations(60, 5)
    with pytest.raises(UserError, match=r"k = 60: some robots' transitions have no accurate factorisation"):
        next_law(P, 60)


@pytest.mark.parametrize("cut", [0.0, 1e-20, 0.1])
def test_a_band_leaves_out_what_is_no_larger_than_the_cut_and_nothing_else(cut: float) -> None:
    rng = np.random.default_rng(5)
    kernel = rng.normal(size=(30, 30)) * 10.0 ** -rng.integers(0, 40, size=(30, 30))
    kernel[4], kernel[7, 2:5] = 0.0, cut
    low, high = band(kernel, cut)
    for r, row in enumerate(kernel):
        above = np.flatnonzero(np.abs(row) > cut)
        first, last = (above[0], above[-1]) if len(above) else (r, r)
        assert (low[r], high[r]) == (min(first, r), max(last, r) + 1)
