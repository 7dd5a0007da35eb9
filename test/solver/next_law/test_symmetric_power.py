"""T_k is the law of the next histogram when every robot moves by P on its own (MATH §3)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.solver.next_law.symmetric_power import SymmetricPower, lowered, raised
from naive.surrogate import histograms, next_histogram_law


def transition(seed: int, zones: int, kind: str) -> np.ndarray:
    """A row-stochastic P: dense, with zeros, a permutation, or with two equal rows."""
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.ones(zones), size=zones)
    if kind == "zeros":
        P = np.where(rng.random((zones, zones)) < 0.5, 0.0, P)
        P[np.arange(zones), rng.integers(zones, size=zones)] += 0.1
        P /= P.sum(axis=1, keepdims=True)
    elif kind == "permutation":
        P = np.eye(zones)[rng.permutation(zones)]
    elif kind == "equal rows":
        P[-1] = P[0]
    return P


KINDS = ("dense", "zeros", "permutation", "equal rows")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("k", "zones"), [(1, 3), (2, 2), (3, 3), (4, 2), (3, 4)])
def test_both_matrices_equal_the_enumeration_of_all_joint_moves(k: int, zones: int, kind: str) -> None:
    P = transition(5, zones, kind)
    for robots, matrix in zip((k - 1, k), SymmetricPower(k, zones).matrices(P), strict=True):
        every = histograms(robots, zones)
        expected = np.array([[next_histogram_law(P, mu).get(nu, 0.0) for nu in every] for mu in every])
        assert np.allclose(matrix, expected, rtol=0, atol=1e-14)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 8), st.sampled_from(KINDS))
def test_rows_are_laws_and_products_have_their_closed_form(seed: int, zones: int, k: int, kind: str) -> None:
    # f(ν) = Π_j u_j^ν_j gives (E f)(μ) = Π_z (P u)_z^μ_z for any P (MATH §3); u of both signs.
    P = transition(seed, zones, kind)
    u = np.random.default_rng(seed + 1).uniform(-1, 1, zones)
    for robots, matrix in zip((k - 1, k), SymmetricPower(k, zones).matrices(P), strict=True):
        every = np.array(histograms(robots, zones))
        assert (matrix >= 0).all()
        assert np.allclose(matrix.sum(axis=1), 1, rtol=0, atol=1e-13)
        assert np.allclose(matrix @ np.prod(u**every, axis=1), np.prod((P @ u) ** every, axis=1), rtol=0, atol=1e-13)


def test_large_k_keeps_the_closed_form_and_the_moments() -> None:
    k, zones = 20, 4
    P = transition(11, zones, "dense")
    _, law = SymmetricPower(k, zones).matrices(P)
    every = np.array(histograms(k, zones))
    assert np.allclose(law @ every, every @ P, rtol=1e-12)
    variance = law @ (every**2) - (law @ every) ** 2
    assert np.allclose(variance, every @ (P * (1 - P)), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("k", "zones"), [(1, 1), (1, 3), (3, 3), (4, 2)])
def test_raised_and_lowered_add_and_remove_one_robot(k: int, zones: int) -> None:
    fewer, every = histograms(k - 1, zones), histograms(k, zones)
    unit = np.eye(zones, dtype=int)
    for nu, row in zip(fewer, raised(k, zones), strict=True):
        assert [every[i] for i in row] == [tuple(int(x) for x in nu + unit[j]) for j in range(zones)]
    for mu, row in zip(every, lowered(k, zones), strict=True):
        for z, index in enumerate(row.tolist()):
            assert (index == -1) == (mu[z] == 0)
            if index >= 0:
                assert fewer[index] == tuple(int(x) for x in mu - unit[z])
