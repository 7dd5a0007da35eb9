"""Beliefs against closed forms and exact Bayes. Statistical tests have fixed seeds."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from meanfleet.base.errors import UserError
from meanfleet.dispatcher_node.observers import (
    HISTORY,
    DirichletObserver,
    MemorylessObserver,
    Observer,
    ParticleObserver,
    Sample,
    belief_of,
    fitted_to_another,
    fleet_step,
    make_observer,
)
from meanfleet.dispatcher_node.observers.packing import pack, unpack
from meanfleet.solver import Game
from meanfleet.solver.bundle.filtering import HEAD, FilterModel, FilterSetting
from meanfleet.solver.bundle.policy import PolicyBundle, Table
from naive import filtering as naive
from naive.forgetting import Forgetting
from naive.surrogate import histograms, random_arrays, random_policy

ZONES = 3
ARRAYS = random_arrays(31, ZONES, ZONES, ZONES, 3)
POLICY = random_policy(32, ZONES, ZONES, 3)
STEP = fleet_step(Game(**ARRAYS), POLICY)
PRIOR = np.array([0.3, 0.5, 0.9])
MODEL = FilterModel(
    4,
    np.random.default_rng(5).normal(size=(ZONES, len(histograms(4, ZONES)), ZONES)),
    PRIOR,
    {1: FilterSetting(0.9, "posterior", {})},
)
few = settings(deadline=None, derandomize=True, max_examples=40)
samples = st.lists(st.integers(0, 4), min_size=ZONES, max_size=ZONES)
moves = st.integers(0, ZONES - 1)


def dirichlet(rho: float = 0.9, **changes: Any) -> DirichletObserver:
    return DirichletObserver(STEP, PRIOR, rho, **changes)


def particles(n: int, count: int = 400, rho: float = 1.0, seed: int = 0) -> ParticleObserver:
    return ParticleObserver(STEP, PRIOR, n, rho, count, seed)


def test_the_fleets_step_is_the_loops() -> None:
    for s in range(ZONES):
        assert STEP[s] == pytest.approx(naive.fleet_step(ARRAYS["P_l"], POLICY, s))


# --- Dirichlet


@few
@given(st.lists(samples, max_size=6))
def test_robots_that_never_move_give_exactly_the_dirichlet_posterior(told: list[list[int]]) -> None:
    """ρ = 1 and P̃ the identity: α is the prior plus all counts."""
    observer = DirichletObserver(np.eye(ZONES)[None], PRIOR, 1.0)
    for counts in told:
        observer.update([Sample.of(counts)])
        observer.predict(0)
    assert observer.alpha == pytest.approx(PRIOR + np.sum([[0] * ZONES, *told], axis=0))


@few
@given(st.lists(st.tuples(samples, moves), max_size=8), st.floats(0.3, 1))
def test_predictions_are_the_loops_and_keep_the_mass_but_for_rho(
    ticks: list[tuple[list[int], int]], rho: float
) -> None:
    observer, alpha = dirichlet(rho), PRIOR.tolist()
    for counts, s in ticks:
        observer.update([Sample.of(counts)])
        alpha = [a + c for a, c in zip(alpha, counts, strict=True)]
        before = observer.alpha.sum()
        observer.predict(s)
        alpha = naive.carried(alpha, STEP[s], rho)
        assert observer.alpha.sum() == pytest.approx(rho * before)
    assert observer.alpha == pytest.approx(alpha)


@few
@given(st.lists(st.tuples(samples, moves), min_size=1, max_size=HISTORY), samples, st.data())
def test_a_late_sample_leaves_the_belief_it_would_have_left_in_time(
    ticks: list[tuple[list[int], int]], late: list[int], data: st.DataObject
) -> None:
    """Told at any tick before, arriving now: the same α as if it had been added then."""
    then = data.draw(st.integers(0, len(ticks) - 1))
    in_time, delayed = dirichlet(), dirichlet()
    for tick, (counts, s) in enumerate(ticks):
        own = Sample.of(counts)
        in_time.update([own, Sample.of(late)] if tick == then else [own])
        delayed.update([own])
        in_time.predict(s)
        delayed.predict(s)
    delayed.update([Sample.of(late, age=len(ticks) - then)])
    assert delayed.alpha == pytest.approx(in_time.alpha)


def test_a_belief_that_hears_nothing_follows_the_model_and_nothing_else() -> None:
    """20,000 silent ticks: mass fades, the mean is the model's own, no prior creeps in, decisions stay finite."""
    observer = dirichlet()
    observer.update([Sample.of([9, 0, 0])])
    mean = observer.alpha / observer.alpha.sum()
    for tick in range(20_000):
        observer.update([])
        assert observer.surprise == 0
        observer.predict(tick % ZONES)
        mean = mean @ STEP[tick % ZONES]
        if tick in (0, 5, 500, 19_999):
            assert observer.alpha / observer.alpha.sum() == pytest.approx(mean, abs=1e-9)
    assert np.isfinite(observer.values(MODEL, 0, "posterior")).all()


def test_zones_that_the_model_never_reaches_do_not_break_decisions() -> None:
    observer = DirichletObserver(np.array([[[1.0, 0, 0]] * 3]), PRIOR, 0.5)
    for _ in range(3):
        observer.update([Sample.of([1, 0, 0])])
        observer.predict(0)
    observer.update([Sample.of([0, 1, 0])])
    assert np.isfinite(observer.surprise)
    assert observer.surprise > 1
    assert np.isfinite(observer.values(MODEL, 0, "posterior")).all()


def test_a_wrong_model_makes_an_adaptive_belief_forget_faster_and_a_given_rho_stays() -> None:
    """Robots that are believed to stand still, and all move on together after 20 ticks."""
    still = np.eye(ZONES)[None]
    adaptive, steady = (DirichletObserver(still, PRIOR, 0.95, adaptive) for adaptive in (True, False))
    for observer, tick in itertools.product((adaptive, steady), range(25)):
        observer.update([Sample.of([6, 0, 0] if tick // 20 % 2 else [0, 0, 6])])
        observer.predict(0)
    assert adaptive.rho < 0.7
    assert steady.rho == 0.95


@few
@given(st.lists(st.tuples(samples, samples, moves), min_size=3, max_size=14), st.floats(0.3, 1))
def test_what_judges_an_adaptive_belief_is_the_loops_with_late_samples_too(
    ticks: list[tuple[list[int], list[int], int]], rho: float
) -> None:
    """Every tick brings a sample of its own and one that is two ticks old; only the first judges."""
    observer, slow, past = dirichlet(rho, adaptive=True), Forgetting(PRIOR.tolist(), rho), []
    for counts, late, s in ticks:
        both = [Sample.of(counts)] + ([Sample.of(late, age=2)] if len(past) >= 2 else [])
        observer.update(both)
        assert observer.rho == pytest.approx(slow.rho(counts))
        if len(both) == 2:
            slow.add(late, [STEP[before].tolist() for before in past[-2:]])
        observer.predict(s)
        slow.move(STEP[s].tolist())
        past.append(s)
    told = observer.state()["rivals"]
    assert [one["rho"] for one in told] == slow.rhos
    assert np.array([one["alpha"] for one in told]) == pytest.approx(np.array(slow.beliefs))
    assert [one["score"] for one in told] == pytest.approx(slow.scores)


def test_a_checkpoint_of_before_rivals_were_kept_still_loads() -> None:
    """Its belief goes on; what judges it begins anew from there."""
    one = dirichlet(0.9, adaptive=True)
    for s in (0, 1, 2):
        one.update([Sample.of([1, 2, 0])])
        one.predict(s)
    old = one.state() | {"level": 0.4}
    del old["rivals"]
    again = dirichlet(0.9, adaptive=True).restored(json.loads(json.dumps(old)))
    assert again.alpha.tolist() == one.alpha.tolist()
    assert again.rho == one.rho
    assert all(rival["alpha"] == one.alpha.tolist() for rival in again.state()["rivals"])
    again.update([Sample.of([1, 0, 0], age=2)])
    assert again.rho == pytest.approx(0.9, abs=0.02), "the head start alone"


@pytest.mark.parametrize(("before", "after"), [(0.9, 0.95), (0.95, 0.7), (0.7, 0.9)])
def test_what_was_learned_of_rivals_outlives_another_rho_to_start_from(before: float, after: float) -> None:
    """Beliefs of the same ρ are taken over; scores are relative, so only where all of them are known."""
    one = dirichlet(before, adaptive=True)
    for s in (0, 1, 2, 0):
        one.update([Sample.of([2, 1, 0])])
        one.predict(s)
    new = dirichlet(after, adaptive=True).restored(one.state())
    known = {rival["rho"]: rival for rival in one.state()["rivals"]}
    scores = {rival["rho"]: rival["score"] for rival in new.state()["rivals"]}
    for rival in new.state()["rivals"]:
        told = known.get(rival["rho"])
        assert rival["alpha"] == (one.alpha.tolist() if told is None else told["alpha"])
    same = known.keys() >= scores.keys()
    assert same == (after != 0.7)
    assert scores == {rho: known[rho]["score"] for rho in scores} if same else set(scores.values()) == {0.0, -HEAD}


# --- particles against exact Bayes

TICKS = [((1, 1, 0), 0), ((0, 2, 0), 2), ((0, 1, 1), 1), ((2, 0, 0), 0)]


def exact(n: int, rho: float = 1.0) -> naive.Law:
    anew = naive.dirichlet_multinomial(tuple(PRIOR), n)
    law, move = anew, [naive.Moves(STEP[s]) for s in range(ZONES)]
    for tick, (counts, s) in enumerate(TICKS):
        law = naive.updated(law, counts)
        if tick < len(TICKS) - 1:
            law = move[s].predicted(law, rho, anew)
    return law


def run(observer: Observer) -> Any:
    for tick, (counts, s) in enumerate(TICKS):
        observer.update([Sample.of(counts)])
        if tick < len(TICKS) - 1:
            observer.predict(s)
    return observer


@pytest.mark.parametrize(("n", "rho"), [(3, 1.0), (6, 1.0), (6, 0.8)])
def test_particles_converge_to_exact_bayes_like_one_over_the_root(n: int, rho: float) -> None:
    """Root mean square error of the means over 60 seeds: times √particles it stays about the same."""
    truth = naive.mean_shares(exact(n, rho))
    scaled = []
    for count in (50, 200, 800):
        errors = [run(particles(n, count, rho, seed)).mean - truth for seed in range(60)]
        scaled.append(math.sqrt(count * np.mean(np.square(errors))))
        assert np.abs(np.mean(errors, axis=0)).max() < 5 * scaled[-1] / math.sqrt(60 * count)
    assert max(scaled) < 1
    assert max(scaled) < 1.6 * min(scaled)


def test_particles_law_of_a_zones_count_is_exact_bayes() -> None:
    """20,000 particles: every probability within 0.02 of the enumerated one."""
    observer, law = run(particles(6, 20_000)), exact(6)
    for zone in range(ZONES):
        found = np.bincount(observer.fleets[:, zone], observer.weights, 7)
        wanted = naive.marginal(law, zone)
        assert found == pytest.approx([wanted.get(count, 0.0) for count in range(7)], abs=0.02)


def test_a_late_sample_weighs_particles_by_where_they_were() -> None:
    """Told before the move, arriving after it: exact Bayes of both samples."""
    n, early, late = 4, (1, 0, 0), (0, 0, 2)
    law = naive.updated(naive.updated(naive.dirichlet_multinomial(tuple(PRIOR), n), early), late)
    law = naive.Moves(STEP[1]).predicted(law)
    observer = particles(n, 20_000)
    observer.update([Sample.of(early)])
    observer.predict(1)
    observer.update([Sample.of(late, age=1)])
    assert observer.mean == pytest.approx(naive.mean_shares(law), abs=0.02)


def test_intervals_cover_as_often_as_exact_bayes_says() -> None:
    """Fleets drawn from the model, 30 robots, 3 polled: how often the true count of a zone lies within the 5–95 %
    interval. Counts are whole, so at least 90 %; the mass of the interval itself says how much more. 600 fleets."""
    rng, n = np.random.default_rng(8), 30
    inside, promised = [], []
    for seed in range(600):
        fleet, observer = rng.multinomial(n, rng.dirichlet(PRIOR)), particles(n, 200, seed=seed)
        for s in (0, 2, 1):
            observer.update([Sample.of(rng.multivariate_hypergeometric(fleet, 3))])
            low, high = observer.quantiles([0.05, 0.95])[:, 0]
            observer_law = np.bincount(observer.fleets[:, 0], observer.weights, n + 1)
            true = fleet[0]
            observer.predict(s)
            fleet = sum((rng.multinomial(count, STEP[s][z]) for z, count in enumerate(fleet)), np.zeros(ZONES, int))
        inside.append(low <= true <= high)
        promised.append(observer_law[low : high + 1].sum())
    assert np.mean(promised) >= 0.9
    error = math.sqrt(np.mean(promised) * (1 - np.mean(promised)) / len(inside))
    assert np.mean(inside) == pytest.approx(np.mean(promised), abs=4 * error)


def test_rejuvenated_particles_differ_and_nothing_is_lost() -> None:
    observer = particles(40, 300, seed=3)
    observer.update([Sample.of([10, 0, 0])])
    observer.predict(0)
    before = len(np.unique(observer.fleets, axis=0))
    observer.update([Sample.of([0, 10, 0])])
    assert observer.effective_particles == pytest.approx(300), "it was resampled"
    assert len(np.unique(observer.fleets, axis=0)) > before / 10
    assert (observer.fleets.sum(axis=1) == 40).all()
    assert (observer.fleets[:, 1] >= 10).all()


def test_samples_that_no_particle_explains_start_the_belief_anew() -> None:
    """Robots that cannot move, told in zone 0 and then all in zone 2: prior given the last sample, conjugate."""
    observer = ParticleObserver(np.eye(ZONES)[None], PRIOR, 12, 1.0, 4000, 1)
    observer.update([Sample.of([12, 0, 0])])
    observer.predict(0)
    observer.update([Sample.of([0, 0, 6])])
    alpha = np.add(PRIOR, [0, 0, 6])
    assert observer.mean == pytest.approx(([0, 0, 6] + 6 * alpha / alpha.sum()) / 12, abs=0.01)
    assert observer.reach == 0


def test_the_moments_as_a_dirichlet_law_are_those_of_the_particles() -> None:
    """A Dirichlet cloud of many robots gives its own α back."""
    alpha = np.array([4.0, 2.0, 6.0])
    observer = ParticleObserver(STEP, alpha, 100_000, 1.0, 20_000, 2)
    assert observer.alpha == pytest.approx(alpha, rel=0.05)


def test_the_posterior_mean_over_particles_is_the_plain_sum() -> None:
    """n = κ: every particle is a histogram of Q itself."""
    observer = run(particles(4, 50))
    order = {h: i for i, h in enumerate(histograms(4, ZONES))}
    for s in range(ZONES):
        by_hand = sum(
            weight * MODEL.q[s, order[tuple(fleet)]]
            for weight, fleet in zip(observer.weights, observer.fleets.tolist(), strict=True)
        )
        assert observer.values(MODEL, s, "posterior") == pytest.approx(by_hand)
        assert observer.values(MODEL, s, "interpolated") == pytest.approx(
            MODEL.values(s, observer.mean, "interpolated")
        )


def test_weights_of_a_design_count_as_shares() -> None:
    """A robot that counts 2 weighs particles by the square of its zone's share."""
    observer = particles(5, 100)
    shares, weights = observer.fleets / 5, observer.weights
    observer.update([Sample(np.array([0, 1, 0]), np.array([0.0, 2.0, 0.0]))])
    wanted = (weights * shares[:, 1] ** 2) @ shares / (weights @ shares[:, 1] ** 2)
    if observer.effective_particles < 100:  # not resampled: no noise
        assert observer.mean == pytest.approx(wanted)
    else:
        assert observer.mean == pytest.approx(wanted, abs=0.15)


# --- all of them

MAKERS = {
    "memoryless": lambda: MemorylessObserver(ZONES),
    "dirichlet": lambda: dirichlet(0.9, adaptive=True),
    "particle": lambda: particles(9, 60, 0.95, 4),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_restored_belief_goes_on_as_if_never_stopped(name: str) -> None:
    """Through JSON; same samples afterwards, late ones included."""
    one = MAKERS[name]()
    rng = np.random.default_rng(1)
    for s in (0, 1, 2, 1):
        one.update([Sample.of(rng.multinomial(3, [0.2, 0.3, 0.5]))])
        one.predict(s)
    other = MAKERS[name]().restored(json.loads(json.dumps(one.state())))
    for s in (2, 0, 1, 2, 0):
        for observer in (one, other):
            late = [Sample.of([0, 1, 0], age=2)] if observer.reach >= 2 else []
            observer.update([Sample.of([1, 0, 2]), *late])
        assert belief_of(one) == belief_of(other)
        assert one.values(MODEL, s, "posterior").tolist() == other.values(MODEL, s, "posterior").tolist()
        one.predict(s)
        other.predict(s)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("dirichlet", {"alpha": [1, 2]}),
        ("dirichlet", {"alpha": [-1, 2, 3]}),
        ("dirichlet", {"alpha": [0, 0, 0]}),
        ("dirichlet", {"rho": 2}),
        ("dirichlet", {"past": [[7, 0.9]]}),
        ("dirichlet", {"rivals": [{"rho": 0.9, "alpha": [1, 1, 1], "score": math.nan}]}),
        ("dirichlet", {"rivals": [{"rho": 0.9, "alpha": [0, 0, 0], "score": 0}]}),
        ("dirichlet", {"rivals": [{"rho": 0.9, "alpha": [1, 1], "score": 0}]}),
        ("dirichlet", {"rivals": [{"rho": 0.9}]}),
        ("particle", {"fleets": [[9, 0, 0]] * 60}),  # as it was written before arrays were packed
        ("particle", {"fleets": pack(np.full((1, 2, 60), 5))}),
        ("particle", {"fleets": pack(np.full((1, 2, 60), -1))}),
        ("particle", {"fleets": pack(np.full((1, 2, 59), 1))}),
        ("particle", {"weights": pack(np.ones(60))}),
        ("particle", {"weights": pack(np.full(60, np.nan))}),
        ("particle", {"priorities": [0]}),
        ("particle", {"stream": {}}),
    ],
)
def test_a_state_that_is_none_is_refused(name: str, change: dict[str, Any]) -> None:
    observer = MAKERS[name]()
    with pytest.raises((ValueError, KeyError, TypeError)):
        observer.restored(observer.state() | change)


arrays = st.one_of(
    hnp.arrays(np.float64, hnp.array_shapes(max_dims=3), elements=st.floats(width=64)),
    *(
        hnp.arrays(np.int64, hnp.array_shapes(max_dims=3), elements=st.integers(low, high))
        for low, high in ((0, 255), (0, 65535), (0, 2**32 - 1), (-(2**63), 2**63 - 1))
    ),
)


@few
@given(arrays)
def test_packed_arrays_come_back_bit_by_bit(array: np.ndarray) -> None:
    again = unpack(json.loads(json.dumps(pack(array))), array.shape)
    assert again.dtype == array.dtype
    assert again.tobytes() == np.ascontiguousarray(array).tobytes()


@few
@given(arrays, st.data())
def test_damaged_arrays_are_refused_or_whole(array: np.ndarray, data: st.DataObject) -> None:
    """A character changed, or the end missing: never other numbers of the right shape."""
    packed = pack(array)
    text = packed["data"]
    at = data.draw(st.integers(0, len(text) - 1))
    changed = data.draw(st.sampled_from([text[:at], text[:at] + data.draw(st.sampled_from("Aa0/=!")) + text[at + 1 :]]))
    try:
        again = unpack(packed | {"data": changed}, array.shape)
    except ValueError:
        return
    assert again.tobytes() == np.ascontiguousarray(array).tobytes()


def test_arrays_of_another_version_kind_or_shape_are_refused() -> None:
    packed = pack(np.arange(6))
    for change, words in (
        ({"version": 2}, "version 1"),
        ({"kind": "O"}, "shape"),
        ({"shape": [10**9]}, "expected"),
        ({"data": pack(np.arange(600))["data"]}, "damaged"),
    ):
        with pytest.raises(ValueError, match=words):
            unpack(packed | change, (6,))


def test_a_thousand_particles_take_a_fifth_of_their_text() -> None:
    """Against the plain numbers as JSON, with a full history."""
    observer = particles(1000, 1000)
    for tick in range(HISTORY + 1):
        observer.update([Sample.of([2, 1, 2])])
        observer.predict(tick % ZONES)
    plain = [observer.fleets.tolist(), [fleets.tolist() for fleets in observer._past], observer.weights.tolist()]
    assert observer.reach == HISTORY
    assert len(json.dumps(observer.state())) < 0.25 * len(json.dumps(plain))


@few
@given(st.sampled_from(sorted(MAKERS)), st.lists(st.tuples(samples, moves), max_size=5))
def test_what_a_belief_says_of_itself_is_consistent(name: str, ticks: list[tuple[list[int], int]]) -> None:
    observer = MAKERS[name]()
    for counts, s in ticks:
        observer.update([Sample.of(np.minimum(counts, 2))])
        belief = belief_of(observer)
        assert sum(belief.mean) == pytest.approx(1)
        assert belief.entropy == pytest.approx(-sum(m * math.log(m) for m in belief.mean if m > 0), abs=1e-12)
        assert belief.effective == pytest.approx(sum(belief.alpha))
        json.dumps(belief.alpha, allow_nan=False)
        observer.predict(s)


def test_without_memory_nothing_is_known_between_ticks() -> None:
    observer = MemorylessObserver(ZONES)
    observer.update([Sample.of([0, 3, 1])])
    assert belief_of(observer).mean == (0, 0.75, 0.25)
    observer.predict(0)
    nothing = belief_of(observer)
    assert nothing.mean == pytest.approx([1 / 3] * 3)
    assert (nothing.effective, nothing.entropy) == (0, pytest.approx(math.log(3)))


def test_making_one_takes_what_the_bundle_was_solved_for() -> None:
    table = Table(1, np.zeros((ZONES, ZONES), dtype=np.int64), {})
    rules = {1: FilterSetting(0.9, "nearest", {}), 5: FilterSetting(0.8, "nearest", {}, adaptive=False)}
    bundle = PolicyBundle(Game(**ARRAYS), POLICY, (table,), {}, FilterModel(4, MODEL.q, PRIOR, rules))
    assert [make_observer("dirichlet", bundle, 9, k).rho for k in (1, 4, 5, 9)] == [0.9, 0.9, 0.8, 0.8]
    assert make_observer("dirichlet", bundle, 9, 1, rho=0.7).rho == 0.7
    assert make_observer("particle", bundle, 9, 1).rho == 1
    for arguments, words in (
        (("kalman", bundle, 9, 1), "observer 'kalman' is unknown"),
        (("dirichlet", bundle, 9, 1, 1.5), "rho = 1.5"),
        (("particle", PolicyBundle(bundle.game, POLICY, (table,), {}), 9, 1), "needs a policy with a filter"),
    ):
        with pytest.raises(UserError, match=words):
            make_observer(*arguments)


def test_a_bundle_says_whom_its_robots_were_chosen_for() -> None:
    """Particles remember as well; of a bundle that does not tell nothing is said."""
    game = Game(**ARRAYS)
    tables = (Table(1, np.zeros((ZONES, ZONES), dtype=int), {}),)

    def said(name: str, how: dict[str, Any]) -> str:
        return fitted_to_another(name, PolicyBundle(game, POLICY, tables, how, MODEL))

    for chosen in ("memoryless", None):
        how = {"settings": {"observer": chosen}}
        assert said("memoryless", how) == ""
        for name in ("dirichlet", "particle"):
            assert f"chosen for observer memoryless, and this dispatcher runs {name}" in said(name, how)
            assert "--observer dirichlet" in said(name, how)
    how = {"settings": {"observer": "dirichlet"}}
    assert [said(name, how) for name in ("dirichlet", "particle")] == ["", ""]
    assert "--observer memoryless" in said("memoryless", how)
    assert [said("dirichlet", how) for how in ({}, {"settings": {}}, {"settings": 3})] == [""] * 3
