"""Bands and the fit of the theorem's shape: closed forms, independent sums, and error rates by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfleet.base.statistics import band, gaps
from meanfleet.studies.sweep.fitting import FEWEST, fit_root

KS = tuple(range(1, 21))
ROOT = 1 / np.sqrt(np.array(KS))


def noisy(shape: np.ndarray, seeds: int, rng: np.random.Generator, scale: float = 1.0) -> np.ndarray:
    """Returns [seed, k] whose gap has that shape; the noise of a seed hangs together over k, as paired seeds do."""
    common = rng.normal(size=(seeds, 1))
    return 100 - shape + scale * (common + rng.normal(size=(seeds, len(shape))))


def test_the_band_of_two_values_is_in_the_book() -> None:
    """One degree of freedom: t = tan(0.475 π) = 12.706; the standard error of two values is half their distance."""
    found = band([1.0, 3.0])
    assert (found.mean, found.error) == (2.0, 1.0)
    assert found.high - found.mean == pytest.approx(np.tan(0.475 * np.pi), rel=1e-9)
    assert found.mean - found.low == pytest.approx(np.tan(0.475 * np.pi), rel=1e-9)


def test_bands_cover_the_mean_as_often_as_they_say() -> None:
    """4000 experiments of 5 seeds: the covered share is 95 % within 4 standard errors of a binomial."""
    bands = [band(row) for row in np.random.default_rng(0).normal(7, 3, size=(4000, 5))]
    covered = np.mean([found.low <= 7 <= found.high for found in bands])
    assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 4000)


def test_gaps_are_paired_and_zero_at_the_largest_k() -> None:
    returns = np.array([[1.0, 2.0, 4.0], [10.0, 13.0, 14.0]])
    assert gaps(returns).tolist() == [[3.0, 2.0, 0.0], [4.0, 1.0, 0.0]]
    assert gaps(returns + np.array([[5.0], [-7.0]])).tolist() == gaps(returns).tolist()


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_the_exact_shape_is_found_exactly(limit: float, slope: float) -> None:
    """Gaps to k = 20 of returns limit − slope/√k: the slope comes back, and the offset is −slope/√20."""
    returns = np.tile(limit - slope * ROOT, (3, 1))
    fit = fit_root(KS, gaps(returns))
    assert fit is not None
    assert fit.slope.mean == pytest.approx(slope, abs=1e-9)
    assert fit.offset.mean == pytest.approx(-slope / np.sqrt(20), abs=1e-9)
    assert fit.rms_residual < 1e-9
    assert not fit.refuted
    if abs(slope) > 1e-3:
        assert fit.r_squared == pytest.approx(1)
        assert fit.exponent == pytest.approx(0.5, abs=0.01)


@given(st.integers(0, 2**32 - 1), st.integers(FEWEST, 20), st.integers(2, 6))
def test_it_is_the_least_squares_line_through_the_means(seed: int, points: int, seeds: int) -> None:
    """By the textbook's sums over the mean gaps; and residuals of a fit with an offset sum to zero."""
    gap = gaps(np.random.default_rng(seed).normal(size=(seeds, points)))
    fit = fit_root(KS[:points], gap)
    assert fit is not None
    x, y = ROOT[:points], gap.mean(axis=0)
    slope = np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2)
    residual = y - (y.mean() + slope * (x - x.mean()))
    assert fit.slope.mean == pytest.approx(slope, abs=1e-9)
    assert fit.offset.mean == pytest.approx(y.mean() - slope * x.mean(), abs=1e-9)
    assert [each.mean for each in fit.residuals] == pytest.approx(residual.tolist(), abs=1e-9)
    assert sum(each.mean for each in fit.residuals) == pytest.approx(0, abs=1e-9)
    assert fit.r_squared == pytest.approx(1 - residual.var() / y.var(), abs=1e-9)
    assert fit.exponent_r_squared >= fit.r_squared - 1e-12  # 1/2 is among the exponents tried


def test_a_right_shape_is_refuted_in_at_most_5_percent_and_its_slope_covered_in_95() -> None:
    rng, runs = np.random.default_rng(1), 400
    fits = [fit_root(KS, gaps(noisy(30 * ROOT, 15, rng))) for _ in range(runs)]
    refuted = np.mean([fit.refuted for fit in fits if fit])
    covered = np.mean([fit.slope.low <= 30 <= fit.slope.high for fit in fits if fit])
    assert refuted < 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert abs(covered - 0.95) < 4 * np.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize("exponent", [1.0, 2.0])
def test_another_shape_is_refuted_and_its_exponent_found(exponent: float) -> None:
    shape = 30 * np.array(KS, dtype=float) ** -exponent
    fit = fit_root(KS, gaps(noisy(shape, 15, np.random.default_rng(2), 0.5)))
    assert fit is not None
    assert fit.refuted
    assert fit.rms_residual > 3 * fit.noise
    assert fit.exponent == pytest.approx(exponent, abs=0.2)
    assert fit.exponent_r_squared > max(fit.r_squared, 0.99)


def test_where_the_shape_is_right_residuals_are_as_large_as_their_errors() -> None:
    fit = fit_root(KS, gaps(noisy(30 * ROOT, 200, np.random.default_rng(3))))
    assert fit is not None
    assert 0.6 < fit.rms_residual / fit.noise < 1.5


def test_few_points_are_not_fitted_and_no_variance_is_not_explained() -> None:
    assert fit_root(KS[: FEWEST - 1], np.ones((3, FEWEST - 1))) is None
    flat = fit_root(KS, np.zeros((3, len(KS))))
    assert flat is not None
    assert (flat.r_squared, flat.slope.mean, flat.refuted) == (0.0, 0.0, False)
