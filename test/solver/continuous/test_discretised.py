"""The continuous warehouse as a finite game: what is counted, what is solved, and what it earns."""

from __future__ import annotations

import numpy as np
import pytest

from meanfleet.base.errors import UserError
from meanfleet.solver import Game
from meanfleet.solver.bundle.filtering import FilterModel, FilterSetting
from meanfleet.solver.continuous.discretised import (
    Counts,
    Exploration,
    Filtering,
    Memoryless,
    Solved,
    estimated_game,
    explore,
    solve_bins,
)
from meanfleet.solver.continuous.rollouts import roll
from meanfleet.solver.continuous.rules import Hold, Toward
from meanfleet.solver.continuous.warehouse import ContinuousWarehouse
from naive import continuous as naive

PAPER = ContinuousWarehouse()
ROBOTS = Toward(PAPER, 0.075)


@pytest.fixture(scope="module")
def game() -> Game:
    return estimated_game(PAPER, ROBOTS, Exploration(fleets=200), seed=1)


@pytest.fixture(scope="module")
def solved(game: Game) -> Solved:
    return solve_bins(game, 8)


def test_counts_are_those_of_a_loop() -> None:
    rng, counts = np.random.default_rng(0), Counts(5)
    steering, driving, paid = np.zeros((5, 5, 5)), np.zeros((5, 5, 5)), np.zeros((5, 5))
    for _ in range(3):
        s, a, s_after = rng.integers(5, size=(3, 4))
        z, after = rng.integers(5, size=(2, 4, 6))
        reward = rng.normal(size=(4, 6))
        counts.note_steering(s, a, s_after, rng.normal(size=4))
        counts.note_driving(z, s, after, reward)
        for fleet in range(4):
            steering[s[fleet], a[fleet], s_after[fleet]] += 1
            for robot in range(6):
                driving[z[fleet, robot], s[fleet], after[fleet, robot]] += 1
                paid[z[fleet, robot], s[fleet]] += reward[fleet, robot]
    assert (counts.steering == steering).all()
    assert (counts.driving == driving).all()
    assert counts.robot_reward == pytest.approx(paid)


def test_the_counted_game_looks_as_the_line_does(game: Game) -> None:
    """Far bins pay nothing but the effort of going; robots reach neighbours only, and only towards the priority."""
    assert (game.zones, game.priorities, game.dispatches, game.moves) == (5, 5, 5, 1)
    for z in range(5):
        for s in range(5):
            if abs(z - s) > 1:
                assert game.r_l[z, s, 0] == pytest.approx(-5 * 0.05, abs=0.02)
                assert game.P_l[z, s, 0, z] + game.P_l[z, s, 0, z + np.sign(s - z)] > 0.98
            for a in range(5):
                if abs(a - s) > 1:
                    best = naive.dispatch_reward(0.4, 3)  # from the near edge of the bin between
                    assert 0 <= game.r_g[s, a] < best
                else:
                    assert game.P_g[s, a, a] > 0.7
    assert game.start_priority == pytest.approx([0, 0.3, 0.4, 0.3, 0])


def test_the_start_has_the_spread_of_two_clusters(game: Game) -> None:
    shares = np.random.default_rng(3).dirichlet(game.start_concentration, 200_000)
    squares = (shares**2).sum(axis=1)
    assert squares.mean() == pytest.approx(0.55**2 + 0.45**2, abs=4 * squares.std() / np.sqrt(len(squares)))


def test_fleets_that_are_counted_are_others_than_those_measured_with_the_same_seed() -> None:
    starts: list[np.ndarray] = []

    class Watched(ContinuousWarehouse):
        def start(self, fleets: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
            found = super().start(fleets, rng)
            starts.append(found[0])
            return found

    line = Watched(robots=10)
    explore(line, ROBOTS, Exploration(fleets=20, horizon=1), seed=3)
    roll(line, Hold(line), ROBOTS, 20, 1, seed=3)
    assert not np.isin(*starts).any()


def test_two_clusters_alike_on_two_bins_are_an_even_start() -> None:
    """No Dirichlet law has as little spread as none; a sharp one stands for it, and the bins are solved and played."""
    line = ContinuousWarehouse(robots=20, targets=(-1.0, 1.0), majority=0.5)
    robots = Toward(line, 0.075)
    game = estimated_game(line, robots, Exploration(fleets=50), seed=1)
    shares = np.random.default_rng(3).dirichlet(game.start_concentration, 1000)
    assert shares == pytest.approx(0.5, abs=0.01)
    solved = solve_bins(game, 4)
    assert np.isfinite(solved.q).all()
    assert np.isfinite(roll(line, Filtering(line, solved, 2), robots, 20, 10, seed=2).returns).all()


def test_too_little_simulation_is_refused() -> None:
    with pytest.raises(UserError, match="simulate more"):
        estimated_game(PAPER, ROBOTS, Exploration(fleets=1, horizon=1), seed=1)


def test_the_filter_decides_as_the_robots_of_a_bundle_would(solved: Solved) -> None:
    """`FilterModel` is what a dispatcher node asks, fleet by fleet and with its own belief."""
    fleets, rng = 30, np.random.default_rng(4)
    prior = solved.game.start_concentration
    model = FilterModel(solved.kappa, solved.q, prior, {3: FilterSetting(0.9, "interpolated", {})})
    decide = Filtering(PAPER, solved, 3, rho=0.9).begin(fleets, rng)
    alpha = np.tile(prior, (fleets, 1))
    for _ in range(4):
        priority, sample = rng.uniform(-2, 2, fleets), rng.multinomial(3, np.full(5, 0.2), fleets)
        alpha += sample
        expected = []
        for fleet, s in enumerate(PAPER.bin_of(priority)):
            expected.append(model.dispatch(int(s), alpha[fleet], "interpolated"))
            alpha[fleet] = 0.9 * alpha[fleet] @ solved.drift[s]
        assert decide(priority, sample).tolist() == expected


def test_solved_bins_beat_holding_and_remembering_beats_forgetting(solved: Solved) -> None:
    """Paired, on the same fleets, at one robot polled per tick."""
    rules = (Hold(PAPER), Memoryless(PAPER, solved, 1), Filtering(PAPER, solved, 1))
    hold, forgetting, remembering = (roll(PAPER, rule, ROBOTS, 300, 50, seed=9).returns for rule in rules)
    for less in (hold, forgetting):
        lead = remembering - less
        assert lead.mean() > 3 * lead.std() / np.sqrt(len(lead))


def test_the_whole_fleet_in_sight_is_worth_more_than_one_robot(solved: Solved) -> None:
    few, all_of_them = (
        roll(PAPER, Filtering(PAPER, solved, k), ROBOTS, 300, 50, seed=9).returns for k in (1, PAPER.robots)
    )
    assert (all_of_them - few).mean() > 3 * (all_of_them - few).std() / np.sqrt(300)
