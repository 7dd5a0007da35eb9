"""Floors and ceilings of random games against slow code: neither is ever crossed by the exact optimum."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest

from meanfleet.base.errors import UserError
from meanfleet.solver import Game
from meanfleet.solver.meanfield import Alphas, Effort, FactoredGame, Greedy, MeanField, Solver, Stage, ceiling, floor_of
from meanfleet.solver.meanfield.backups import Lookahead
from meanfleet.solver.meanfield.belief import predicted, start_belief, updated
from meanfleet.solver.meanfield.ceilings import SmallFleet
from meanfleet.solver.meanfield.improve import pruned
from meanfleet.solver.meanfield.model import ORDERS, Order
from meanfleet.solver.meanfield.plans import blind_tables, table_values
from naive import meanfield as slow
from naive.surrogate import histograms, random_arrays, random_policy

LIGHT = Effort(points=60, fewest=10, doublings=0, ticks=6, sweeps=2, draws=60)


def made(seed: int, order: Order, zones: int, priorities: int = 3) -> tuple[dict, np.ndarray, MeanField]:
    """A random game, π_l, and its limit."""
    arrays = random_arrays(seed, priorities, 2, zones, 2, 0.8, sparse=seed % 2 == 1)
    policy = random_policy(seed, zones, priorities, 2)
    return arrays, policy, MeanField.of(Game.from_arrays(arrays), policy, order)


def draws_without_replacement(h: tuple[int, ...], k: int) -> list[tuple[tuple[int, ...], float]]:
    """Histograms of k robots drawn from h, with their chances."""
    found = [(d, np.prod([comb(a, b) for a, b in zip(h, d, strict=True)])) for d in histograms(k, len(h))]
    return [(d, float(ways) / comb(sum(h), k)) for d, ways in found if ways]


@pytest.mark.parametrize(("order", "seed"), list(product(ORDERS, range(12))))
def test_floors_and_ceilings_hold_the_exact_optimum_between_them(order: Order, seed: int) -> None:
    zones, n = [(2, 8), (3, 5), (4, 4), (5, 3)][seed % 4]
    arrays, policy, model = made(seed, order, zones)
    exact, rows = slow.optimum(arrays, policy, order == "next_tick", n), histograms(n, zones)
    alphas = Solver(model, seed, LIGHT).run(stage=None, progress=lambda stage: stage.round >= 3).alphas
    for s in range(model.states):
        assert (alphas.values(s, np.array(rows) / n) <= exact[s] + 1e-8).all()
    for k in (1, 2):
        small, index = SmallFleet(model, k).optimum(1e-10), {h: i for i, h in enumerate(histograms(k, zones))}
        for s, (i, h) in product(range(model.states), enumerate(rows)):
            above = sum(chance * small.middle[s, index[d]] for d, chance in draws_without_replacement(tuple(h), k))
            assert above + small.half >= exact[s, i] - 1e-8


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("zones", "k"), [(2, 6), (3, 4), (5, 2)])
def test_the_small_fleet_is_that_of_dense_matrices(order: Order, zones: int, k: int) -> None:
    arrays, policy, model = made(zones, order, zones)
    found = SmallFleet(model, k).optimum(1e-10)
    np.testing.assert_allclose(found.middle, slow.optimum(arrays, policy, order == "next_tick", k), atol=1e-8)


@pytest.mark.parametrize("order", ORDERS)
def test_a_backup_is_that_of_loops(order: Order) -> None:
    arrays, policy, model = made(3, order, 4)
    rng = np.random.default_rng(0)
    sets = [rng.normal(size=(size, 4)) for size in (3, 1, 5)]
    lookahead, greedy = Lookahead(model, Alphas.stacked(sets)), Greedy(model, Alphas.stacked(sets))
    points = rng.dirichlet(np.ones(4), 20)
    for s in range(3):
        choices = lookahead.choices(s, points)
        found = lookahead.backed_up(s, choices)
        for m, one, dispatch in zip(points, found, choices.dispatch, strict=True):
            np.testing.assert_allclose(one, slow.backup(arrays, policy, order == "next_tick", sets, s, m), atol=1e-12)
            assert greedy.dispatch(s, m) == dispatch
        assert (greedy.dispatches(np.full(20, s), points) == choices.dispatch).all()


@pytest.mark.parametrize("order", ORDERS)
def test_blind_plans_earn_what_simulated_powers_earn_and_never_more(order: Order) -> None:
    arrays, policy, model = made(5, order, 3)
    tables = blind_tables(model)
    found = table_values(model, tables, 1e-10)
    for plan, table in enumerate(tables):
        exact = slow.table_values(arrays, policy, order == "next_tick", table)
        mine = np.array([found.of(s)[plan] for s in range(model.states)])
        np.testing.assert_allclose(mine, exact, atol=1e-8)
        assert (mine <= exact + 1e-11).all()


def test_pruning_keeps_the_best_at_every_point() -> None:
    rng = np.random.default_rng(1)
    vectors, points = rng.normal(size=(200, 5)), rng.dirichlet(np.ones(5), 100)
    chosen, places = pruned(vectors, points, 0.0)
    np.testing.assert_array_equal((points @ vectors[chosen].T).max(axis=1), (points @ vectors.T).max(axis=1))
    assert len(chosen) == len(places) == len(set(chosen.tolist()))


@pytest.mark.parametrize("order", ORDERS)
def test_resumed_is_continuous_and_the_floor_never_falls(order: Order) -> None:
    model, floors = made(8, order, 4)[2], []
    solver = Solver(model, 3, LIGHT)

    def note(stage: Stage) -> bool:
        floors.append(stage.floor)
        return stage.round >= 4

    whole = solver.run(progress=note)
    half = solver.run(progress=lambda stage: stage.round >= 2)
    again = Solver(model, 3, LIGHT).run(stage=Stage.from_arrays(half.arrays()), progress=lambda s: s.round >= 4)
    assert (np.diff(floors) >= 0).all()
    np.testing.assert_array_equal(again.alphas.vectors, whole.alphas.vectors)
    assert solver.first(whole.alphas).floor >= floors[0]


@pytest.mark.parametrize("order", ORDERS)
def test_the_floor_at_the_start_law_lies_below_the_ceilings(order: Order) -> None:
    model = made(4, order, 3)[2]
    floor = floor_of(model, Solver(model, 0, LIGHT).run(progress=lambda s: s.round >= 4).alphas, draws=500)
    tops = [ceiling(model, k, 1e-8) for k in (1, 2, 5, 12)]
    assert (np.diff([top.low for top in tops]) <= 1e-7).all()
    assert floor.proven <= floor.estimate + 4 * floor.error
    assert floor.proven <= tops[-1].high
    assert floor.estimate - 4 * floor.error <= tops[-1].high


def test_zones_by_other_numbers_earn_the_same() -> None:
    arrays, policy, model = made(6, "next_tick", 4)
    order = np.array([2, 0, 3, 1])
    P_l = np.asarray(arrays["P_l"])[order][..., order]
    renamed = arrays | {"P_l": P_l, "r_l": np.asarray(arrays["r_l"])[order]}
    renamed["start_concentration"] = np.asarray(arrays["start_concentration"])[order]
    other = MeanField.of(Game.from_arrays(renamed), policy[order])
    assert ceiling(other, 3, 1e-9).high == pytest.approx(ceiling(model, 3, 1e-9).high, abs=1e-7)
    mine, theirs = (table_values(one, blind_tables(one)).vectors for one in (model, other))
    np.testing.assert_allclose(theirs, mine[:, order], atol=1e-7)


@pytest.mark.parametrize("order", ORDERS)
def test_a_factored_game_is_the_game_written_out(order: Order) -> None:
    rng = np.random.default_rng(2)
    law, chain, P_l = (rng.dirichlet(np.ones(n), size) for n, size in ((3, (3, 2)), (2, 2), (4, (4, 3, 2))))
    r_l, policy = rng.normal(size=(4, 3, 2, 2)), rng.dirichlet(np.ones(2), (4, 3))
    parts = FactoredGame(law, chain, P_l, rng.normal(size=(3, 2)), r_l, 0.8, np.full((3, 2), 1 / 6), np.full(4, 0.5))
    written = Game(
        P_g=np.einsum("paq,de->pdaqe", law, chain).reshape(6, 2, 6),
        P_l=np.repeat(P_l, 2, axis=1),
        r_g=np.repeat(parts.r_g, 2, axis=0),
        r_l=r_l.reshape(4, 6, 2),
        discount=0.8,
        start_priority=np.full(6, 1 / 6),
        start_concentration=np.full(4, 0.5),
    )
    mine, other = parts.under(policy, order), MeanField.of(written, np.repeat(policy, 2, axis=1), order)
    assert ceiling(mine, 2, 1e-9).high == pytest.approx(ceiling(other, 2, 1e-9).high, abs=1e-7)


def test_polls_of_an_endless_fleet_update_as_bayes_does() -> None:
    kappa, counts = np.array([0.3, 1.0, 0.7]), np.array([2.0, 0.0, 1.0])
    after = updated(start_belief(kappa), counts)
    np.testing.assert_allclose(after.mean, (kappa + counts) / (kappa + counts).sum(), rtol=1e-12)
    assert after.v == pytest.approx(1 / (kappa.sum() + 3 + 1))
    again = updated(after, np.array([0.0, 4.0, 0.0]))
    np.testing.assert_allclose(again.mean, (kappa + counts + [0, 4, 0]) / (kappa.sum() + 7), rtol=1e-12)


def test_a_whole_fleet_polled_is_known_and_its_moves_make_it_unsure_as_multinomials_do() -> None:
    counts, step = np.array([6.0, 4.0]), np.array([[0.9, 0.1], [0.3, 0.7]])
    known = updated(start_belief(np.ones(2), 10), counts, 10)
    np.testing.assert_allclose(known.mean, counts / 10)
    after = predicted(known, step, 10)
    variance = 2 * (6 * 0.09 + 4 * 0.21) / 100  # of both shares
    assert after.v * (1 - after.mean @ after.mean) == pytest.approx(variance, rel=1e-9)


def test_what_does_not_fit_is_refused() -> None:
    model = made(0, "next_tick", 2)[2]
    with pytest.raises(UserError, match="order of moves"):
        MeanField.of(Game.from_arrays(random_arrays(0)), random_policy(0, 2, 2, 2), "late")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="lacks"):
        Stage.from_arrays({"vectors": np.zeros((1, 2))})
    with pytest.raises(UserError, match="begins"):
        Alphas(np.zeros((2, 2)), np.array([0, 0, 2]))
    with pytest.raises(UserError, match="at least one"):
        ceiling(model, 0)
