"""Which k waits for which, and that a plan refuses what cannot be done before anything is done."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfleet.base.errors import UserError
from meanfleet.solver import Game
from meanfleet.studies.sweep.plan import CHAINS, COLD, SweepPlan
from naive.surrogate import random_arrays

GAME = Game.from_arrays(random_arrays(0))


def plan(*ks: int, **changes: Any) -> SweepPlan:
    return SweepPlan(**({"game": GAME, "ks": ks, "n": 100} | changes))


def test_one_to_fifty_by_hand() -> None:
    """20 solves from several starts; then two chains, one over the even and one over the odd k."""
    waves = plan(*range(1, 51)).waves()
    assert waves[0] == list(range(20, 0, -1))
    assert waves[1:] == [[k + 1, k] for k in range(21, 50, 2)]
    assert [plan(*range(1, 51)).predecessor(k) for k in (20, 21, 22, 23, 50)] == [None, 20, 20, 21, 48]


def test_sparse_and_high_k_by_hand() -> None:
    assert [plan(10, 20, 30, 40, 50).predecessor(k) for k in (10, 20, 30, 40, 50)] == [None, None, 20, 20, 30]
    assert [plan(30, 40, 50).predecessor(k) for k in (30, 40, 50)] == [None, 30, 30]
    assert plan(50).waves() == [[50]]


@given(st.sets(st.integers(1, 100), min_size=1), st.booleans())
def test_waves_hold_every_k_once_and_need_only_what_came_before(ks: set[int], full: bool) -> None:
    sweep = plan(*sorted(ks), full=full)
    done: set[int] = set()
    for wave in sweep.waves():
        assert wave == sorted(wave, reverse=True)
        for k in wave:
            before = sweep.predecessor(k)
            assert before is None or (before < k and before in done)
        done |= set(wave)
    assert sorted(k for wave in sweep.waves() for k in wave) == sorted(ks)
    cold = {k for k in ks if sweep.predecessor(k) is None}
    assert cold == (ks if full else {k for k in ks if k <= COLD} or {min(ks)})
    assert all(len(wave) <= CHAINS for wave in sweep.waves()[1:])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ks": ()}, "at least one"),
        ({"ks": (2, 1)}, "ascending"),
        ({"ks": (101,)}, "the fleet has 100 robots"),
        ({"ks": (0, 1)}, "at least one"),
        ({"seeds": 1}, "seeds = 1"),
        ({"rollouts": 1}, "rollouts = 1"),
        ({"horizon": 0}, "horizon = 0"),
        ({"game": Game.from_arrays(random_arrays(0, zones=7)), "n": 1000, "ks": (200,)}, "out of reach"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        plan(**({"ks": (1, 2)} | changes))


def test_the_identity_tells_games_and_options_apart_but_not_the_k_and_seeds_asked_for() -> None:
    base = plan(1, 2).identity()
    assert plan(1, 2, 3, seeds=20).identity() == base
    for changes in (
        {"game": Game.from_arrays(random_arrays(1))},
        {"n": 99},
        {"rollouts": 51},
        {"horizon": 99},
        {"seed": 1},
        {"full": True},
    ):
        assert plan(1, 2, **changes).identity() != base
