"""Block lengths and intervals against what is known of autoregressions in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import t as student

from meanfleet.sim.replay.bootstrap import block_band, block_length
from meanfleet.sweep.statistics import band

BURN = 300


def autoregressions(phi: float, ticks: int, runs: int, seed: int = 0) -> np.ndarray:
    """x_t = φ x_{t−1} + e_t, stationary with mean 0: [run, tick]."""
    noise = np.random.default_rng(seed).normal(size=(runs, ticks + BURN))
    return np.asarray(lfilter([1.0], [1.0, -phi], noise, axis=1))[:, BURN:]


@pytest.mark.parametrize("phi", [0.3, 0.6, 0.85])
def test_the_block_length_of_an_autoregression_has_a_closed_form(phi: float) -> None:
    """b = (6 φ²/(1−φ²)² T)^(1/3), met on average by long series to a quarter."""
    ticks = 20_000
    found = np.mean([block_length(x)[0] for x in autoregressions(phi, ticks, 20)])
    assert found == pytest.approx((6 * phi**2 / (1 - phi**2) ** 2 * ticks) ** (1 / 3), rel=0.25)


@pytest.mark.parametrize(("phi", "ticks"), [(0.0, 60), (0.0, 300), (0.5, 300), (0.8, 600)])
def test_the_interval_of_an_autoregression_covers_its_mean(phi: float, ticks: int) -> None:
    """95 % are claimed; 600 series tell the coverage to ± 0.9 %, and blocks are known to miss up to 2 % of it."""
    bands = [block_band(x, i, 400)[0] for i, x in enumerate(autoregressions(phi, ticks, 600, 7))]
    covered = np.mean([one.low <= 0 <= one.high for one in bands])
    assert 0.95 - 0.02 - 3 * 0.009 < covered < 0.95 + 3 * 0.009


def test_the_error_of_an_autoregression_has_a_closed_form() -> None:
    """Var of the mean → 1/((1−φ)² T); ticks taken for independent miss (1+φ)/(1−φ) = 4 times of it."""
    phi, ticks = 0.6, 4000
    runs = autoregressions(phi, ticks, 40)
    errors = np.array([block_band(x, 0, 500)[0].error for x in runs])
    assert np.mean(errors) == pytest.approx(1 / ((1 - phi) * np.sqrt(ticks)), rel=0.1)
    assert np.mean([band(x).error for x in runs]) < 0.6 * np.mean(errors)


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=10, max_size=80),
    shift=st.floats(-100, 100),
    seed=st.integers(0, 2**31),
)
def test_intervals_shift_with_the_series_and_depend_on_the_seed_alone(
    values: list[float], shift: float, seed: int
) -> None:
    x = np.array(values)
    first, b = block_band(x, seed, 200)
    assert 1 <= b <= len(x) / 3
    assert (first, b) == block_band(x, seed, 200)
    scale = max(1.0, float(np.abs(x).max()))
    assert first.mean == pytest.approx(float(x.mean()), abs=1e-9 * scale)
    assert first.low <= first.high
    if np.ptp(x) > 1e-6 * scale:
        assert first.error > 0


def test_a_constant_is_known_exactly() -> None:
    found, b = block_band(np.full(30, 0.7))
    assert b == 1
    assert found.error == pytest.approx(0.0, abs=1e-15)
    assert found.low == pytest.approx(0.7, abs=1e-15)
    assert found.high == pytest.approx(0.7, abs=1e-15)


def test_few_blocks_widen_an_interval_as_students_law_does() -> None:
    """20 independent ticks: ± 2.09 standard errors where the normal law has 1.96."""
    widths = []
    for i, x in enumerate(autoregressions(0.0, 20, 40, 11)):
        found, b = block_band(x, i, 4000)
        if b == 1:
            widths.append((found.high - found.low) / (2 * found.error))
    assert len(widths) > 10
    assert np.mean(widths) == pytest.approx(student.ppf(0.975, 19), abs=0.05)
