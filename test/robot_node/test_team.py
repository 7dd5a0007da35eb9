"""The robots of one process without ROS: what they report, how they move, when they get a new goal.

Statistical tests have fixed seeds; a right program fails them for about 1 seed in 10,000.
"""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare
from teams import BUNDLE, POLICY, ZONES, make_team, stand

from meanfleet.robot_node.robot import Robot, robot_seed
from meanfleet.space.zone_map import NOWHERE

UNLIKELY = 1e-4

# --- moves


def test_moves_follow_the_policy_in_every_cell() -> None:
    """2,000 moves in each of the 16 cells, one χ²: 15 cells with 2 degrees of freedom each, one that is certain."""
    robot = Robot(BUNDLE, 3)
    statistic = 0.0
    for zone, priority in itertools.product(range(ZONES), repeat=2):
        seen = Counter(robot.move(zone, priority) for _ in range(2000))
        if POLICY[zone, priority].max() == 1:
            assert seen == {1: 2000}
        else:
            statistic += float(chisquare([seen[a] for a in range(3)], 2000 * POLICY[zone, priority]).statistic)
    # χ² with 30 degrees of freedom exceeds 67.6 with probability 1e-4.
    assert statistic < 67.6


def test_a_move_leads_to_the_neighbour_on_the_ring() -> None:
    robot = Robot(BUNDLE, 0)
    assert [robot.goal(0, move) for move in range(3)] == [0, 1, 3]
    assert [robot.goal(3, move) for move in range(3)] == [3, 0, 2]


def test_a_teams_orders_are_its_robots_moves_and_their_goals() -> None:
    team, zones = make_team(), [0, 1, 3]
    stand(team, zones)
    alone = [Robot(BUNDLE, robot_seed(5, name)) for name in "abc"]
    for priority in (0, 3, 1, 2):
        before = team.goals.copy()
        orders = team.act(priority)
        assert (orders.robots, orders.zones) == ([0, 1, 2], zones)
        assert orders.moves == [robot.move(zone, priority) for robot, zone in zip(alone, zones, strict=True)]
        goals = [robot.goal(zone, move) for robot, zone, move in zip(alone, zones, orders.moves, strict=True)]
        assert team.goals.tolist() == goals
        assert orders.changed == [(i, goal) for i, goal in enumerate(goals) if goal != before[i]]


def test_a_robots_stream_does_not_depend_on_who_shares_its_process() -> None:
    """One process for all, one each, or another order: the same moves robot by robot."""

    def moves(groups: list[tuple[str, ...]]) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {name: [] for group in groups for name in group}
        for group in groups:
            team = make_team(group)
            stand(team, ["abcd".index(name) for name in group])
            for tick in range(40):
                orders = team.act(tick % ZONES)
                for i, move in zip(orders.robots, orders.moves, strict=True):
                    found[group[i]].append(move)
        return found

    together = moves([("a", "b", "c", "d")])
    assert moves([("a",), ("b",), ("c",), ("d",)]) == together
    assert moves([("d", "b"), ("c", "a")]) == together


def test_robots_are_independent_of_each_other_and_of_other_runs() -> None:
    """Moves of two robots, or two seeds, in one cell: joint frequencies against the product, χ² with 8 degrees."""
    law = POLICY[1, 2]
    for seeds in ((robot_seed(5, "a"), robot_seed(5, "b")), (robot_seed(5, "a"), robot_seed(6, "a"))):
        left, right = (Robot(BUNDLE, seed) for seed in seeds)
        seen = Counter((left.move(1, 2), right.move(1, 2)) for _ in range(9000))
        pairs = list(itertools.product(range(3), repeat=2))
        expected = [9000 * law[a] * law[b] for a, b in pairs]
        assert chisquare([seen[pair] for pair in pairs], expected).pvalue > UNLIKELY


def test_goals_are_sent_only_when_they_change() -> None:
    team = make_team(("a",))
    stand(team, [3])
    assert team.act(3).changed == [(0, 0)]  # π_l(next | 3, 3) = 1
    assert team.act(3).changed == []
    assert team.hold() == [(0, 3)]
    assert team.hold() == []
    assert team.act(3).changed == [(0, 0)]


def test_holding_sends_robots_to_the_zone_they_are_in() -> None:
    team = make_team()
    stand(team, [2, 0, 1])
    assert team.hold() == [(0, 2), (1, 0), (2, 1)]
    stand(team, [2, 1, 1], 0.1)
    assert team.hold() == [(1, 1)]


def test_robots_never_seen_neither_move_nor_report() -> None:
    team = make_team()
    team.see(1, 0.5, 0.5, 0.0)
    assert team.reports() == [(1, 0, 0.0)]
    assert team.act(0).robots == [1]
    assert team.zones.tolist() == [NOWHERE, 0, NOWHERE]
    assert [robot for robot, _ in make_team().hold()] == []


# --- outside all zones


def test_a_robot_outside_all_zones_says_so_does_not_act_and_comes_back() -> None:
    team = make_team(("a", "b"))
    stand(team, [1, 2], 10.0)
    team.see(0, 100.0, 100.0, 10.2)
    assert team.reports() == [(0, NOWHERE, 10.2)], "at once"
    assert team.act(0).robots == [1]
    complaints = team.complaints(10.3, 5.0)
    assert complaints.outside == ("a",)
    assert "outside all zones" in complaints.text
    team.see(0, 1.9, 0.5, 10.4)  # between two pads, nearest to the second
    assert team.reports() == [(0, 1, 10.4)]
    assert not team.complaints(10.5, 5.0)
    assert team.act(0).robots == [0, 1]


# --- reports


def test_zones_are_reported_on_change_and_as_a_heartbeat() -> None:
    team = make_team(("a",), heartbeat=1.0)
    assert stand(team, [1], 10.0) == [(0, 1, 10.0)]
    assert stand(team, [1], 10.5) == []
    assert stand(team, [2], 10.6) == [(0, 2, 10.6)]
    assert stand(team, [2], 11.5) == []
    assert stand(team, [2], 11.6) == [(0, 2, 11.6)]
    assert team.reports() == []  # a heartbeat says that the robot was seen: without a new pose there is none


def test_a_clock_that_jumps_back_does_not_silence_the_heartbeat() -> None:
    """A simulation that is restarted, a bag that loops."""
    team = make_team(("a",), heartbeat=1.0)
    stand(team, [1], 1000.0)
    assert stand(team, [1], 3.0) == [(0, 1, 3.0)]


def test_between_pads_a_robot_stays_in_its_zone_until_it_stands_on_another_pad() -> None:
    team = make_team(("a",), heartbeat=100.0)
    stand(team, [1])
    seen = []
    for step in range(21):
        team.see(0, 2.5 + 0.1 * step, 0.5, 0.01 * step)
        seen += [(zone, round(2.5 + 0.1 * step, 1)) for _, zone, _ in team.reports()]
    ((zone, x),) = seen
    assert zone == 2
    assert 4.0 <= x <= 4.1


@pytest.mark.parametrize("pose", [(np.nan, 0.5), (0.5, np.nan), (np.inf, 0.5), (np.nan, np.nan)])
def test_poses_that_are_not_finite_are_ignored(pose: tuple[float, float]) -> None:
    team = make_team(("a",))
    team.see(0, *pose, 1.0)
    assert team.reports() == []
    stand(team, [2], 2.0)
    team.see(0, *pose, 50.0)
    assert team.reports() == []
    assert team.zones.tolist() == [2]
    assert team.seen.tolist() == [2.0]


# --- out of service


def test_a_robot_out_of_service_reports_nothing_and_goes_nowhere_until_it_is_back() -> None:
    team, out = make_team(), np.array([False, True, False])
    stand(team, [0, 1, 2])
    assert {robot for robot, _ in team.act(3).changed} == {0, 1, 2}
    assert team.withdraw(out) == [1]
    assert team.withdraw(out) == [], "told once"
    assert [robot for robot, _, _ in stand(team, [3, 3, 3], 5.0)] == [0, 2]
    assert team.act(3).robots == [0, 2]
    assert all(robot != 1 for robot, _ in team.hold())
    assert set(team.complaints(60.0, 10.0).silent) == {"a", "c"}, "it may be switched off"
    assert team.withdraw(np.zeros(3, dtype=bool)) == []
    assert (1, 3, 5.0) in team.reports(), "where it has got to meanwhile"
    assert (1, 3) in team.hold(), "its goal counts as new"


def test_forgotten_goals_are_sent_again() -> None:
    team = make_team()
    stand(team, [0, 1, 2])
    assert team.hold() == [(0, 0), (1, 1), (2, 2)]
    assert team.hold() == []
    team.forget_goals()
    assert team.hold() == [(0, 0), (1, 1), (2, 2)]
