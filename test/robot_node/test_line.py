"""Robots on a line: they tell bins, and are sent from their exact places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lines import network

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.families.line.bundle import ContinuousBundle
from meanfleet.families.line.team import LineTeam, TrackGoals
from meanfleet.floors.priorities import priorities_of, priority_name
from meanfleet.robot_node.making import check_mode, crew_of
from naive import continuous as naive

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["robot_2", "robot_0", "robot_7"]
PLACES = [-1.97, 0.1, 1.3]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A line of which a length of 1 takes 3 m."""
    path = tmp_path / "line.yaml"
    path.write_text("line: {robots: 10}\npolled: [1]\ntracks: {unit: 3.0, pitch: 0.5}\nrobot: {goal_timeout: 5.0}\n")
    return Config.from_yaml(path)


@pytest.fixture
def crew(config: Config, line_bundle: ContinuousBundle) -> tuple[LineTeam, TrackGoals]:
    """Three robots of the fleet, seen at `PLACES`."""
    team, goals = crew_of(config, line_bundle, NAMES, 0)
    assert isinstance(team, LineTeam)
    assert isinstance(goals, TrackGoals)
    for robot, place in enumerate(PLACES):
        team.see(robot, 3 * place, 0.5 * int(NAMES[robot][-1]), 1.0)
    return team, goals


def test_bins_are_told_and_moves_begin_at_exact_places(crew: tuple[LineTeam, TrackGoals]) -> None:
    team, goals = crew
    assert team.act(0.0).robots == []  # nobody has told a bin yet
    assert [zone for _, zone, _ in team.reports()] == [naive.histogram([x]).index(1) for x in PLACES]
    orders = team.act(0.1749)
    assert orders.places == pytest.approx(PLACES)
    assert orders.moves == [1, 0, 2]  # 0.0749 away is near enough
    assert team.act(0.1751).moves == [1, 1, 2]
    assert [goal for _, goal in orders.changed] == pytest.approx([-1.92, 0.1, 1.25])
    assert goals.send(2, orders.changed[2][1], 1.0) == pytest.approx((3.75, 3.5, 0.0))  # robot_7's track
    assert next(goal for _, goal in team.act(-5.0).changed) == -2.0  # the end of the line
    assert [goal for _, goal in team.hold()] == pytest.approx(PLACES)


def test_a_network_moves_them_after_a_change_of_policy(
    crew: tuple[LineTeam, TrackGoals], line_bundle: ContinuousBundle
) -> None:
    team, _ = crew
    team.reports()
    learned = replace(line_bundle, robots=network(2, 8, 3))
    team.follow(learned)
    for priority in np.linspace(-2, 2, 9).tolist():
        assert team.act(priority).moves == learned.moves(PLACES, priority).tolist()


def test_goals_not_reached_are_due_again_and_reached_ones_are_not(crew: tuple[LineTeam, TrackGoals]) -> None:
    team, goals = crew
    for robot in range(3):
        goals.send(robot, 0.5, 10.0 + robot)
    team.see(1, 1.5, 0.0, 12.0)
    goals.look(team.xy)
    assert goals.overdue(15.5) == [(0, 0.5)]
    assert goals.overdue(20.0) == [(0, 0.5), (2, 0.5)]
    assert goals.drop() == [0, 2]


def test_names_of_priorities_give_places_back_exactly(config: Config) -> None:
    reader = priorities_of(config)
    for place in np.random.default_rng(0).uniform(-2, 2, 200).tolist():
        assert reader.read(priority_name(0, place, config)) == place
        assert reader.zone(place) == naive.histogram([place]).index(1)
    assert reader.zone(2.0) == 4
    assert [reader.read(wrong) for wrong in ("", "bin_0", "nan", "inf", "2.1")] == [None] * 5
    zoned = Config.from_yaml(ROOT / "config" / "demo.yaml")
    assert priorities_of(zoned).read(priority_name(1, None, zoned)) == 1
    assert priorities_of(zoned).read("0.5") is None


def test_confirming_every_tick_is_refused(config: Config, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="confirm_for"):
        check_mode("advise", config)
    path = tmp_path / "advise.yaml"
    path.write_text("line: {}\nsafety: {mode: advise}\n")
    with pytest.raises(UserError, match=r"advise\.yaml.*confirm_for"):
        Config.from_yaml(path)
    path.write_text("line: {}\nsafety: {mode: advise, confirm_for: 60}\n")
    assert check_mode("advise", Config.from_yaml(path)) == "advise"
