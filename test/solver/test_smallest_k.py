"""Choosing k: the answer is enough and the k below is not, by the same measure; messages are counted right."""

from __future__ import annotations

import numpy as np
import pytest

from meanfleet.base.errors import UserError
from meanfleet.config import SolverConfig
from meanfleet.solver import Game
from meanfleet.solver.fleet import Estimate, Fleet
from meanfleet.solver.fleet.filtered import Observer
from meanfleet.solver.policies import shortest_way
from meanfleet.solver.smallest_k import OBSERVERS, Answer, Search, Tried

QUICK = SolverConfig(kappa=8, rollouts=500, rho=(1.0, 0.9))


@pytest.fixture(scope="module")
def game() -> Game:
    """Three zones, sticky robots, a priority that follows the dispatch at once."""
    stay = 0.94 * np.eye(3) + 0.02
    go = 0.8 * stay + 0.2 * np.roll(np.eye(3), 1, axis=1)
    return Game(
        P_g=np.broadcast_to(0.85 * np.eye(3) + 0.05, (3, 3, 3)),
        P_l=np.broadcast_to(np.array([stay, go, go.T]).transpose(1, 0, 2)[:, None], (3, 3, 3, 3)),
        r_g=np.zeros((3, 3)),
        r_l=10 * np.broadcast_to(np.eye(3)[:, :, None], (3, 3, 3)),
        discount=0.9,
        start_priority=np.full(3, 1 / 3),
        start_concentration=np.full(3, 0.3),
    )


@pytest.fixture(scope="module")
def search(game: Game) -> Search:
    return Search(game, 100, shortest_way(game), regret=0.03, limit=30, rollouts=2000, settings=QUICK, particles=20)


@pytest.mark.parametrize("observer", OBSERVERS)
def test_the_smallest_k_is_enough_and_none_below_it_that_was_tried(search: Search, observer: str) -> None:
    answer = search.smallest(observer)
    assert answer.k is not None
    assert [one.k for one in answer.tried] == sorted({one.k for one in answer.tried})
    assert all(one.enough == (one.k >= answer.k) == (one.margin >= 0) for one in answer.tried)
    below = {one.k for one in answer.tried if not one.enough}
    assert answer.k == 1 or answer.k - 1 in below
    best = next(one for one in answer.tried if one.k == answer.k)
    assert best.mean >= (1 - 0.03) * search.whole_fleet.mean
    assert best.regret == pytest.approx(1 - best.mean / search.whole_fleet.mean)


def test_remembering_needs_no_more_robots_than_forgetting(search: Search) -> None:
    few, many = (search.smallest(observer).k for observer in ("dirichlet", "memoryless"))
    assert few is not None
    assert many is not None
    assert few < many


def test_the_margin_is_the_lower_end_of_the_paired_difference(game: Game, search: Search) -> None:
    rule = search._remembering(2)
    judged = search.judge(rule, 2)
    stream = search.selection.stream(3, 0)  # FRESH
    observer = rule.observer
    assert isinstance(observer, Observer)
    own = Fleet(game, 100, 2, endless=True).filtered_returns(observer, shortest_way(game), 2000, 44, stream)
    whole = Fleet(game, 100, 1, endless=True).informed_returns(search.model, shortest_way(game), 2000, 44, stream)
    assert judged.margin == pytest.approx(Estimate.of(own - 0.97 * whole, 44).interval[0])


def test_particles_get_the_rollouts_they_can_afford_and_their_interval_is_that_of_these(
    game: Game, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = search._rule("particle", 2)
    monkeypatch.setattr("meanfleet.solver.smallest_k.PARTICLE_TICKS", 20 * 44 * 600)
    judged = search.judge(rule, 2)
    assert judged.rollouts == 500
    own = rule.returns(Fleet(game, 100, 2, endless=True), 500, 44, search.selection.stream(3, 0))
    assert judged.margin == pytest.approx(Estimate.of(own - 0.97 * search.whole[:500], 44).interval[0])
    assert judged.regret == pytest.approx(1 - own.mean() / search.whole[:500].mean())


def test_messages_per_minute_and_no_answer() -> None:
    tried = (Tried(10, "rule", 90.0, 0.1, 0.01, 0.5, True, 500),)
    messages = Answer("dirichlet", 10, tried).as_dict(1000, 2.0)["messages_per_minute"]
    assert messages == {"needed": 300.0, "saved": 29_700.0}
    assert Answer("dirichlet", None, tried).as_dict(1000, 2.0)["messages_per_minute"] is None


def test_no_k_up_to_the_limit_is_said_so(game: Game) -> None:
    answer = Search(game, 100, shortest_way(game), 1e-6, 2, 500, QUICK).smallest("memoryless")
    assert answer.k is None
    assert [one.k for one in answer.tried] == [1, 2]


def test_what_makes_no_sense_is_a_users_error(game: Game) -> None:
    policy = shortest_way(game)
    for regret, limit, settings, words in (
        (0.0, 5, QUICK, "regret"),
        (1.0, 5, QUICK, "regret"),
        (0.02, 0, QUICK, "largest k"),
        (0.02, 101, QUICK, "largest k"),
        (0.02, 5, SolverConfig(kappa=0), "kappa"),
    ):
        with pytest.raises(UserError, match=words):
            Search(game, 100, policy, regret, limit, 500, settings)
    with pytest.raises(UserError, match="particles"):
        Search(game, 100, policy, 0.02, 5, 500, QUICK, particles=1)
