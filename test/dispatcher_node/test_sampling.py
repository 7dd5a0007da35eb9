"""Sampling designs: their inclusion probabilities, unbiased estimates, budgets. Fixed seeds, 4 to 5 standard errors."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.dispatcher_node.sampling import (
    DESIGNS,
    Budget,
    Design,
    Nearest,
    Oldest,
    Polling,
    Roster,
    Stratified,
    Uniform,
    Weighted,
    design_from_config,
    reweighted,
    rounded,
)
from meanfleet.dispatcher_node.sampling.designs import proportional
from meanfleet.dispatcher_node.sampling.protocol import MEMORY

N, DRAWS = 9, 6000
ZONES = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
DISTANCES = (3.0, 1.0, 8.0)
few = settings(deadline=None, derandomize=True, max_examples=60)


def roster(known: bool = True) -> Roster:
    """Nine robots, eight of which told their zone at tick 4."""
    new = Roster(N)
    if known:
        for robot, zone in enumerate(ZONES[:8].tolist()):
            new.hear(robot, zone, 4)
    return new


DRAWN: dict[str, Design] = {
    "uniform": Uniform(),
    "stratified": Stratified(),
    "nearest": Nearest(DISTANCES),
    "weighted": Weighted([1, 1, 1, 9, 0.5, 2, 2, 1, 3]),
}


@pytest.mark.parametrize("out", [(), (0, 3, 7)])
@pytest.mark.parametrize("k", [1, 2, 4, 9])
@pytest.mark.parametrize("name", DRAWN)
def test_robots_are_drawn_as_often_as_their_inclusion_probability_says(name: str, k: int, out: tuple[int, ...]) -> None:
    """Of the whole fleet, and of what is left of it when some robots are excluded."""
    design, rng, known, fleet = DRAWN[name], np.random.default_rng(k), roster(), np.ones(N, dtype=bool)
    fleet[list(out)] = False
    k, count = min(k, N - len(out)), np.zeros(N)
    for _ in range(DRAWS):
        drawn = design.draw(k, fleet, known, 5, rng)
        assert len(set(drawn.tolist())) == len(drawn) == k
        count[drawn] += 1
    chance = design.inclusion(k, fleet, known, 5)
    assert chance.sum() == pytest.approx(k)
    assert (chance[~fleet] == 0).all()
    error = np.sqrt(chance * (1 - chance) / DRAWS)
    assert (np.abs(count / DRAWS - chance) <= 4.5 * error + 1e-12).all()


@pytest.mark.parametrize("out", [(), (0, 1, 5)])
@pytest.mark.parametrize("name", ["uniform", "stratified", "weighted", "oldest"])
@pytest.mark.parametrize("k", [1, 3])
def test_the_reweighted_counts_are_unbiased(name: str, k: int, out: tuple[int, ...]) -> None:
    """Where chances go with the zones, unweighted shares are wrong; weighted ones are right, at k = 1 as well.

    Excluded robots are no part of it: the shares are those of the others, and nobody else is ever drawn.
    """
    rng, zones = np.random.default_rng(11), ZONES
    left = np.setdiff1d(np.arange(N), out)
    design: Design = (
        Weighted(np.array([5.0, 1.0, 0.2])[zones]) if name == "weighted" else (DRAWN | {"oldest": Oldest()})[name]
    )
    total, plain = [], []
    for _ in range(DRAWS // 2):
        polling = Polling(N, k, design, excluded=out)
        polling.roster = roster(name == "stratified")
        for tick in range(3 if name == "oldest" else 1):
            drawn = polling.begin(5 + tick, rng)
            assert not set(drawn) & set(out)
        total.append(np.bincount(zones[drawn], polling.weights[drawn], 3))
        plain.append(np.bincount(zones[drawn], minlength=3))
    shares = np.bincount(zones[left]) / len(left)
    chances = design.inclusion(k, polling.fleet, polling.roster, 5)[left]
    effective = len(left) ** 2 / np.sum(1 / chances)
    error = np.std(total, axis=0, ddof=1) / math.sqrt(len(total))
    assert (np.abs(np.mean(total, axis=0) - effective * shares) < 4.5 * error + 1e-9).all()
    if name == "weighted":
        assert np.abs(np.mean(plain, axis=0) / k - shares).max() > 0.1
    else:
        assert np.array_equal(total, plain), "equal chances leave the counts as they are"


def test_uniform_draws_every_ordered_sample_equally() -> None:
    rng, free = np.random.default_rng(2), np.array([True, False, True, True])
    seen = [tuple(Uniform().draw(2, free, Roster(4), 0, rng)) for _ in range(3000)]
    pairs = sorted(set(seen))
    assert len(pairs) == 6
    assert chisquare([seen.count(pair) for pair in pairs]).pvalue > 1e-4
    assert sorted(Uniform().draw(9, free, Roster(4), 0, rng)) == [0, 2, 3]


def test_oldest_asks_everybody_before_anybody_twice_and_leaves_nobody_waiting() -> None:
    """2 of 9 robots per tick: all within five ticks, ever again."""
    polling, rng = Polling(N, 2, Oldest()), np.random.default_rng(3)
    asked = np.array([polling.begin(tick, rng) for tick in range(40)])
    assert sorted(asked.ravel()[:N]) == list(range(N))
    for tick in range(36):
        assert set(asked[tick : tick + 5].ravel()) == set(range(N))
    assert set(polling.more(100, 40, rng)) == set(range(N)) - set(polling.order[:2])


def test_stratified_gives_every_known_zone_its_share() -> None:
    """16 robots, 8 + 4 + 4, 8 polled: exactly 4, 2 and 2."""
    known, zones = Roster(16), np.repeat([0, 1, 2], [8, 4, 4])
    for robot, zone in enumerate(zones.tolist()):
        known.hear(robot, zone, 0)
    rng = np.random.default_rng(4)
    for _ in range(200):
        drawn = Stratified().draw(8, np.ones(16, dtype=bool), known, 1, rng)
        assert np.bincount(zones[drawn]).tolist() == [4, 2, 2]


def test_stratified_estimates_spread_less_than_uniform_ones() -> None:
    known, rng, everybody = roster(), np.random.default_rng(5), np.ones(N, dtype=bool)
    spread = {
        design.name: np.var([np.sum(ZONES[design.draw(4, everybody, known, 5, rng)] == 0) for _ in range(2000)])
        for design in (Uniform(), Stratified())
    }
    assert spread["stratified"] < 0.6 * spread["uniform"]


def test_nearest_asks_the_zones_in_order_of_distance_and_the_unknown_at_their_mean() -> None:
    """Zones are 3, 1 and 8 m away; the robot that told nothing counts as 4 m away."""
    drawn = Nearest(DISTANCES).draw(N, np.ones(N, dtype=bool), roster(), 5, np.random.default_rng(6))
    assert [set(drawn[:3]), set(drawn[3:7]), drawn[7], drawn[8]] == [{4, 5, 6}, {0, 1, 2, 3}, 8, 7]
    chance = Nearest(DISTANCES).inclusion(5, np.ones(N, dtype=bool), roster(), 5)
    assert chance.tolist() == [0.5] * 4 + [1] * 3 + [0, 0]
    assert reweighted(chance).tolist() == pytest.approx([14 / 11] * 4 + [7 / 11] * 3 + [1, 1])


def test_a_zone_told_long_ago_counts_as_unknown() -> None:
    told = roster()
    assert told.known(4 + MEMORY).tolist() == [*ZONES[:8].tolist(), -1]
    assert (told.known(5 + MEMORY) == -1).all()


def test_the_roster_takes_no_sample_twice() -> None:
    told = Roster(2)
    assert told.hear(0, 1, tick=7, age=2)
    assert not told.hear(0, 1, tick=8, age=3), "true at tick 5 as well: the same sample, asked again"
    assert not told.hear(0, 2, tick=9, age=5)
    assert told.hear(0, 2, tick=9, age=3)
    assert told.hear(1, 0, tick=9)
    assert told.zone.tolist() == [2, 0]


@few
@given(st.lists(st.floats(0, 100), min_size=1, max_size=12), st.integers(0, 14))
def test_proportional_chances_are_capped_and_sum_to_k(sizes: list[float], k: int) -> None:
    """The naive rule: cap the largest at 1 and share the rest, until nobody is above."""
    chance = proportional(np.array(sizes), k)
    able = sum(size > 0 for size in sizes)
    assert chance.sum() == pytest.approx(min(k, able))
    assert ((chance >= 0) & (chance <= 1)).all()
    free = [(c / size) for c, size in zip(chance, sizes, strict=True) if 0 < c < 1]
    assert free == pytest.approx(free[:1] * len(free))


@few
@given(st.lists(st.floats(0, 9), min_size=1, max_size=6).filter(lambda w: sum(w) > 0.1), st.integers(1, 9))
def test_rounding_keeps_the_total_and_goes_to_a_neighbour(weights: list[float], k: int) -> None:
    exact = np.array(weights) * (k / sum(weights))
    counts = rounded(np.array(weights), k, np.random.default_rng(7))
    assert counts.sum() == k
    assert (np.abs(counts - exact) < 1 + 1e-9).all()


def test_rounding_is_unbiased() -> None:
    """Systematic: a count is its floor or one more, in the right proportion."""
    rng, weights = np.random.default_rng(8), np.array([0.7, 1.9, 0.1, 2.3])
    counts = [rounded(weights, 3, rng) for _ in range(20_000)]
    exact = 3 * weights / weights.sum()
    part = exact % 1
    assert (np.abs(np.mean(counts, axis=0) - exact) < 4.5 * np.sqrt(part * (1 - part) / 20_000)).all()


# --- budget


@pytest.mark.parametrize("per_tick", [0.05, 0.3, 1.0, 2.5, 7.0])
def test_a_budget_is_spent_to_the_last_poll_and_never_overdrawn(per_tick: float) -> None:
    budget, taken = Budget(per_tick, 100), 0
    for tick in range(1, 601):
        taken += budget.take()
        assert taken <= tick * per_tick + 1e-6
        assert taken > tick * per_tick - 1 - 1e-6


def test_replacements_are_paid_by_the_next_ticks() -> None:
    budget = Budget(2.0, 100)
    assert budget.take() == 2
    budget.spend(3)
    assert [budget.take() for _ in range(4)] == [0, 1, 2, 2]


def test_a_budget_beyond_the_fleet_is_not_saved_up() -> None:
    budget = Budget(50.0, 9)
    assert [budget.take() for _ in range(3)] == [9, 9, 9]


def test_polling_restored_goes_on_as_if_never_stopped() -> None:
    one, rng = Polling(N, 1, Stratified(), 1.7), np.random.default_rng(9)
    for tick in range(6):
        for robot in one.begin(tick, rng).tolist():
            one.roster.hear(robot, int(ZONES[robot]), tick)
    other = Polling(N, 1, Stratified(), 1.7).restored(json.loads(json.dumps(one.state())), 3)
    for tick in range(6, 16):
        seeds = np.random.default_rng(tick), np.random.default_rng(tick)
        assert one.begin(tick, seeds[0]).tolist() == other.begin(tick, seeds[1]).tolist()
    state = one.state()
    for part in ({"zone": [3] * N}, {"asked": [0] * 4}, {"told": [-2] * N}):
        with pytest.raises(ValueError, match=r"."):
            one.restored(state | {"roster": state["roster"] | part}, 3)


# --- configuration


def config(**dispatcher: object) -> Config:
    return Config(
        zones=("a", "b", "c", "d"),
        fleet={"prefix": "r", "count": 8},  # type: ignore[arg-type]
        dispatcher={"k": 2, **dispatcher},  # type: ignore[arg-type]
        types={"lift": {"share": 1}},  # type: ignore[dict-item]
        interactions={"b": {"lift": 2.0}},
    )


def test_every_design_comes_from_a_configuration() -> None:
    full = config(position=(9.0, 0.0), probabilities={"r3": 0.25})
    assert [design_from_config(full, name).name for name in DESIGNS] == list(DESIGNS)
    assert design_from_config(full).name == "uniform"
    weighted = design_from_config(full, "weighted")
    assert isinstance(weighted, Weighted)
    assert weighted.probabilities.tolist() == [1, 1, 1, 0.25, 1, 1, 1, 1]
    nearest = design_from_config(full, "nearest")
    assert isinstance(nearest, Nearest)
    order = nearest.distances
    assert order[0] < order[1] < order[2]
    assert order[1] == pytest.approx(order[3])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nearest", "needs dispatcher.position"),
        ("weighted", "needs dispatcher.probabilities"),
        ("quota", "sampling 'quota' is unknown"),
    ],
)
def test_what_a_design_lacks_is_named(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        design_from_config(config(), name)


@pytest.mark.parametrize(
    ("dispatcher", "words"),
    [
        ({"sampling": "nearest"}, "needs 'position'"),
        ({"sampling": "weighted"}, "needs 'probabilities'"),
        ({"probabilities": {"r9": 1.0}}, "'r9' is not in the fleet"),
        ({"probabilities": {f"r{i}": 0.0 for i in range(8)}}, "nobody would ever be polled"),
        ({"probabilities": {"r1": -1.0}}, "greater than or equal to 0"),
        ({"rho": 0.0}, "greater than 0"),
        ({"rho": 1.1}, "less than or equal to 1"),
        ({"polls_per_minute": 0}, "greater than 0"),
        ({"observer": "kalman"}, "memoryless"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(dispatcher: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        config(**dispatcher)
