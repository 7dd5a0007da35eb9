"""Histograms have a fixed order: tables in a bundle are indexed by it, so it must never change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.solver.histograms import count_histograms, enumerate_histograms, rank
from naive.surrogate import histograms

SIZES = [(k, zones) for k in (0, 1, 2, 3, 5) for zones in (1, 2, 3, 5)]


@pytest.mark.parametrize(("k", "zones"), SIZES)
def test_enumeration_is_the_naive_one_in_the_same_order(k: int, zones: int) -> None:
    assert [tuple(row) for row in enumerate_histograms(k, zones).tolist()] == histograms(k, zones)


@pytest.mark.parametrize(("k", "zones"), [*SIZES, (10, 5), (20, 5), (50, 3)])
def test_there_are_as_many_as_the_formula_says_and_rank_is_the_position(k: int, zones: int) -> None:
    every = enumerate_histograms(k, zones)
    assert len(every) == count_histograms(k, zones) == math.comb(k + zones - 1, zones - 1)
    assert np.array_equal(rank(every), np.arange(len(every)))
    assert (every.sum(axis=1) == k).all()


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=5))
def test_rank_and_enumeration_are_inverse(histogram: list[int]) -> None:
    index = int(rank(histogram))
    assert enumerate_histograms(sum(histogram), len(histogram))[index].tolist() == histogram


def test_rank_of_a_large_fleet_needs_no_enumeration() -> None:
    # 316,251 histograms of 50 robots over 5 zones (math.md §2): first, second and last.
    assert count_histograms(50, 5) == 316_251
    assert rank([[50, 0, 0, 0, 0], [49, 1, 0, 0, 0], [0, 0, 0, 0, 50]]).tolist() == [0, 1, 316_250]


def test_shared_enumeration_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        enumerate_histograms(3, 2)[0, 0] = 7
