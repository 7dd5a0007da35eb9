"""Worlds of robots on a line: the model's noise, and bodies that get where the model jumps to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.families.line.bullet import BulletLine, driven
from meanfleet.families.line.making import line_world
from meanfleet.sim.world import check_world, make_driving_world, world_of
from meanfleet.solver import Game

ROOT = Path(__file__).resolve().parents[2]
CONFIG = Config.from_yaml(ROOT / "config" / "continuous.yaml").with_robots(40)
EVERYBODY = np.arange(40)


def test_goals_are_reached_up_to_the_noise_and_the_ends_of_the_line() -> None:
    world = line_world(CONFIG, 1, "model")
    off, ends = [], []
    for _ in range(300):
        goals = np.column_stack([np.linspace(-1.5, 2.0, 40), np.zeros(40)])
        assert world.send_to(EVERYBODY, goals).all()
        world.advance(1.0)
        off.append((world.places - goals[:, 0])[:35])
        ends.append(world.places[-1])
    assert np.mean(off) == pytest.approx(0, abs=4 * 0.04 / np.sqrt(300 * 35))
    assert np.std(off) == pytest.approx(0.04, rel=0.03)
    assert max(ends) == 2.0
    assert 100 < ends.count(2.0) < 200  # half of the noise leads beyond the end
    assert world.time == pytest.approx(300)


def test_the_start_is_two_clusters_that_names_do_not_tell() -> None:
    world = line_world(CONFIG.with_robots(400), 5, "model")
    first, second = np.sort(np.bincount(world.zones, minlength=5))[::-1][:2]
    assert first == pytest.approx(220, abs=12)  # 2.6 % of a cluster are in the bins beside it
    assert second == pytest.approx(180, abs=12)
    largest = world.zones == np.bincount(world.zones).argmax()
    assert 85 < largest[:200].sum() < 135


def test_bodies_are_after_a_tick_where_the_model_is() -> None:
    """Moves of a tick and its noise, which both draw alike; a body that is still far goes on."""
    model, bodies = line_world(CONFIG, 2, "model"), line_world(CONFIG, 2, "bullet")
    assert isinstance(bodies, BulletLine)
    rng, fastest = np.random.default_rng(0), 0.0
    try:
        for _ in range(8):
            move = rng.choice([0.0, 0.05, -0.05], size=40)
            goals = model.poses[:, :2] + np.column_stack([move, np.zeros(40)])
            for world in (model, bodies):
                world.send_to(EVERYBODY, goals)
            model.advance(1.0)
            for _ in range(20):
                before = bodies.velocities[:, 0]
                bodies.advance(0.05)
                fastest = max(fastest, float(np.abs(bodies.velocities[:, 0] - before).max()))
            assert bodies.places == pytest.approx(model.places, abs=1e-5)
            assert bodies.poses[:, 1] == pytest.approx(0.5 * EVERYBODY, abs=1e-6)
            assert (bodies.zones == model.zones).mean() > 0.9
        assert fastest <= 2.0 * 0.05 + 1e-3  # the acceleration that the configuration allows, per step
        assert bodies.statistics()["off_floor"] == 0
        assert bodies.statistics()["goals_sent"] == 320
        bodies.advance(1.0)
        assert (bodies.velocities == 0).all()
    finally:
        bodies.close()


@pytest.mark.parametrize("gap", [-3.0, -0.2, 1e-4, 0.05, 0.7, 10.0])
def test_nobody_drives_past_the_goal(gap: float) -> None:
    left, speed, path = np.array([gap]), np.zeros(1), []
    for _ in range(400):
        speed = driven(left, speed, 2.0, 2.0, 0.05)
        left = left - 0.05 * speed
        path.append(float(left[0]))
    assert min(np.sign(gap) * x for x in path) >= -1e-9
    assert abs(path[-1]) < 1e-5
    assert speed[0] == 0


def test_positions_that_are_none_are_told() -> None:
    world = line_world(CONFIG, 3, "model")
    before = world.places.copy()
    assert world.send_to(np.array([3, 4]), np.array([[np.nan, 0.0], [0.0, 0.0]])).tolist() == [False, True]
    world.advance(1.0)
    assert np.flatnonzero(world.places != before).tolist() == [4]
    world.send(np.array([7]), np.array([0]))
    world.advance(1.0)
    assert world.places[7] == pytest.approx(-1.6, abs=0.25)


def test_what_lines_do_not_have_is_refused() -> None:
    with pytest.raises(UserError, match="robots on a line: choose from bullet, model"):
        check_world(CONFIG, "kinematic", gui=False)
    with pytest.raises(UserError, match="'meanfleet count' takes a warehouse with zones"):
        make_driving_world(CONFIG, 0)
    with pytest.raises(UserError, match="'meanfleet continuous' solves such fleets"):
        Game.from_config(CONFIG)
    world = world_of(CONFIG, 0, "model")
    assert len(world.poses) == 40
