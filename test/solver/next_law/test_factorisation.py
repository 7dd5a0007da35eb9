"""P as a product of elementary moves: the product is P, the error bound is a bound, awkward P are relabelled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.solver.next_law import lowered, raised
from meanfleet.solver.next_law.factorisation import factorise
from naive.surrogate import histograms
from naive.transitions import KINDS, transition

few = settings(deadline=None, derandomize=True, max_examples=80)


@few
@given(st.integers(0, 10**6), st.integers(2, 7), st.sampled_from(KINDS))
def test_the_product_of_the_steps_is_the_transition(seed: int, zones: int, kind: str) -> None:
    P = transition(seed, zones, kind)
    found = factorise(P, 3, 1e-6)
    if found is not None:
        assert np.abs(found.product() - P).max() <= found.error_bound(P, 3)
        assert sorted(found.relabelled) == list(range(zones))
        assert all(step.shares[step.target] == 0.0 for step in found.steps)


@pytest.mark.parametrize("zones", [3, 4, 5, 6, 7])
@pytest.mark.parametrize("kind", ["permutation", "absorbing"])
def test_transitions_that_average_lose_nothing_at_k_100(zones: int, kind: str) -> None:
    """A permutation is a relabelling, an absorbing zone merges all rows: no digit is lost, however many robots."""
    found = factorise(transition(3, zones, kind), 100, 1e-11)
    assert found is not None
    assert all(0 <= share <= 1 for step in found.steps for share in step.shares)


def test_equal_rows_merge() -> None:
    P = transition(2, 4, "sticky")
    P[3] = P[1]
    found = factorise(P, 20, 1e-10)
    assert found is not None
    assert np.allclose(found.product(), P, rtol=0, atol=1e-15)
    assert any(share == 1.0 for step in found.steps for share in step.shares)


def test_shares_outside_of_0_and_1_cost_digits_and_the_bound_says_so() -> None:
    """Rows that are nearly swapped: eliminated as they stand signs alternate, relabelled they do not."""
    swapped = np.array([[0.1, 0.85, 0.05], [0.85, 0.1, 0.05], [0.05, 0.05, 0.9]])
    found = factorise(swapped, 50, 1e-10)
    assert found is not None
    assert found.relabelled == (1, 0, 2)
    tolerated = factorise(swapped, 50, 1e90)
    assert tolerated is not None
    assert tolerated.relabelled == (0, 1, 2)
    assert tolerated.error_bound(swapped, 50) > 1e3 * found.error_bound(swapped, 50)
    assert tolerated.error_bound(swapped, 100) > tolerated.error_bound(swapped, 50)


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
