"""Thinnings and dense matrices are the same law, and the choice between them never costs digits (MATH §3)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.errors import UserError
from meanfleet.solver import Game, policies
from meanfleet.solver.next_law.choice import DenseLaw, NextLaws
from meanfleet.solver.next_law.symmetric_power import SymmetricPower
from meanfleet.solver.next_law.thinning import LOSS, ThinningLaw, error_bound, factorise
from naive.surrogate import histograms

ROOT = Path(__file__).resolve().parents[3]


def sticky(seed: int, zones: int) -> np.ndarray:
    """Robots that mostly stay: the kind of P that factorises into averages."""
    rng = np.random.default_rng(seed)
    return 0.8 * np.eye(zones) + 0.2 * rng.dirichlet(np.ones(zones), size=zones)


def paper(priority: int) -> np.ndarray:
    """P̃[s_g] of the paper's warehouse with robots on the shortest way."""
    game = Game.from_yaml(ROOT / "config" / "warehouse.yaml")
    policy = policies.shortest_way(game)
    return np.einsum("za,zay->zy", policy[:, priority], game.P_l[:, priority])


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 8), st.booleans())
def test_any_law_has_the_closed_form_and_push_is_the_transpose(seed: int, zones: int, k: int, stays: bool) -> None:
    """f(ν) = Π_j u_j^ν_j gives (E f)(μ) = Π_z (P u)_z^μ_z; Σ w (E f) = Σ (push w) f."""
    rng = np.random.default_rng(seed)
    P = sticky(seed, zones) if stays else rng.dirichlet(np.full(zones, 0.5), size=zones)
    u = rng.uniform(-1, 1, zones)
    for robots, law in zip((k - 1, k), NextLaws(k, zones).of(P), strict=True):
        every = np.array(histograms(robots, zones))
        f = np.prod(u**every, axis=1)[:, None]
        assert np.allclose(law.expect(f)[:, 0], np.prod((P @ u) ** every, axis=1), rtol=0, atol=LOSS)
        w = rng.random((len(every), 2))
        assert np.allclose(w.T @ law.expect(f), law.push(w).T @ f, rtol=0, atol=LOSS)


@pytest.mark.parametrize("k", [1, 4, 9])
def test_thinning_equals_the_dense_matrix(k: int) -> None:
    P = sticky(3, 4)
    moves = factorise(P)
    assert moves is not None
    for robots, matrix in zip((k - 1, k), SymmetricPower(k, 4).matrices(P), strict=True):
        found = ThinningLaw(robots, 4, moves).expect(np.eye(len(matrix)))
        assert np.allclose(found, matrix, rtol=0, atol=1e-13)


def test_the_papers_game_factorises_into_averages_and_keeps_moments_at_k_30() -> None:
    """All shares in [0, 1], and mean and variance of μ' equal their closed forms to rounding (46,376 histograms)."""
    k = 30
    for priority in range(5):
        moves = factorise(paper(priority))
        assert moves is not None
        assert all(0 <= move.share <= 1 for move in moves)
    P, moves = paper(4), factorise(paper(4))
    assert moves is not None
    law = ThinningLaw(k, 5, moves)
    every = np.array(histograms(k, 5), dtype=float)
    mean = law.expect(every)
    assert np.allclose(mean, every @ P, rtol=0, atol=1e-11)
    assert np.allclose(law.expect(every**2) - mean**2, every @ (P * (1 - P)), rtol=0, atol=1e-9)


def test_the_product_of_the_moves_is_the_transition() -> None:
    P = sticky(5, 5)
    product = np.eye(5)
    for move in factorise(P) or ():
        step = np.eye(5)
        step[move.source, move.source], step[move.source, move.target] = 1 - move.share, move.share
        product = product @ step
    assert np.allclose(product, P, rtol=0, atol=1e-14)


def test_without_an_accurate_factorisation_the_dense_matrix_is_used_or_k_refused() -> None:
    """A cyclic shift has no pivot: dense for small k, a clear error beyond its memory."""
    shift = np.roll(np.eye(5), 1, axis=1)
    assert factorise(shift) is None
    assert all(isinstance(law, DenseLaw) for law in NextLaws(4, 5).of(shift))
    with pytest.raises(UserError, match="k = 40: these transitions have no accurate factorisation"):
        NextLaws(40, 5).of(shift)


def test_the_error_bound_grows_with_shares_outside_of_0_and_1() -> None:
    """Negative shares amplify rounding; the bound says so, and NextLaws then avoids the factorisation."""
    P = np.array([[0.2, 0.8], [0.9, 0.1]])
    moves = factorise(P)
    assert moves is not None
    assert any(move.share > 1 or move.share < 0 for move in moves)
    assert error_bound(moves, 50) > LOSS
    assert isinstance(NextLaws(50, 2).of(P)[1], DenseLaw)
