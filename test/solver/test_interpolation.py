"""Values read off between histograms: exact on histograms and on linear functions, never outside of the values."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.solver.interpolation import interpolate, resampled
from naive.surrogate import histograms

few = settings(deadline=None, derandomize=True, max_examples=60)
sizes = (st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 7))


@few
@given(*sizes)
def test_histograms_themselves_are_met(seed: int, zones: int, k: int) -> None:
    every = np.array(histograms(k, zones), dtype=float)
    values = np.random.default_rng(seed).normal(size=(2, len(every)))
    assert np.array_equal(interpolate(values.T, every, k).T, values)


@few
@given(*sizes)
def test_linear_functions_are_exact_and_the_rest_stays_within_the_values(seed: int, zones: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    every = np.array(histograms(k, zones), dtype=float)
    points = k * rng.dirichlet(np.full(zones, 0.5), size=50)
    slope = rng.normal(size=zones)
    assert np.allclose(interpolate(every @ slope, points, k), points @ slope, rtol=0, atol=1e-8)
    values = rng.normal(size=(1, len(every)))
    found = interpolate(values.T, points, k).T
    assert (found >= values.min() - 1e-12).all()
    assert (found <= values.max() + 1e-12).all()


@few
@given(*sizes)
def test_twice_the_robots_at_the_same_shares_have_the_same_value(seed: int, zones: int, k: int) -> None:
    values = np.random.default_rng(seed).normal(size=(3, len(histograms(k, zones))))
    finer = resampled(values, k, 2 * k, zones)
    order = {h: i for i, h in enumerate(histograms(2 * k, zones))}
    same = [order[tuple(2 * c for c in h)] for h in histograms(k, zones)]
    assert np.allclose(finer[:, same], values, rtol=0, atol=1e-12)
