"""The dispatcher without ROS: whom it polls, what it decides on, and how the priority moves on.

Statistical tests have fixed seeds; a right program fails them for about 1 seed in 10,000.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from meanfleet.base.errors import UserError
from meanfleet.dispatcher_node.dispatcher import RULES, Dispatcher
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PolicyBundle, Table
from naive.surrogate import histogram_of, histograms, random_arrays, random_policy

UNLIKELY = 1e-4
ROBOTS = tuple(f"r{i}" for i in range(6))


def make_bundle(ks: tuple[int, ...] = (2, 4), **changes: Any) -> PolicyBundle:
    """3 zones, 3 priorities, 3 dispatches, random tables."""
    game = Game(**(random_arrays(3, 3, 3, 3, 3) | changes))
    rng = np.random.default_rng(4)
    tables = tuple(Table(k, rng.integers(3, size=(3, len(histograms(k, 3)))), {}) for k in ks)
    return PolicyBundle(game, random_policy(5, 3, 3, 3), tables, {})


BUNDLE = make_bundle()


def run(dispatcher: Dispatcher, ticks: int) -> list[Any]:
    """Ticks in which robot i reports zone (i + tick) mod 3 and all answer."""
    seen = []
    for tick in range(ticks):
        names = dispatcher.sample()
        dispatcher.observe({name: (ROBOTS.index(name) + tick) % 3 for name in names})
        dispatcher.decide()
        seen.append((names, dispatcher.last))
    return seen


# --- polling


def test_every_ordered_sample_without_replacement_is_equally_likely() -> None:
    """12,000 ordered pairs out of 6 robots: 30 of them, χ²."""
    dispatcher = Dispatcher(BUNDLE, ROBOTS, 2, seed=1)
    seen = Counter(dispatcher.sample() for _ in range(12_000))
    assert seen.keys() <= set(itertools.permutations(ROBOTS, 2))
    assert chisquare([seen[pair] for pair in itertools.permutations(ROBOTS, 2)]).pvalue > UNLIKELY


def test_polling_everybody_asks_everybody_once() -> None:
    dispatcher = Dispatcher(make_bundle((6,)), ROBOTS, 6, seed=2)
    for _ in range(20):
        assert sorted(dispatcher.sample()) == sorted(ROBOTS)
        assert dispatcher.more(3) == ()


def test_replacements_are_uniform_over_the_robots_not_drawn_yet() -> None:
    """6,000 ticks of 2 + 1 robots: the third is each of the other 4 equally often."""
    dispatcher = Dispatcher(BUNDLE, ROBOTS, 2, seed=3)
    third = Counter()
    for _ in range(6000):
        first = dispatcher.sample()
        (extra,) = dispatcher.more(1)
        assert extra not in first
        third[extra] += 1
    assert chisquare([third[name] for name in ROBOTS]).pvalue > UNLIKELY
    dispatcher.sample()
    assert len(dispatcher.more(100)) == 4


@pytest.mark.parametrize("rule", RULES)
def test_same_seed_same_run(rule: Any) -> None:
    first, same, other = (run(Dispatcher(BUNDLE, ROBOTS, 4, seed=s, rule=rule), 30) for s in (7, 7, 8))
    assert first == same
    assert first != other


# --- deciding


def test_the_decision_is_the_tables_for_the_samples_histogram() -> None:
    for tick, (names, decision) in enumerate(run(Dispatcher(BUNDLE, ROBOTS, 4, seed=5), 40)):
        zones = tuple((ROBOTS.index(name) + tick) % 3 for name in names)
        assert decision.tick == tick
        assert decision.table_k == 4
        assert decision.histogram == histogram_of(zones, 3)
        assert decision.dispatch == BUNDLE.dispatch(decision.priority, decision.histogram)


@pytest.mark.parametrize(("answers", "table"), [(4, 4), (3, 2), (2, 2), (1, None), (0, None)])
def test_fewer_answers_use_a_smaller_table_and_too_few_hold(answers: int, table: int | None) -> None:
    dispatcher = Dispatcher(BUNDLE, ROBOTS, 4, seed=6)
    for _ in range(20):
        names, priority = dispatcher.sample(), dispatcher.priority
        dispatcher.observe(dict.fromkeys(names[:answers], 1))
        dispatch = dispatcher.decide()
        assert dispatcher.last is not None
        assert dispatcher.last.table_k == table
        assert dispatcher.last.histogram == (0, table or 0, 0)
        assert dispatch == (priority if table is None else BUNDLE.dispatch(priority, (0, table, 0)))


def test_surplus_answers_are_dropped_at_random() -> None:
    """Robots in zones 0, 1, 2 answer, the table is for 2: each of the three pairs remains in a third of 3,000 ticks."""
    dispatcher = Dispatcher(BUNDLE, ROBOTS, 4, seed=9)
    seen: Counter[tuple[int, ...]] = Counter()
    for _ in range(3000):
        names = dispatcher.sample()
        dispatcher.observe(dict(zip(names, (0, 1, 2), strict=False)))
        dispatcher.decide()
        assert dispatcher.last is not None
        seen[dispatcher.last.histogram] += 1
    assert set(seen) == {(1, 1, 0), (1, 0, 1), (0, 1, 1)}
    assert chisquare(list(seen.values())).pvalue > UNLIKELY


def test_samples_do_not_outlive_their_tick() -> None:
    dispatcher = Dispatcher(BUNDLE, ROBOTS, 4, seed=10)
    dispatcher.observe(dict.fromkeys(dispatcher.sample(), 0))
    dispatcher.decide()
    dispatcher.sample()
    dispatcher.decide()
    assert dispatcher.last is not None
    assert dispatcher.last.table_k is None


def test_only_drawn_robots_in_known_zones_are_observed() -> None:
    dispatcher = Dispatcher(BUNDLE, ROBOTS, 2, seed=11)
    names = dispatcher.sample()
    stranger = next(name for name in ROBOTS if name not in names)
    for zones in ({stranger: 0}, {"nobody": 0}, {names[0]: 3}, {names[0]: -1}):
        with pytest.raises(ValueError, match="robot"):
            dispatcher.observe(zones)


# --- rules and dynamics


def test_hold_keeps_the_priority_as_dispatch() -> None:
    for _, decision in run(Dispatcher(BUNDLE, ROBOTS, 4, seed=1, rule="hold"), 50):
        assert decision.dispatch == decision.priority
        assert decision.table_k is None


def test_random_dispatches_uniformly() -> None:
    decisions = [d for _, d in run(Dispatcher(BUNDLE, ROBOTS, 4, seed=2, rule="random"), 3000)]
    assert chisquare(list(Counter(d.dispatch for d in decisions).values())).pvalue > UNLIKELY


def test_rules_compared_on_a_seed_share_start_and_polled_robots() -> None:
    runs = [run(Dispatcher(BUNDLE, ROBOTS, 4, seed=3, rule=rule), 20) for rule in RULES]
    assert len({tuple(names for names, _ in r) for r in runs}) == 1
    assert len({r[0][1].priority for r in runs}) == 1


def test_the_next_priority_follows_p_g() -> None:
    """9,000 ticks of random dispatch: every row (s_g, a_g) against P_g, one χ² over all 9 rows."""
    decisions = [d for _, d in run(Dispatcher(BUNDLE, ROBOTS, 4, seed=4, rule="random"), 9000)]
    for before, after in itertools.pairwise(decisions):
        assert before.next_priority == after.priority
    seen = Counter((d.priority, d.dispatch, d.next_priority) for d in decisions)
    statistic = 0.0
    for s, a in itertools.product(range(3), repeat=2):
        row = np.array([seen[s, a, t] for t in range(3)])
        statistic += float(chisquare(row, row.sum() * BUNDLE.game.P_g[s, a]).statistic)
    # χ² with 9·2 degrees of freedom exceeds 49 with probability 1e-4.
    assert statistic < 49


def test_direct_dynamics_goes_where_it_was_sent() -> None:
    for _, decision in run(Dispatcher(BUNDLE, ROBOTS, 4, seed=4, dynamics="direct"), 50):
        assert decision.next_priority == decision.dispatch


def test_the_first_priority_follows_the_start_law_or_is_given() -> None:
    bundle = make_bundle(start_priority=np.array([0.2, 0.0, 0.8]))
    first = Counter(Dispatcher(bundle, ROBOTS, 2, seed=s).priority for s in range(2000))
    assert first[1] == 0
    assert chisquare([first[0], first[2]], [400, 1600]).pvalue > UNLIKELY
    assert Dispatcher(bundle, ROBOTS, 2, priority=1).priority == 1


# --- restart


@pytest.mark.parametrize("rule", RULES)
def test_a_restored_dispatcher_goes_on_as_if_never_stopped(rule: Any) -> None:
    """Through JSON, as the node keeps it."""
    running = Dispatcher(BUNDLE, ROBOTS, 4, seed=12, rule=rule)
    run(running, 5)
    state = json.loads(json.dumps(running.state()))
    restarted = Dispatcher(BUNDLE, ROBOTS, 4, seed=99, rule=rule)
    restarted.restore(state)
    assert run(restarted, 20) == run(running, 20)


@pytest.mark.parametrize(
    "change",
    [
        {"priority": 3},
        {"priority": -1},
        {"tick": -1},
        {"tick": "x"},
        {"streams": []},
        {"streams": None},
        {"streams": [{}, {}, {}]},
        {"streams": [1, 2, 3]},
    ],
    ids=str,
)
def test_a_state_that_is_none_is_refused_and_changes_nothing(change: dict[str, Any]) -> None:
    dispatcher, twin = (Dispatcher(BUNDLE, ROBOTS, 4, seed=13) for _ in range(2))
    with pytest.raises(ValueError, match="no dispatcher state"):
        dispatcher.restore(dispatcher.state() | change)
    assert dispatcher.state() == twin.state()


def test_half_a_state_is_refused_as_a_whole() -> None:
    dispatcher, twin = (Dispatcher(BUNDLE, ROBOTS, 4, seed=13) for _ in range(2))
    other = Dispatcher(BUNDLE, ROBOTS, 4, seed=14).state()
    with pytest.raises(ValueError, match="no dispatcher state"):
        dispatcher.restore(other | {"streams": [*other["streams"][:2], {"bit_generator": "other"}]})
    assert dispatcher.state() == twin.state()


# --- mistakes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"k": 7}, "k = 7, but the fleet has 6 robots"),
        ({"k": 3}, "no table for k = 3"),
        ({"k": 2, "observer": "oracle"}, "observer 'oracle' is unknown"),
        ({"k": 2, "rule": "learnt"}, "rule 'learnt' is unknown"),
        ({"k": 2, "priority": 3}, "priority 3: expected one from 0 to 2"),
    ],
)
def test_a_users_mistakes_are_named(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Dispatcher(BUNDLE, ROBOTS, **arguments)
