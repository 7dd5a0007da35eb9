"""The dispatcher of robots on a line: its priority moves as the model's, its decisions are the solved bins'."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from inspect import signature

import numpy as np
import pytest
from lines import SMALL, network
from recorded import bundle as bundle_of_zones

from meanfleet.base.errors import UserError
from meanfleet.dispatcher_node.dispatcher import Dispatcher
from meanfleet.families.line.bundle import ContinuousBundle
from meanfleet.families.line.dispatcher import LineDispatcher
from meanfleet.solver.continuous.discretised import Filtering, Solved
from meanfleet.solver.continuous.warehouse import ContinuousWarehouse
from naive import continuous as naive

N, K = 60, 5
NAMES = [f"r{i}" for i in range(N)]


def dispatcher(bundle: ContinuousBundle, seed: int = 0, **options: object) -> LineDispatcher:
    return LineDispatcher(bundle, NAMES, K, **{"observer": "dirichlet", "seed": seed, **options})  # type: ignore[arg-type]


def tick(one: LineDispatcher, bins: np.ndarray) -> tuple[float, int]:
    """Poll robots in these bins [robot]; the tick's priority and what was decided."""
    one.observe({name: int(bins[NAMES.index(name)]) for name in one.sample()})
    dispatch = one.decide()
    assert one.last is not None
    assert one.last.place is not None
    return one.last.place, dispatch


def test_it_decides_as_the_filter_that_was_measured(line_bundle: ContinuousBundle) -> None:
    """The same samples into the rule that the study measures, which is code of its own."""
    model = line_bundle.filtering
    assert model is not None
    game = line_bundle.game
    drift = np.einsum("zsay->szy", game.P_l)
    solved = Solved(game, model.kappa, model.q.astype(np.float64), drift)
    line = ContinuousWarehouse(**SMALL.line.model_dump())
    seen = set()
    for fleet in range(5):
        decide = Filtering(line, solved, K).begin(1, np.random.default_rng(0))
        one, rng = dispatcher(line_bundle, fleet), np.random.default_rng(fleet)
        places = line.start(1, rng)[1][0]
        for _ in range(15):
            place, dispatch = tick(one, line.bin_of(places))
            assert one.last is not None
            assert dispatch == decide(np.array([place]), np.array([one.last.histogram]))[0]
            assert one.last.priority == naive.histogram([place]).index(1)
            moves = line_bundle.moves(places, place)
            places = line.drive(places[None], moves[None], rng)[0]
            seen.add(dispatch)
    assert len(seen) > 1


def test_the_priority_goes_part_of_the_way_and_is_noisy(line_bundle: ContinuousBundle) -> None:
    one, bins = dispatcher(line_bundle, rule="random"), np.zeros(N, dtype=int)
    ticks = [tick(one, bins) for _ in range(3000)]
    steps = [
        after - (place + 0.6 * (naive.TAU[a] - place))
        for (place, a), (after, _) in itertools.pairwise(ticks)
        if abs(after) < 2
    ]
    assert np.mean(steps) == pytest.approx(0, abs=4 * 0.08 / np.sqrt(len(steps)))
    assert np.std(steps) == pytest.approx(0.08, rel=0.06)
    assert np.bincount([a for _, a in ticks], minlength=5) == pytest.approx(600, abs=100)


def test_the_first_priority_is_uniform(line_bundle: ContinuousBundle) -> None:
    first = np.sort([dispatcher(line_bundle, seed).place for seed in range(400)])
    assert np.abs(first - np.linspace(-1, 1, 400)).max() < 2 * 1.95 / np.sqrt(400)  # Kolmogorov, 0.1 %


def test_a_priority_counts_by_its_name_and_by_its_position_as_with_zones(line_bundle: ContinuousBundle) -> None:
    """All parameters of `Dispatcher`, in their order; the streams are those of one that draws its first priority."""
    assert signature(LineDispatcher) == signature(Dispatcher)
    named = dispatcher(line_bundle, seed=4, dynamics="direct", priority=3)
    placed = LineDispatcher(line_bundle, NAMES, K, "dirichlet", 4, "direct", "learned", 3)
    drawn = dispatcher(line_bundle, seed=4, dynamics="direct")
    assert named.place == placed.place == placed.line.targets[3]
    assert named.priority == placed.priority == 3
    assert drawn.place != named.place
    assert named.state()["streams"] == placed.state()["streams"] == drawn.state()["streams"]
    with pytest.raises(UserError, match="for robots on a line"):
        LineDispatcher(bundle_of_zones(), NAMES, 1)


def test_hold_stays_at_the_nearest_target_and_direct_goes_there_at_once(line_bundle: ContinuousBundle) -> None:
    one, bins = dispatcher(line_bundle, rule="hold", priority=3), np.zeros(N, dtype=int)
    assert {tick(one, bins)[1] for _ in range(50)} == {3}
    assert abs(one.place - 0.8) < 0.5
    direct = dispatcher(line_bundle, rule="random", dynamics="direct")
    for _ in range(10):
        _, dispatch = tick(direct, bins)
        assert direct.place == naive.TAU[dispatch]


def test_without_an_answer_or_for_a_reason_the_place_stays(line_bundle: ContinuousBundle) -> None:
    one = dispatcher(line_bundle)
    tick(one, np.full(N, 4))
    place = one.place
    one.sample()
    one.observe({})
    one.decide()
    assert one.place == place
    one.observe(dict.fromkeys(one.sample(), 4))
    one.decide("estop")
    assert one.place == place
    tick(one, np.full(N, 4))
    assert one.place != place


def test_a_network_decides_without_memory(line_bundle: ContinuousBundle) -> None:
    learned = replace(line_bundle, dispatcher=network(5, 8, 5))
    one, rng = dispatcher(learned, observer="memoryless"), np.random.default_rng(2)
    for _ in range(20):
        _, dispatch = tick(one, rng.integers(5, size=N))
        assert one.last is not None
        assert one.last.table_k == K
        assert dispatch == learned.dispatch(0, one.last.histogram)


def test_it_goes_on_from_its_checkpoint(line_bundle: ContinuousBundle) -> None:
    one, bins = dispatcher(line_bundle), np.random.default_rng(3).integers(5, size=N)
    for _ in range(5):
        tick(one, bins)
    state = json.loads(json.dumps(one.state()))
    other, third = dispatcher(line_bundle, seed=9), dispatcher(line_bundle, seed=8)
    other.restore(state)
    third.take_over(other)
    rest = [tick(one, bins) for _ in range(5)]
    assert [tick(other, bins) for _ in range(5)] == rest
    assert third.place == rest[0][0]
    for wrong in (None, "0.3", 2.5, float("nan")):
        with pytest.raises(ValueError, match="no place on the line"):
            other.restore(state | {"place": wrong})
