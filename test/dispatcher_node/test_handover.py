"""One dispatcher takes over from another between two ticks: what must stay stays, what was changed counts."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.dispatcher_node.dispatcher import Dispatcher
from meanfleet.dispatcher_node.gather import Gather
from meanfleet.dispatcher_node.parameters import PARAMETERS, dispatcher_from
from meanfleet.dispatcher_node.report import Ledger, tick_report
from meanfleet.ros.parameters import ParameterSpec
from meanfleet.solver import Game
from meanfleet.solver.bundle.filtering import FilterModel, FilterSetting
from meanfleet.solver.bundle.policy import PolicyBundle, Table
from meanfleet.solver.histograms import count_histograms
from naive import filtering as naive
from naive.surrogate import random_arrays, random_policy

ZONES, N, KAPPA = 3, 12, 4
ROBOTS = tuple(f"r{i:02d}" for i in range(N))
GAME = Game(**random_arrays(51, ZONES, ZONES, ZONES, 3, 0.9))


def bundle(seed: int, ks: tuple[int, ...] = (1, 4)) -> PolicyBundle:
    """Any tables and any filter: what they decide does not matter here."""
    rng = np.random.default_rng(seed)
    tables = tuple(Table(k, rng.integers(ZONES, size=(ZONES, count_histograms(k, ZONES))), {}) for k in ks)
    q = rng.random((ZONES, count_histograms(KAPPA, ZONES), ZONES))
    model = FilterModel(KAPPA, q, np.full(ZONES, 0.3), {1: FilterSetting(0.9, "posterior", {}, adaptive=False)})
    return PolicyBundle(GAME, random_policy(seed, ZONES, ZONES, 3), tables, {}, model)


BUNDLE = bundle(1)


def dispatcher(observer: str = "dirichlet", k: int = 3, of: PolicyBundle = BUNDLE, **changes: Any) -> Dispatcher:
    return Dispatcher(of, ROBOTS, k, observer, **{"seed": 3, "particles": 400} | changes)


def tick(one: Dispatcher) -> Any:
    names = one.sample()
    one.observe({name: (ROBOTS.index(name) + one.tick) % ZONES for name in names})
    one.decide()
    return one.last


def run(one: Dispatcher, ticks: int) -> list[Any]:
    return [tick(one) for _ in range(ticks)]


@pytest.mark.parametrize("sampling", ["uniform", "oldest", "stratified"])
@pytest.mark.parametrize(("observer", "k"), [("memoryless", 4), ("dirichlet", 3), ("particle", 3)])
def test_taking_over_without_a_change_changes_nothing(observer: str, k: int, sampling: str) -> None:
    old, same, new = (dispatcher(observer, k, sampling=sampling, seed=seed) for seed in (5, 5, 99))
    run(old, 7), run(same, 7)
    new.take_over(old)
    assert run(new, 12) == run(same, 12)


def test_the_belief_goes_on_under_the_new_k_and_the_new_rho() -> None:
    """Five ticks at ρ = 0.9 with k = 3, then five at ρ = 0.6 with k = 1: the weights by hand."""
    old, new = dispatcher(rho=0.9), dispatcher(k=1, rho=0.6)
    seen = run(old, 5)
    new.take_over(old)
    seen += run(new, 5)
    alpha = [0.3] * ZONES
    steps = [naive.fleet_step(GAME.P_l, BUNDLE.local_policy, s) for s in range(ZONES)]
    for decision in seen:
        alpha = [a + c for a, c in zip(alpha, decision.histogram, strict=True)]
        assert decision.belief.alpha == pytest.approx(alpha)
        alpha = naive.carried(alpha, steps[decision.priority], 0.9 if decision.tick < 5 else 0.6)
    assert [decision.tick for decision in seen] == list(range(10))
    assert [sum(decision.histogram) for decision in seen] == [3] * 5 + [1] * 5
    assert all(a.next_priority == b.priority for a, b in itertools.pairwise(seen))


def test_a_new_bundle_decides_from_the_next_tick_on() -> None:
    other = bundle(2, ks=(1, 2))
    old, new = dispatcher("memoryless", 4), dispatcher("memoryless", 2, other)
    run(old, 6)
    new.take_over(old)
    assert new.priority == old.priority
    for decision in run(new, 10):
        assert decision.table_k == 2
        assert decision.dispatch == other.dispatch(decision.priority, decision.histogram)


def test_particles_start_from_the_dirichlet_belief_they_replace_and_back() -> None:
    """400 particles of 12 robots: the mean of Dirichlet(α) within four standard errors."""
    old, particles, back = dispatcher(), dispatcher("particle"), dispatcher()
    run(old, 6)
    alpha = old.belief.alpha
    particles.take_over(old)
    share, total = alpha / alpha.sum(), alpha.sum()
    error = np.sqrt(share * (1 - share) * (1 / (total + 1) + 1 / N) / 400)
    got = particles.belief.fleets.mean(axis=0) / N  # type: ignore[attr-defined]
    assert (np.abs(got - share) < 4 * error).all()
    assert not np.allclose(share, 1 / ZONES, atol=0.02), "the prior's mean would pass as well"
    back.take_over(particles)
    assert back.belief.alpha == pytest.approx(particles.belief.alpha)
    run(particles, 3)


def test_without_memory_there_is_nothing_to_hand_over() -> None:
    old, new = dispatcher("memoryless", 4), dispatcher()
    run(old, 5)
    new.take_over(old)
    assert new.belief.alpha == pytest.approx([0.3] * ZONES)
    assert new.tick == 5
    assert new.polling.roster.asked.max() == 4


def test_a_checkpoint_of_another_observer_keeps_tick_priority_and_belief() -> None:
    old, plain, particles = dispatcher(), dispatcher("memoryless", 4), dispatcher("particle")
    run(old, 5)
    for new in (plain, particles):
        new.restore(old.state())
        assert (new.tick, new.priority) == (old.tick, old.priority)
    assert particles.belief.alpha / particles.belief.alpha.sum() == pytest.approx(
        old.belief.alpha / old.belief.alpha.sum(), abs=0.1
    )


# --- robots excluded, and reasons to hold


@pytest.mark.parametrize("way", ["take over", "checkpoint"])
@pytest.mark.parametrize("observer", ["memoryless", "dirichlet", "particle"])
def test_robots_are_excluded_and_readmitted_between_two_ticks(observer: str, way: str) -> None:
    """The rest is polled and believed in: particles are fleets of those left, with the shares believed before."""
    one, out = dispatcher(observer, 4), ROBOTS[2:7]
    run(one, 6)
    for excluded in (out, ()):
        new = dispatcher(observer, 4, exclude=excluded)
        before = one.belief.alpha / max(one.belief.alpha.sum(), 1e-9)
        if way == "take over":
            new.take_over(one)
        else:
            new.restore(json.loads(json.dumps(one.state())))
        assert (new.tick, new.priority) == (one.tick, one.priority)
        if observer == "particle":
            fleets = new.belief.fleets  # type: ignore[attr-defined]
            assert (fleets.sum(axis=1) == N - len(excluded)).all()
            assert np.abs(fleets.mean(axis=0) / (N - len(excluded)) - before).max() < 0.1
        asked = set()
        for _ in range(12):
            names = new.sample()
            assert len(names) == 4
            asked |= {*names, *new.more(20)}
            assert asked.isdisjoint(excluded)
            new.observe({name: ROBOTS.index(name) % ZONES for name in names})
            new.decide()
        assert asked == set(ROBOTS) - set(excluded)
        one = new


def test_with_fewer_robots_left_than_k_all_of_them_are_polled() -> None:
    one = dispatcher("memoryless", 4, exclude=ROBOTS[3:])
    assert (one.k, one.polls_all) == (3, True)
    assert set(one.sample()) == set(ROBOTS[:3])
    one.observe(dict.fromkeys(ROBOTS[:3], 0))
    one.decide()
    assert one.last is not None
    assert one.last.table_k == 1, "the largest table that three answers fill"
    nobody = dispatcher("memoryless", 4, exclude=ROBOTS)
    assert nobody.sample() == nobody.more(3) == ()


@pytest.mark.parametrize("rule", ["learned", "random"])
@pytest.mark.parametrize("observer", ["memoryless", "dirichlet"])
def test_a_reason_to_hold_keeps_the_priority_and_nothing_else(observer: str, rule: Any) -> None:
    """The belief, and all that is drawn later, are those of a dispatcher that was not held."""
    held, free = dispatcher(observer, 4, rule=rule), dispatcher(observer, 4, rule=rule)
    for one, reason in ((held, "estop"), (free, "")):
        names = one.sample()
        one.observe({name: ROBOTS.index(name) % ZONES for name in names})
        priority = one.priority
        dispatch = one.decide(reason)
        assert one.last is not None
        assert one.last.reason == reason
        if reason:
            assert (dispatch, one.priority, one.last.next_priority) == (priority, priority, priority)
            assert (one.last.table_k, one.last.kappa) == (None, None)
    assert held.state()["streams"] == free.state()["streams"]
    assert held.sample() == free.sample()


# --- parameters


CONFIG = Config(
    zones=("a", "b", "c"),
    fleet={"names": ROBOTS},  # type: ignore[arg-type]
    dispatcher={"k": 4},  # type: ignore[arg-type]
)
VALUES: dict[str, Any] = {spec.name: spec.default for spec in PARAMETERS}


def test_the_defaults_are_the_configuration() -> None:
    one = dispatcher_from(VALUES, CONFIG, BUNDLE)
    assert (one.k, one.observer, one.rule, one.polling.design.name) == (4, "memoryless", "learned", "uniform")


def test_every_value_reaches_the_dispatcher() -> None:
    given = VALUES | {"k": 3, "observer": "dirichlet", "sampling": "oldest", "rho": 0.7, "kappa": KAPPA, "rule": "hold"}
    one = dispatcher_from(given, CONFIG, BUNDLE)
    assert (one.k, one.observer, one.rule, one.polling.design.name) == (3, "dirichlet", "hold", "oldest")
    assert one.belief.rho == 0.7


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"k": 13}, "k = 13, but the fleet has 12 robots"),
        ({"k": 3}, "the bundle has no table for k = 3, only for k = 1, 4"),
        ({"kappa": 20}, "kappa = 20, but the policy holds a filter for kappa = 4"),
        ({"exclude": ["r5"]}, "parameter 'exclude': 'r5' is not in the fleet"),
        ({"sampling": "nearest"}, "sampling 'nearest' needs dispatcher.position"),
    ],
)
def test_what_the_bundle_or_the_fleet_does_not_allow_is_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        dispatcher_from(VALUES | given, CONFIG, BUNDLE)


def test_kappa_needs_a_filter() -> None:
    plain = PolicyBundle(GAME, BUNDLE.local_policy, BUNDLE.tables, {})
    with pytest.raises(UserError, match="kappa = 4, but the policy holds no filter"):
        dispatcher_from(VALUES | {"kappa": 4}, CONFIG, plain)


@pytest.mark.parametrize(
    ("spec", "value", "sentence"),
    [
        (ParameterSpec("k", 0, "", low=0), -1, "k = -1: expected 0 or more"),
        (ParameterSpec("rho", 0.0, "", low=0, high=1), float("nan"), "rho = nan: expected 0 to 1"),
        (ParameterSpec("rule", "a", "", choices=("", "a", "b")), "c", "rule 'c' is unknown: choose from a, b"),
    ],
)
def test_values_out_of_bounds_are_refused(spec: ParameterSpec, value: Any, sentence: str) -> None:
    spec.check(spec.default)
    with pytest.raises(UserError) as caught:
        spec.check(value)
    assert str(caught.value) == sentence


# --- the ledger


@given(answers=st.lists(st.integers(0, 4), max_size=12), rule=st.sampled_from(["learned", "hold", "random"]))
def test_the_ledger_adds_up(answers: list[int], rule: Any) -> None:
    """Four robots asked per tick, some answer: none lets it hold, fewer than four is partial."""
    one, ledger = dispatcher("memoryless", 4, rule=rule), Ledger()
    for count in answers:
        names = one.sample()
        gather = Gather(names, 0.0, 1.0, 2.0, one.more)
        for name in names[:count]:
            gather.receive(name, 0, 0.0)
        one.observe(gather.zones)
        one.decide()
        assert one.last is not None
        report = tick_report(gather, one.last, one, ("a", "b", "c"), 0.0, 0.0, ledger, 0)
        assert sum(report.ledger.values()) == report.tick + 1
        assert report.held == (rule == "hold" or (rule == "learned" and count == 0))
    held = len(answers) if rule == "hold" else answers.count(0) if rule == "learned" else 0
    complete = 0 if rule == "hold" else answers.count(4)
    assert asdict(ledger) == {
        "complete": complete,
        "partial": len(answers) - held - complete,
        "held": held,
        "skipped": 0,
    }
    assert Ledger.restored(asdict(ledger)) == ledger


@pytest.mark.parametrize("state", [{"complete": -1}, {"complete": 1.5}, {"held": True}, {"lost": 1}])
def test_a_damaged_ledger_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Ledger.restored(state)
