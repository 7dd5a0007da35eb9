"""Block lengths and intervals against what is known of autoregressions in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import binom
from scipy.stats import t as student

from meanfleet.base.bootstrap import block_band, block_length
from meanfleet.base.bounded import limits
from meanfleet.base.statistics import band

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


@pytest.mark.parametrize(("phi", "ticks"), [(0.0, 60), (0.0, 300), (0.5, 300), (0.8, 600), (0.95, 60), (0.95, 1000)])
def test_the_interval_of_an_autoregression_covers_its_mean(phi: float, ticks: int) -> None:
    """95 % are claimed; 400 series tell the coverage to ± 1.1 %, and dependence is doubted upwards."""
    runs = np.clip(0.5 + 0.08 * np.sqrt(1 - phi**2) * autoregressions(phi, ticks, 400, 7), 0, 1)
    bands = [block_band(x, low=0.0, high=1.0)[0] for x in runs]
    covered = np.mean([one.low <= 0.5 <= one.high for one in bands])
    assert covered > 0.95 - 3 * 0.011
    if phi < 0.9:
        assert np.mean([one.high - one.low for one in bands]) < 2 * 2.6 * 0.08 * np.sqrt((1 + phi) / (1 - phi) / ticks)


@pytest.mark.parametrize("ticks", [60, 200, 1000])
@pytest.mark.parametrize(("rate", "length"), [(0.001, 5), (0.003, 1), (0.01, 10), (0.03, 5)])
def test_the_interval_of_rare_bursts_covers_their_mean(rate: float, length: int, ticks: int) -> None:
    """Most of the shorter series hold no burst at all; 300 of them tell a coverage of 0.95 to ± 1.3 %."""
    begun = np.cumsum(np.random.default_rng(3).random((300, ticks + length)) < rate, axis=1)
    runs, mean = (begun[:, length:] > begun[:, :-length]).astype(float), 1 - (1 - rate) ** length
    bands = [block_band(x, low=0.0, high=1.0)[0] for x in runs]
    assert np.mean([one.low <= mean <= one.high for one in bands]) > 0.95 - 3 * 0.013


def test_the_error_of_an_autoregression_has_a_closed_form() -> None:
    """Var of the mean → 1/((1−φ)² T); ticks taken for independent miss (1+φ)/(1−φ) = 4 times of it."""
    phi, ticks = 0.6, 4000
    runs = autoregressions(phi, ticks, 40)
    errors = np.array([block_band(x)[0].error for x in runs])
    assert np.mean(errors) == pytest.approx(1 / ((1 - phi) * np.sqrt(ticks)), rel=0.1)
    assert np.mean([band(x).error for x in runs]) < 0.6 * np.mean(errors)


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.integers(0, 1000) | st.sampled_from([0, 1000]), min_size=10, max_size=80),
    memory=st.integers(1, 100) | st.none(),
)
def test_no_interval_is_of_no_width_or_leaves_the_range(values: list[int], memory: int | None) -> None:
    x = np.array(values) / 1000
    found, b = block_band(x, low=0.0, high=1.0, memory=memory)
    assert 1 <= b <= len(x)
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert found.high - found.low > 1e-9 * (np.ptp(x) + 1)
    assert found.mean == pytest.approx(float(x.mean()), abs=1e-12)
    mirrored, _ = block_band(1 - x, low=0.0, high=1.0, memory=memory)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((found.low, found.high), abs=0.05)


@settings(max_examples=60, deadline=None)
@given(ticks=st.integers(10, 400), memory=st.integers(1, 60), most=st.floats(0.01, 100))
def test_of_a_loss_that_never_occurred_the_rule_of_three_over_blocks_holds(
    ticks: int, memory: int, most: float
) -> None:
    found, _ = block_band(np.zeros(ticks), low=0.0, high=most, memory=memory)
    blocks = max(1, ticks // memory)
    assert (found.mean, found.low) == (0.0, 0.0)
    assert (1 - found.high / most) ** blocks == pytest.approx(0.05, rel=1e-6)
    assert found.high <= 3.0 / blocks * most


def test_a_constant_without_a_range_is_known_to_nobody() -> None:
    found, _ = block_band(np.full(30, 0.7))
    assert (found.mean, found.low, found.high) == (pytest.approx(0.7), -math.inf, math.inf)
    agreed, _ = block_band(np.ones(30), low=0.0, high=1.0, memory=3)
    assert (agreed.high, agreed.low) == (1.0, pytest.approx(0.05 ** (1 / 10), abs=0.02))  # drawn


@pytest.mark.parametrize("hits", [0, 1, 3, 7])
def test_limits_of_zeros_and_ones_are_those_of_clopper_and_pearson(hits: int) -> None:
    """By 4000 draws the level is met to ± 0.4 %."""
    n, level = 25, 0.95
    low, high = limits(np.repeat([1.0, 0.0], [hits, n - hits]), 0.0, 1.0, level)
    assert binom.cdf(hits, n, high) == pytest.approx(1 - level, abs=0.012)
    if hits:
        assert binom.sf(hits - 1, n, low) == pytest.approx(1 - level, abs=0.012)


@pytest.mark.parametrize("values", [[0.0] * 12, [0.0] * 9 + [0.2, 0.9], [0.4, 0.5, 0.9]])
def test_limits_are_those_of_one_weight_per_value(values: list[float]) -> None:
    """Against the definition, a Dirichlet weight for every value and one for the end of the range."""
    low, high = limits(np.array(values), -0.5, 1.5, 0.95)
    assert (low, high) == pytest.approx(naive_limits(values, -0.5, 1.5, 0.95), abs=0.02)


def test_few_ticks_widen_an_interval_as_students_law_does() -> None:
    """Without skewness ± t standard errors, of as many degrees of freedom as R(0)/error² says: below 20 of 20 ticks."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        half = rng.normal(size=10)
        x = rng.permutation(np.concatenate([half, -half]))
        found = block_band(x)[0]
        freedom = float(x.var()) / found.error**2
        assert 1 - 1e-9 <= freedom <= 19 + 1e-9
        assert (found.high - found.low) / (2 * found.error) == pytest.approx(student.ppf(0.975, freedom))


def naive_limits(values: list[float], low: float, high: float, level: float) -> tuple[float, float]:
    weights = np.random.default_rng(11).dirichlet(np.ones(len(values) + 1), 40_000)
    ends = [weights @ np.array([*values, end]) for end in (low, high)]
    return float(np.quantile(ends[0], 1 - level)), float(np.quantile(ends[1], level))
