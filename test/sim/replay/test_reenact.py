"""What a real dispatcher says of its ticks leads its own code to the same decisions; a changed word is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from recorded import NAMES, bundle, recorded

from meanfleet.base.errors import UserError
from meanfleet.dispatcher_node.dispatcher import Dispatcher
from meanfleet.dispatcher_node.gather import Gather
from meanfleet.dispatcher_node.report import Ledger, tick_report
from meanfleet.studies.replay.reenact import reenact

BUNDLE = bundle()
LOG = recorded(20, 50, 3)


def said(
    one: Dispatcher,
    ticks: int = 50,
    answering: float = 0.8,
    late: float = 0.2,
    reason: Callable[[int], str] = lambda _: "",
) -> list[dict[str, Any]]:
    """Diagnostics of a real dispatcher whose robots stay silent or answer late now and then, through JSON and back."""
    rng, reports = np.random.default_rng(9), []
    for t in range(ticks):
        names = one.sample()
        gather = Gather(names, 0.0, 0.5, 2.0, one.more, one.reach)
        wanted = list(names)
        for now in (0.1, 0.3, 0.45):
            for name in wanted:
                if rng.random() < answering:
                    age = int(rng.random() < late and t > 3) * 3
                    zone = int(LOG.zones[max(t - age, 0), one.robots.index(name)])
                    gather.receive(name, zone, float(age), age)
            wanted = list(gather.replace(now))
        one.observe(gather.zones | gather.late, gather.ages)
        one.decide(reason(t))
        assert one.last is not None
        report = tick_report(gather, one.last, one, NAMES, float(t), 0.1, Ledger(), 0)
        reports.append(json.loads(json.dumps(report.values())))
    return reports


def dispatcher(observer: str, k: int = 5, **changes: Any) -> Dispatcher:
    return Dispatcher(BUNDLE, LOG.robots, k, observer, seed=4, **changes)


@pytest.mark.parametrize("observer", ["memoryless", "dirichlet"])
@pytest.mark.parametrize("answering", [1.0, 0.5, 0.1])
@pytest.mark.parametrize("sampling", ["uniform", "oldest", "stratified"])
def test_every_decision_is_reenacted(observer: str, answering: float, sampling: str) -> None:
    ticks = said(dispatcher(observer, sampling=sampling), answering=answering)
    assert {entry["answered"] for entry in ticks} != {0}
    found = reenact(ticks, BUNDLE, LOG.robots, NAMES)
    assert found.mismatches == []
    assert (found.ticks, found.anchored, found.exact) == (50, 0, True)


@pytest.mark.parametrize("observer", ["memoryless", "dirichlet"])
def test_held_ticks_are_reenacted_as_such(observer: str) -> None:
    one = dispatcher(observer)
    ticks = said(one, reason=lambda t: "min_hold" if t % 3 else "")
    assert any(entry["reason"] and entry["answered"] >= 1 for entry in ticks)
    assert reenact(ticks, BUNDLE, LOG.robots, NAMES).mismatches == []
    forgotten = [entry | {"reason": ""} for entry in ticks]
    assert reenact(forgotten, BUNDLE, LOG.robots, NAMES).mismatches != []


def test_partial_answers_and_late_ones_are_part_of_it() -> None:
    ticks = said(dispatcher("dirichlet"), answering=0.5)
    assert len({entry["answered"] for entry in ticks}) > 2
    assert any(age > 0 for entry in ticks for _, age, _ in entry["heard"].values())
    fewer = said(dispatcher("memoryless"), answering=0.5)
    assert {entry["table_k"] for entry in fewer} >= {2, 5}


def test_a_rho_of_ones_own_has_to_be_told() -> None:
    ticks = said(dispatcher("dirichlet", rho=0.7))
    assert reenact(ticks, BUNDLE, LOG.robots, NAMES, rho=0.7).exact
    assert {m.what for m in reenact(ticks, BUNDLE, LOG.robots, NAMES).mismatches} >= {"rho", "belief"}


@pytest.mark.parametrize("observer", ["memoryless", "dirichlet"])
def test_a_record_that_begins_late_or_has_holes_is_anchored(observer: str) -> None:
    ticks = said(dispatcher(observer), answering=1.0, late=0.0)
    found = reenact(ticks[7:20] + ticks[24:], BUNDLE, LOG.robots, NAMES)
    assert found.mismatches == []
    assert found.ticks == 39
    assert (found.anchored >= 2) == (observer == "dirichlet")


@pytest.mark.parametrize("rule", ["hold", "random"])
@pytest.mark.parametrize("observer", ["memoryless", "dirichlet"])
def test_other_rules_are_taken_at_their_word(rule: str, observer: str) -> None:
    ticks = said(dispatcher(observer, rule=rule))
    assert reenact(ticks, BUNDLE, LOG.robots, NAMES).mismatches == []


def test_another_k_between_two_ticks_takes_over() -> None:
    old = dispatcher("dirichlet")
    first = said(old, 20)
    new = dispatcher("dirichlet", k=3)
    new.take_over(old)
    found = reenact(first + said(new, 20), BUNDLE, LOG.robots, NAMES)
    assert (found.mismatches, found.anchored) == ([], 0)


@pytest.mark.parametrize("observer", ["memoryless", "dirichlet"])
@pytest.mark.parametrize("budget", [0.3, 1.6, 4.5])
@pytest.mark.parametrize("answering", [1.0, 0.5])
def test_a_budget_of_polls_is_no_change_of_k(observer: str, budget: float, answering: float) -> None:
    """Under a budget another number of robots is asked from tick to tick, by one and the same dispatcher."""
    ticks = said(dispatcher(observer, polls_per_tick=budget), answering=answering)
    assert len({entry["k"] for entry in ticks}) > 1
    found = reenact(ticks, BUNDLE, LOG.robots, NAMES)
    assert (found.mismatches, found.anchored, found.ticks) == ([], 0, 50)


def test_from_a_budget_to_a_fixed_k_and_a_late_beginning_under_one() -> None:
    old = dispatcher("dirichlet", polls_per_tick=0.4)
    first = said(old, 20, late=0.0)
    new = dispatcher("dirichlet", k=3)
    new.take_over(old)
    found = reenact(first + said(new, 20, late=0.0), BUNDLE, LOG.robots, NAMES)
    assert (found.mismatches, found.anchored) == ([], 0)
    nobody = next(i for i, entry in enumerate(first) if entry["k"] == 0)
    late = reenact(first[max(nobody, 1) :], BUNDLE, LOG.robots, NAMES)
    assert late.mismatches == []
    assert late.anchored >= 1


def test_a_restart_begins_anew() -> None:
    ticks = said(dispatcher("dirichlet"), 20) + said(dispatcher("dirichlet", k=2), 20)
    assert reenact(ticks, BUNDLE, LOG.robots, NAMES).exact


@pytest.mark.parametrize("observer", ["memoryless", "dirichlet"])
@pytest.mark.parametrize("what", ["dispatch", "priority", "heard", "histogram"])
def test_a_changed_word_is_noticed(observer: str, what: str) -> None:
    ticks = said(dispatcher(observer), answering=1.0)
    entry = ticks[20]
    if what == "heard":
        following = dict(zip(NAMES, (*NAMES[1:], NAMES[0]), strict=True))
        entry["heard"] = {name: [following[zone], age, w] for name, (zone, age, w) in entry["heard"].items()}
        if observer == "memoryless" and sorted(entry["histogram"]) == entry["histogram"]:
            entry["histogram"] = entry["histogram"][::-1]
    elif what == "histogram":
        entry["histogram"] = [*entry["histogram"][1:], entry["histogram"][0] + 1]
    else:
        entry[what] = NAMES[(NAMES.index(entry[what]) + 1) % 3]
    found = reenact(ticks, BUNDLE, LOG.robots, NAMES)
    assert not found.exact
    assert found.mismatches[0].tick == 20


@pytest.mark.parametrize("key", ["heard", "observer", "belief", "tick"])
def test_damaged_diagnostics_are_refused(key: str) -> None:
    ticks = said(dispatcher("dirichlet"), 3)
    del ticks[1][key]
    with pytest.raises(UserError, match="cannot be re-enacted"):
        reenact(ticks, BUNDLE, LOG.robots, NAMES)


def test_particles_are_refused() -> None:
    with pytest.raises(UserError, match="particle"):
        reenact(said(dispatcher("particle"), 2), BUNDLE, LOG.robots, NAMES)
