"""What a dispatcher that remembers decides with: tuned by rollouts, kept in the bundle, and right beyond its error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from meanfleet.base.errors import UserError
from meanfleet.config import SolverConfig
from meanfleet.solver import Game, solve
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.solver.filter_robots import fitted_robots
from meanfleet.solver.filter_selection import FilterSelection
from meanfleet.solver.fleet import Estimate, Fleet
from meanfleet.solver.fleet.choice import Race
from meanfleet.solver.fleet.filtered import Observer, drift
from meanfleet.solver.selection import Selection
from naive.surrogate import random_arrays, random_policy

QUICK = SolverConfig(kappa=6, rollouts=1000, starts=("shortest",), tolerance=1e-4, rho=(1.0, 0.9, 0.2))


@pytest.fixture(scope="module")
def game() -> Game:
    """Three zones, robots that seldom leave theirs, a priority easily steered to where most of them are."""
    steer = np.broadcast_to(0.85 * np.eye(3) + 0.05, (3, 3, 3))
    stay = 0.94 * np.eye(3) + 0.02
    go = np.array([stay, 0.8 * stay + 0.2 * np.roll(np.eye(3), 1, axis=1)])  # [move, z, z']
    return Game(
        P_g=steer,
        P_l=np.broadcast_to(go.transpose(1, 0, 2)[:, None], (3, 3, 2, 3)),
        r_g=np.zeros((3, 3)),
        r_l=10 * np.broadcast_to(np.eye(3)[:, :, None], (3, 3, 2)) + np.array([0, 0.1]),
        discount=0.9,
        start_priority=np.full(3, 1 / 3),
        start_concentration=np.full(3, 0.3),
    )


@pytest.fixture(scope="module")
def bundle(game: Game) -> PolicyBundle:
    return solve(game, [1, 3], n=200, settings=QUICK)


def remembered(bundle: PolicyBundle, k: int, rho: float, n: int = 200, seed: int = 77) -> np.ndarray:
    """Returns of 3,000 rollouts that the solver has not seen."""
    model = bundle.filtering
    assert model is not None
    observer = Observer(model, drift(bundle.game, bundle.local_policy), rho, model.setting_for(k).deciding, True)
    return Fleet(bundle.game, n, k).filtered_returns(observer, bundle.local_policy, 3000, 44, seed)


@pytest.mark.parametrize("k", [1, 3])
def test_what_a_setting_says_can_be_measured_again(bundle: PolicyBundle, k: int) -> None:
    """Mean, and lead over the table of the same k, on other seeds, within 4 standard errors."""
    assert bundle.filtering is not None
    setting = bundle.filtering.settings[k]
    own = remembered(bundle, k, setting.rho)
    again, known = Estimate.of(own, 44), setting.fleet
    assert known["n"] == 200
    assert known["horizon"] == 44
    assert abs(again.mean - known["mean"]) < 4 * np.hypot(again.error, known["error"])
    table = next(table.dispatch for table in bundle.tables if table.k == k)
    lead = Estimate.of(own - Fleet(bundle.game, 200, k).returns(table, bundle.local_policy, 3000, 44, 77), 44)
    assert k > 1 or lead.interval[0] > 0  # a game in which remembering pays
    stated = (known["lead"]["high"] - known["lead"]["low"]) / 3.92
    assert abs(lead.mean - known["lead"]["mean"]) < 4 * np.hypot(lead.error, stated)


def test_the_chosen_rho_is_not_beaten_by_another(bundle: PolicyBundle) -> None:
    assert bundle.filtering is not None
    chosen = remembered(bundle, 1, bundle.filtering.settings[1].rho)
    for rho in QUICK.rho:
        lead = Estimate.of(remembered(bundle, 1, rho) - chosen, 44)
        assert lead.mean < 0.02 * chosen.std() + 3 * lead.error


def test_the_bundle_keeps_what_was_tuned(bundle: PolicyBundle, tmp_path: object) -> None:
    path = f"{tmp_path}/policy.npz"
    bundle.save(path)
    again = PolicyBundle.load(path)
    assert again.filtering is not None
    assert bundle.filtering is not None
    assert again.filtering.settings == bundle.filtering.settings
    assert np.array_equal(again.filtering.q, bundle.filtering.q)
    assert np.array_equal(again.filtering.prior, bundle.game.start_concentration)


def test_filtering_is_left_out_when_it_is_not_wanted(game: Game) -> None:
    assert solve(game, [1], n=20, settings=QUICK.model_copy(update={"filtering": False})).filtering is None
    assert solve(game, [1], n=20, settings=QUICK.model_copy(update={"kappa": 0})).filtering is None


def test_same_seed_same_tuning(game: Game, bundle: PolicyBundle) -> None:
    assert solve(game, [1, 3], n=200, settings=QUICK).digest == bundle.digest


def test_of_rules_that_earn_the_same_from_the_start_the_one_that_lasts_is_taken(game: Game) -> None:
    """Both begin by forgetting nearly all; ρ of the second adapts."""
    filters, policy = FilterSelection(Selection(game, 200, QUICK, 0)), random_policy(3, 3, 3, 2)
    usual = filters.usual("random", policy, 1)
    assert usual is not None
    stiff, supple = (
        replace(usual, observer=replace(usual.observer, rho=0.05, adaptive=adapts)) for adapts in (False, True)
    )
    fleet, same, behind = Fleet(game, 200, 1), np.linspace(0, 10, 250), np.linspace(0, 10, 250) - 1
    assert filters._lasting(Race(fleet, (stiff, supple), (same, same), 44), 1) is supple
    assert filters._lasting(Race(fleet, (supple, stiff), (same, same), 44), 1) is supple
    assert filters._lasting(Race(fleet, (stiff, supple), (same, behind), 44), 1) is stiff, "clearly behind at the start"


def test_a_setting_says_what_is_earned_in_the_long_run(bundle: PolicyBundle) -> None:
    """Measured again on other seeds, within 4 standard errors; one of posterior means is not measured for so long."""
    assert bundle.filtering is not None
    setting = next(one for one in bundle.filtering.settings.values() if one.deciding != "posterior")
    known, k = setting.fleet["per_tick"], next(k for k, one in bundle.filtering.settings.items() if one is setting)
    assert known["ticks"] == [1000, 1500]
    observer = Observer.of(bundle.filtering, setting, drift(bundle.game, bundle.local_policy))
    rates = Estimate.of(Fleet(bundle.game, 200, k).settled_rates(observer, bundle.local_policy, 16, (1000, 1500), 5), 1)
    assert abs(rates.mean - known["mean"]) < 4 * np.hypot(rates.error, known["error"])


# --- the robots' policy


def test_robots_fitted_to_a_dispatcher_that_remembers_gain_and_the_gain_holds_on_other_seeds(game: Game) -> None:
    """From a random π_l; a step is only taken when its interval lies above 0, and the sum is measured again."""
    filters = FilterSelection(Selection(game, 200, QUICK, 0))
    start = random_policy(3, 3, 3, 2)
    fitted = fitted_robots(filters, {"random": start}, 1)
    assert fitted.report["steps"]
    assert all(step["low"] > 0 and step["cells"] for step in fitted.report["steps"])
    rules = [filters.usual(name, policy, 1) for name, policy in (("a", fitted.local_policy), ("b", start))]
    own, other = (one.returns(Fleet(game, 200, 1), 3000, 44, 99) for one in rules if one is not None)
    lead, said = Estimate.of(own - other, 44), fitted.report["gain_over"]["random"]
    assert lead.interval[0] > 0
    assert abs(lead.mean - said["mean"]) < 4 * np.hypot(lead.error, (said["high"] - said["low"]) / 3.92)


def test_no_gain_is_reported_where_moves_do_not_matter() -> None:
    """All moves alike: every π_l earns the same, no step is accepted and the gain over the start is exactly 0."""
    arrays = random_arrays(5, 3, 3, 3, 2, 0.9)
    for name in ("P_l", "r_l"):
        arrays[name] = np.array(arrays[name])
        arrays[name][:, :, 1] = arrays[name][:, :, 0]
    game = Game(**arrays)
    fitted = fitted_robots(FilterSelection(Selection(game, 50, QUICK, 0)), {"random": random_policy(3, 3, 3, 2)}, 1)
    assert fitted.report["steps"] == []
    assert fitted.report["gain_over"]["random"] == {"mean": 0.0, "low": 0.0, "high": 0.0}


def test_solving_for_the_observer_fits_the_robots_and_says_so(game: Game) -> None:
    bundle = solve(game, [1], n=200, settings=QUICK.for_observer("dirichlet"))
    report = bundle.how["robots"]
    assert report["observer"] == "dirichlet"
    assert bundle.how["settings"]["observer"] == "dirichlet"
    assert bundle.certificate[1]["rule"]["robots"].startswith(report["start"])
    with pytest.raises(UserError, match="observer"):
        QUICK.for_observer("particle")
    with pytest.raises(UserError, match="kappa"):
        SolverConfig(kappa=0).for_observer("dirichlet")
