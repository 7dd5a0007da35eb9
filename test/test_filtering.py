"""Beliefs: what they decide, and how surprise makes them forget."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.filtering import GAIN, KEEP, LEAST, SLACK, forgetting, surprise
from naive.forgetting import expected_log_chance, log_chance

few = settings(deadline=None, derandomize=True, max_examples=40)
beliefs = st.lists(st.floats(0.05, 50), min_size=2, max_size=4)


@few
@given(beliefs, st.integers(1, 6), st.integers(0, 999))
def test_surprise_is_the_log_chance_missing_against_every_histogram_enumerated(
    alpha: list[float], k: int, seed: int
) -> None:
    sample = np.random.default_rng(seed).multinomial(k, np.full(len(alpha), 1 / len(alpha)))
    exact = expected_log_chance(alpha, k) - log_chance(alpha, sample.tolist())
    assert surprise(alpha, sample) == pytest.approx(exact / math.sqrt((len(alpha) - 1) / 2), abs=1e-9)


def test_a_belief_that_is_right_is_not_surprised_on_average() -> None:
    """Samples of fleets drawn from the belief itself: mean 0 within 4 standard errors. A shifted one is surprised."""
    rng, alpha = np.random.default_rng(0), np.array([30.0, 5.0, 60.0, 1.0, 9.0])
    samples = [rng.multinomial(20, rng.dirichlet(alpha)) for _ in range(3000)]
    right, wrong = (np.array([surprise(belief, sample) for sample in samples]) for belief in (alpha, alpha[::-1]))
    assert abs(right.mean()) < 4 * right.std() / math.sqrt(len(right))
    assert right.std() == pytest.approx(1, abs=0.25)
    assert wrong.mean() > 3


def test_nothing_seen_and_nothing_to_tell_apart_is_no_surprise() -> None:
    assert surprise([1.0, 2.0], [0, 0]) == 0
    assert surprise([3.0], [4]) == 0
    assert forgetting(0.9, SLACK / 2, [1.0, 2.0], [0, 0]) == (0.9, SLACK / 2)


def test_a_sample_from_a_zone_ruled_out_is_a_great_surprise_and_no_error() -> None:
    assert 10 < surprise([40.0, 0.0], [0, 1]) < math.inf
    assert forgetting(0.9, 0.0, [40.0, 0.0, 0.0], [0, 20, 0])[0] == pytest.approx(0.9 * LEAST)


def test_lasting_surprise_lowers_rho_and_its_end_restores_it() -> None:
    level, rhos = 0.0, []
    for sample in [[0, 20]] * 30 + [[20, 0]] * 60:
        rho, new = forgetting(0.98, level, [200.0, 2.0], sample)
        assert new == pytest.approx(KEEP * level + (1 - KEEP) * surprise([200.0, 2.0], sample))
        assert rho == pytest.approx(0.98 * max(LEAST, math.exp(-GAIN * max(0.0, new - SLACK))))
        rhos.append(rho)
        level = new
    assert rhos[29] < 0.5
    assert rhos[-1] == 0.98
