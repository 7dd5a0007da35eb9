"""Sampling by interaction weights against laws of the draw that are enumerated in exact fractions."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.dispatcher_node.sampling import Graphon, Polling, design_from_config, weighted_shares
from naive import weighting as naive

ZONES = [0, 0, 1, 2, 1]
N, SIZE = len(ZONES), 3
W = [[8, 1, 1, 4, 2], [1, 1, 1, 1, 1], [1, 2, 90, 1, 1]]  # [priority][robot]; at the last one robot is certain
few = settings(deadline=None, derandomize=True, max_examples=25)


def exact(row: list[int]) -> list[Fraction]:
    return [Fraction(weight) for weight in row]


def polled(weights: list[list[int]], k: int, priority: int, drawn: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """What the product makes of a given draw: counts of the fleet and shares that matter, both [zone]."""
    polling = Polling(len(weights[0]), k, Graphon(weights))
    polling.begin(0, np.random.default_rng(0), priority)
    zones, own = np.array(ZONES[: len(weights[0])])[drawn], polling.weights[drawn]
    design = polling.design
    assert isinstance(design, Graphon)
    return np.bincount(zones, own, SIZE), weighted_shares(zones, design.matters(priority)[drawn], own, SIZE)


@pytest.mark.parametrize("priority", range(3))
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_robots_are_drawn_by_the_enumerated_law_of_the_present_priority(k: int, priority: int) -> None:
    """Every set as often as its probability says, 2000 draws; and the chances are the exact ones."""
    chance = naive.chances(exact(W[priority]), k)
    law = naive.systematic(chance)
    polling, rng, seen = Polling(N, k, Graphon(W)), np.random.default_rng([k, priority]), dict.fromkeys(law, 0)
    for tick in range(2000):
        other = polling.begin(2 * tick, rng, (priority + 1) % 3)  # priorities between do not matter
        assert len(set(other.tolist())) == k
        seen[frozenset(polling.begin(2 * tick + 1, rng, priority).tolist())] += 1
    expected = np.array([float(law[one]) for one in seen])
    likely = expected > 1e-3
    assert likely.any()
    assert sum(list(seen.values())) == 2000
    if likely.sum() > 1:
        counts = np.append(np.array(list(seen.values()))[likely], np.array(list(seen.values()))[~likely].sum())
        laws = np.append(expected[likely], expected[~likely].sum())
        assert chisquare(counts[laws > 0], 2000 * laws[laws > 0] / laws.sum()).pvalue > 1e-4
    inclusion = polling.design.inclusion(k, np.ones(N, dtype=bool), polling.roster, 0)
    assert inclusion == pytest.approx([float(one) for one in chance], rel=1e-12)


@few
@given(
    st.lists(st.integers(1, 20), min_size=N, max_size=N),
    st.integers(1, N),
    st.lists(st.integers(1, 9), min_size=N, max_size=N),
)
def test_both_estimates_have_the_exact_mean(row: list[int], k: int, other: list[int]) -> None:
    """Over the enumerated law the counts are the fleet's, times k_eff/n, and the shares those of what matters."""
    weights, chance = [other, row], naive.chances(exact(row), k)
    law = naive.systematic(chance)
    told = {drawn: polled(weights, k, 1, sorted(drawn)) for drawn in law}
    matters = naive.mean_over(law, {drawn: shares.tolist() for drawn, (_, shares) in told.items()})
    assert matters == pytest.approx([float(m) for m in naive.share_that_matters(exact(row), ZONES, SIZE)], abs=1e-12)
    counts = naive.mean_over(law, {drawn: fleet.tolist() for drawn, (fleet, _) in told.items()})
    effective = N**2 / sum(float(1 / one) for one in chance)
    assert counts == pytest.approx([effective * ZONES.count(zone) / N for zone in range(SIZE)], abs=1e-12)


def test_what_matters_is_told_better_than_by_polling_evenly() -> None:
    """Exact mean square errors, k = 2: by weight less than half of the uniform draw's; with equal weights the same."""
    for priority, most in ((0, 0.5), (1, 1.0), (2, 0.05)):
        weights = exact(W[priority])
        chance = naive.chances(weights, 2)
        own = naive.mean_square(naive.systematic(chance), chance, weights, ZONES, SIZE)
        even = naive.mean_square(naive.evenly(N, 2), [Fraction(2, N)] * N, weights, ZONES, SIZE)
        assert own <= Fraction(most) * even
        if priority != 1:
            assert own > 0


def test_where_nobody_or_few_answer_shares_are_a_ratio() -> None:
    assert weighted_shares(np.array([], dtype=np.int64), np.array([]), np.array([]), 2).tolist() == [0, 0]
    assert weighted_shares(np.array([1, 0]), np.array([3.0, 1.0]), np.array([0.5, 0.5]), 2).tolist() == [0.25, 0.75]


def config(**changed: object) -> Config:
    given = {
        "zones": ("dock", "hall", "gate"),
        "fleet": {"prefix": "r", "count": 6},
        "types": {"lift": {"share": 1}, "cart": {"share": 2}},
        "interactions": {"dock": {"lift": 8.0}, "gate": {"lift": 2.0, "cart": 0.5}},
    }
    return Config(**(given | changed))  # type: ignore[arg-type]


def test_the_configuration_says_what_every_robot_matters_to_every_zone() -> None:
    design = design_from_config(config(), "graphon")
    assert isinstance(design, Graphon)
    assert [design.matters(zone).tolist() for zone in range(3)] == [[8, 8, 1, 1, 1, 1], [1] * 6, [2, 2, *[0.5] * 4]]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"interactions": {"docks": {"lift": 2.0}}}, "interactions: 'docks' is no zone (did you mean 'dock'?)"),
        ({"interactions": {"dock": {"lifts": 2.0}}}, "interactions.dock: 'lifts' is no type of robots"),
        ({"interactions": {"dock": {"lift": 0.0}}}, "greater than 0"),
        ({"types": {}}, "so give the key 'types' too"),
        ({"interactions": {}, "dispatcher": {"sampling": "graphon"}}, "graphon needs the key 'interactions'"),
    ],
)
def test_weights_that_do_not_fit_are_refused(changed: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        config(**changed)


def test_without_weights_the_design_is_refused() -> None:
    with pytest.raises(UserError, match="sampling 'graphon' needs the key 'interactions' in the configuration"):
        design_from_config(config(interactions={}), "graphon")
