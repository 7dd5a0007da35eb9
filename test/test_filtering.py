"""Beliefs: what they decide, and how samples tell them what to forget."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.solver.bundle.filtering import HEAD, RHOS, forgetting, head_start, rivals, surprise
from naive.forgetting import Forgetting, expected_log_chance, log_chance

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
    rhos, scores = rivals(0.9), np.arange(len(RHOS)) - 3.0
    rho, after = forgetting(rhos, scores, np.ones((len(RHOS), 2)), [0, 0])
    assert after.tolist() == scores.tolist()
    assert rho == pytest.approx(np.exp(scores) @ rhos / np.exp(scores).sum())


def test_a_sample_from_a_zone_ruled_out_is_a_great_surprise_and_no_error() -> None:
    assert 10 < surprise([40.0, 0.0], [0, 1]) < math.inf


@few
@given(st.integers(1, 5), st.integers(0, 20), st.floats(0.05, 1), st.integers(0, 999))
def test_the_rho_that_samples_ask_for_is_the_loops(zones: int, k: int, rho: float, seed: int) -> None:
    """Also for a ρ that is none of the rivals', and for robots that count by weights."""
    rng = np.random.default_rng(seed)
    slow, rhos, scores = Forgetting([0.3] * zones, rho), rivals(rho), head_start(len(rivals(rho)))
    beliefs = np.full((len(rhos), zones), 0.3)
    for _ in range(6):
        sample = rng.multinomial(k, np.full(zones, 1 / zones)) * rng.choice([0, 1, 0.5])
        step = rng.dirichlet(np.ones(zones), zones)
        found, scores = forgetting(rhos, scores, beliefs, sample)
        beliefs = rhos[:, None] * ((beliefs + sample) @ step)
        assert found == pytest.approx(slow.rho(sample.tolist()))
        slow.move(step.tolist())
        assert scores == pytest.approx(slow.scores)
        assert beliefs == pytest.approx(np.array(slow.beliefs))


def test_rho_starts_where_it_is_set_and_one_that_does_not_adapt_stays() -> None:
    """e^−4 each for the six others."""
    rhos = rivals(0.95)
    assert rhos[0] == 0.95
    assert sorted(rhos) == sorted(RHOS)
    rho, _ = forgetting(rhos, head_start(len(rhos)), np.ones((len(rhos), 3)), [0, 0, 0])
    assert rho == pytest.approx((0.95 + math.exp(-HEAD) * (sum(RHOS) - 0.95)) / (1 + 6 * math.exp(-HEAD)))
    assert forgetting(rivals(0.7, False), head_start(1), [[5.0, 1.0]], [0, 9])[0] == 0.7


@pytest.mark.parametrize("k", [1, 20])
def test_a_model_that_stops_being_right_lowers_rho_and_one_that_is_right_again_restores_it(k: int) -> None:
    """Robots are believed to stand still. 200 ticks they do, 200 ticks all of them change zones together, 400 not."""
    rhos = rivals(0.98)
    beliefs, scores, seen = np.full((len(rhos), 2), 0.3), head_start(len(rhos)), []
    rng = np.random.default_rng(k)
    for tick in range(800):
        share = 0.8 if not 200 <= tick < 400 or tick // 10 % 2 else 0.2
        sample = rng.multinomial(k, [share, 1 - share])
        rho, scores = forgetting(rhos, scores, beliefs, sample)
        beliefs = rhos[:, None] * (beliefs + sample)
        seen.append(rho)
    right, wrong, again = (np.mean(seen[end - 100 : end]) for end in (200, 400, 800))
    assert min(right, again) > 0.85
    assert wrong < min(right, again) - 0.08
