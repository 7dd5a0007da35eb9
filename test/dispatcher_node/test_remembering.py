"""The dispatcher with a belief: what it decides on, what silence does to it, and that its words replay it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.dispatcher_node.dispatcher import Dispatcher
from meanfleet.dispatcher_node.observers import HISTORY, fleet_step
from meanfleet.dispatcher_node.sampling import DESIGNS, Weighted
from meanfleet.dispatcher_node.steering import Steering
from meanfleet.running.comparing import compare_memory
from meanfleet.running.simulation import simulate
from meanfleet.solver import Game
from meanfleet.solver.bundle.filtering import FilterModel, FilterSetting
from meanfleet.solver.bundle.policy import PolicyBundle, Table
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.surrogate import KRobotSystem
from naive import filtering as naive
from naive.forgetting import Forgetting
from naive.surrogate import histograms, random_arrays, random_policy

ZONES, N, KAPPA = 3, 12, 5
ROBOTS = tuple(f"r{i:02d}" for i in range(N))
ARRAYS = random_arrays(41, ZONES, ZONES, ZONES, 3, 0.9)
POLICY = random_policy(42, ZONES, ZONES, 3)
GAME = Game(**ARRAYS)
MODEL = FilterModel(
    KAPPA,
    learn_exact(KRobotSystem(GAME, KAPPA).under(POLICY)).q,
    np.full(ZONES, 0.3),
    {1: FilterSetting(0.9, "posterior", {}), 4: FilterSetting(0.8, "interpolated", {}, adaptive=False)},
)
TABLES = tuple(
    Table(k, np.random.default_rng(k).integers(ZONES, size=(ZONES, len(histograms(k, ZONES)))), {}) for k in (1, 4)
)
BUNDLE = PolicyBundle(GAME, POLICY, TABLES, {}, MODEL)
MINDFUL = ("dirichlet", "particle")


def dispatcher(observer: str = "dirichlet", k: int = 3, **changes: Any) -> Dispatcher:
    return Dispatcher(BUNDLE, ROBOTS, k, observer, **{"seed": 3, "particles": 200} | changes)


def zone_of(name: str, tick: int) -> int:
    return (ROBOTS.index(name) + tick // 3) % ZONES


def run(one: Dispatcher, ticks: int) -> list[Any]:
    seen = []
    for _ in range(ticks):
        names = one.sample()
        one.observe({name: zone_of(name, one.tick) for name in names})
        one.decide()
        seen.append(one.last)
    return seen


def test_decisions_and_beliefs_follow_from_what_a_tick_says() -> None:
    """From the prior, by loops: add the answers, decide, ρ α P̃. Every ρ is the one that samples ask for."""
    alpha, slow = [0.3] * ZONES, Forgetting([0.3] * ZONES, 0.9)
    for decision in run(dispatcher(), 40):
        counts = np.bincount([answer.zone for answer in decision.heard.values()], minlength=ZONES)
        rho = slow.rho(counts.tolist())
        alpha = np.add(alpha, counts).tolist()
        assert decision.histogram == tuple(counts)
        assert decision.belief.alpha == pytest.approx(alpha)
        assert decision.belief.rho == pytest.approx(rho)
        assert decision.dispatch == MODEL.dispatch(decision.priority, decision.belief.alpha, "posterior")
        assert (decision.table_k, decision.kappa) == (None, KAPPA)
        step = naive.fleet_step(ARRAYS["P_l"], POLICY, decision.priority)
        alpha = naive.carried(alpha, step, rho)
        slow.move(step.tolist())


def test_the_setting_is_that_of_k_and_a_given_rho_counts_instead() -> None:
    for decision in run(dispatcher(k=5), 10):
        assert decision.belief.rho == 0.8
        assert decision.dispatch == MODEL.dispatch(decision.priority, decision.belief.alpha, "interpolated")
    assert {decision.belief.rho for decision in run(dispatcher(k=1, rho=0.5), 10)} == {0.5}


def test_any_k_will_do_with_a_belief() -> None:
    assert 7 not in BUNDLE.ks
    assert len(run(dispatcher(k=7), 3)) == 3
    with pytest.raises(UserError, match="no table for k = 7"):
        dispatcher("memoryless", k=7)
    with pytest.raises(UserError, match="needs a policy with a filter"):
        Dispatcher(PolicyBundle(GAME, POLICY, TABLES, {}), ROBOTS, 1, "dirichlet")


@pytest.mark.parametrize("observer", ["memoryless", *MINDFUL])
@pytest.mark.parametrize("sampling", ["uniform", "oldest", "stratified"])
def test_a_restored_dispatcher_goes_on_as_if_never_stopped(observer: str, sampling: str) -> None:
    k = 4 if observer == "memoryless" else 3
    one, other = (dispatcher(observer, k, sampling=sampling, seed=seed) for seed in (5, 6))
    run(one, 7)
    other.restore(json.loads(json.dumps(one.state())))
    assert run(one, 15) == run(other, 15)


def test_a_damaged_state_is_refused_and_changes_nothing() -> None:
    one = dispatcher()
    before = json.dumps(one.state())
    for state in (one.state() | {"observer": "kalman"}, one.state() | {"belief": {}}, one.state() | {"polling": {}}):
        with pytest.raises(ValueError, match="no dispatcher state"):
            one.restore(state)
    assert json.dumps(one.state()) == before


@pytest.mark.parametrize("observer", MINDFUL)
def test_same_seed_same_run(observer: str) -> None:
    first, same, other = (run(dispatcher(observer, seed=seed), 20) for seed in (7, 7, 8))
    assert first == same
    assert first != other


# --- silence


def test_silent_robots_leave_the_belief_of_the_others() -> None:
    """Robots 0–3 never answer: the belief is what the answers of the rest alone make it."""
    one, alpha, answered = dispatcher(rho=0.9), np.full(ZONES, 0.3), 0
    step = fleet_step(GAME, POLICY)
    for _ in range(60):
        names = [name for name in one.sample() if ROBOTS.index(name) > 3]
        one.observe({name: zone_of(name, one.tick) for name in names})
        priority = one.priority
        one.decide()
        answered += len(names)
        alpha = alpha + np.bincount([zone_of(name, one.tick - 1) for name in names], minlength=ZONES)
        assert one.last is not None
        assert one.last.belief.alpha == pytest.approx(alpha)
        alpha = 0.9 * alpha @ step[priority]
    assert 0 < answered < 180


@pytest.mark.parametrize("observer", MINDFUL)
def test_a_fleet_that_falls_silent_is_believed_to_follow_the_model(observer: str) -> None:
    """No answers at all: the mean moves by P̃ and by nothing else, and the dispatcher holds until somebody answers."""
    one, step = dispatcher(observer, particles=20_000), fleet_step(GAME, POLICY)
    run(one, 4)
    mean = None
    for _ in range(12):
        one.sample()
        priority = one.priority
        one.decide()
        assert one.last is not None
        if mean is not None:
            assert one.last.belief.mean == pytest.approx(mean, abs=1e-9 if observer == "dirichlet" else 0.01)
        mean = np.array(one.last.belief.mean) @ step[priority]
        assert one.last.kappa is None
        assert one.last.dispatch == one.last.next_priority == priority
    run(one, 1)
    assert one.last is not None
    assert one.last.kappa == KAPPA


# --- late answers


def test_a_late_answer_counts_with_its_age_once() -> None:
    one, step = dispatcher(k=N, rho=0.9), fleet_step(GAME, POLICY)
    priorities = [decision.priority for decision in run(one, 2)]
    before = 0.9 * np.array(one.last.belief.alpha) @ step[priorities[1]]
    fresh = Dispatcher(BUNDLE, ROBOTS, N, "dirichlet", seed=3, rho=0.9)
    for _ in range(2):
        fresh.sample()
        fresh.decide()
    priorities = [fresh.last.priority]
    alpha = 0.9 * np.array(fresh.last.belief.alpha) @ step[priorities[0]]
    for repeat in range(2):
        fresh.sample()
        fresh.observe({ROBOTS[0]: 2, ROBOTS[1]: 0}, {ROBOTS[0]: 1 + repeat, ROBOTS[1]: HISTORY})
        priority = fresh.priority
        fresh.decide()
        alpha = alpha + (0 if repeat else 0.9 * np.eye(ZONES)[2] @ step[priorities[0]])
        assert fresh.last.belief.alpha == pytest.approx(alpha), "the second time it is the same sample, older"
        alpha = 0.9 * alpha @ step[priority]
    one.sample()
    one.observe({ROBOTS[0]: 1}, {ROBOTS[0]: 1})
    one.decide()
    assert one.last.belief.alpha == pytest.approx(before), "that robot has told of that tick already"


def test_without_memory_ages_are_ignored_as_ever() -> None:
    one, other = dispatcher("memoryless", 4), dispatcher("memoryless", 4)
    for _ in range(10):
        zones = {name: zone_of(name, one.tick) for name in one.sample()}
        other.sample()
        one.observe(zones, dict.fromkeys(zones, 1))
        other.observe(zones)
        assert one.decide() == other.decide()


# --- designs and budgets


@pytest.mark.parametrize("observer", ["memoryless", *MINDFUL])
def test_a_tick_says_what_every_answer_counted(observer: str) -> None:
    """Robots in zone 0 are polled five times as often, so each counts a fifth."""
    chances = [5.0 if i % ZONES == 0 else 1.0 for i in range(N)]
    one = dispatcher(observer, 4, sampling=Weighted(chances), rho=1.0 if observer == "dirichlet" else None)
    for _ in range(20):
        names = one.sample()
        one.observe({name: ROBOTS.index(name) % ZONES for name in names})
        one.decide()
        assert one.last is not None
        for answer in one.last.heard.values():
            assert answer.weight == pytest.approx(1 / (1 / 5 + 2) * 3 * (1 / 5 if answer.zone == 0 else 1))
        if observer == "memoryless":
            assert (sum(one.last.histogram), one.last.table_k) == (4, 4)


@pytest.mark.parametrize("observer", ["memoryless", *MINDFUL])
def test_a_budget_polls_what_it_can_and_the_belief_takes_what_came(observer: str) -> None:
    one = dispatcher(observer, polls_per_tick=1.5)
    asked = []
    for decision in run(one, 20):
        asked.append(len(decision.heard))
        assert decision.dispatch in range(ZONES)
        if observer == "memoryless":
            assert decision.table_k == 1
    assert asked == [1, 2] * 10
    with pytest.raises(UserError, match="fill no table"):
        Dispatcher(PolicyBundle(GAME, POLICY, TABLES[1:], {}), ROBOTS, 4, polls_per_tick=1.5)


CONFIG = Config(
    zones=("a", "b", "c"),
    fleet={"names": ROBOTS},  # type: ignore[arg-type]
    dispatcher={"k": 4, "position": (5.0, 0.0), "probabilities": {"r00": 3.0}},  # type: ignore[arg-type]
    world={"backend": "model"},  # type: ignore[arg-type]
    types={"lift": {"share": 1}},  # type: ignore[dict-item]
    interactions={"b": {"lift": 2.0}},
)


@pytest.mark.parametrize("sampling", DESIGNS)
@pytest.mark.parametrize("observer", ["memoryless", *MINDFUL])
def test_every_observer_runs_with_every_design(observer: str, sampling: str) -> None:
    runs = [simulate(CONFIG, BUNDLE, observer=observer, sampling=sampling, ticks=12, seed=2) for _ in range(2)]
    assert np.array_equal(runs[0].dispatch, runs[1].dispatch)
    assert runs[0].samples.tolist() == [4] * 12


def test_steering_takes_the_place_of_the_configurations_only_where_it_is_given() -> None:
    settings = CONFIG.dispatcher.model_copy(
        update={"observer": "dirichlet", "rho": 0.7, "polls_per_minute": 90.0, "sampling": "oldest"}
    )
    config = CONFIG.model_copy(update={"dispatcher": settings})
    plain = Steering().dispatcher(config, BUNDLE, 0)
    assert (plain.observer, plain.belief.rho, plain.polling.design.name) == ("dirichlet", 0.7, "oldest")
    assert plain.polling.budget is not None
    assert plain.polling.budget.per_tick == 1.5
    given = Steering(2, "particle", "uniform", 0.9).dispatcher(config, BUNDLE, 0)
    assert (given.observer, given.belief.rho, given.polling.design.name) == ("particle", 0.9, "uniform")
    assert given.polling.budget is None
    assert len(given.sample()) == 2
    with pytest.raises(UserError, match="sampling 'quota' is unknown"):
        Steering(sampling="quota").check(config, BUNDLE)


def test_memory_is_compared_on_the_same_seeds() -> None:
    done: list[int] = []
    found = compare_memory(
        CONFIG, BUNDLE, k=4, few=1, ticks=9, seeds=(3, 8), backend="model", workers=1, on_run=done.append
    )
    for name, k, observer in (("filtering", 1, "dirichlet"), ("memoryless", 4, "memoryless")):
        alone = [simulate(CONFIG, BUNDLE, k=k, observer=observer, ticks=9, seed=s).reward.mean() for s in (3, 8)]
        assert found.rewards[name].tolist() == alone
    lead = found.summary()["lead"]["memoryless"]["mean"]
    assert lead == pytest.approx((found.rewards["filtering"] - found.rewards["memoryless"]).mean())
    assert done == [1, 2, 3, 4]
