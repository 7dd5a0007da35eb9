"""Goals on their way, poses in other frames, and poses that are kept while localisation is silent. No ROS."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from teams import make_team, stand

from meanfleet.config.floor import FramesConfig
from meanfleet.floors.frames import Frames
from meanfleet.robot_node.goals import LONGEST, Goals

# Two robots, three zones; a robot's slots are 10 m apart.
SLOTS = np.array([[(10.0 * zone, robot, 0.1 * zone) for zone in range(3)] for robot in range(2)])
FAR = np.array([(-50.0, 0.0), (-50.0, 1.0)])


def at(robot: int, zone: int) -> np.ndarray:
    """Positions with one robot in its slot, the other far away."""
    xy = FAR.copy()
    xy[robot] = SLOTS[robot, zone, :2]
    return xy


def test_a_goal_is_the_robots_own_slot() -> None:
    goals = Goals(SLOTS, None, 0.5)
    assert [goals.send(robot, zone, 0.0) for robot in range(2) for zone in range(3)] == [
        (10.0 * zone, float(robot), 0.1 * zone) for robot in range(2) for zone in range(3)
    ]


def test_a_goal_is_sent_again_every_timeout_until_it_is_reached() -> None:
    """As the node does it: look, ask what is overdue, send that."""
    goals, sent = Goals(SLOTS, 5.0, 0.5), []
    goals.send(0, 2, 0.0)
    for now in range(1, 30):
        goals.look(at(0, 2) if now >= 17 else FAR)
        for robot, zone in goals.overdue(float(now)):
            goals.send(robot, zone, float(now))
            sent.append((now, robot, zone))
    assert sent == [(5, 0, 2), (10, 0, 2), (15, 0, 2)]


def test_a_reached_goal_stays_reached_and_a_new_one_counts_anew() -> None:
    goals = Goals(SLOTS, 5.0, 0.5)
    goals.send(1, 0, 0.0)
    goals.look(at(1, 0))
    goals.look(FAR)
    assert goals.overdue(100.0) == []
    goals.send(1, 1, 100.0)
    assert goals.overdue(104.9) == []
    assert goals.overdue(105.0) == [(1, 1)]


@pytest.mark.parametrize(("gap", "reached"), [(0.49, True), (0.51, False), (math.nan, False)])
def test_the_tolerance_is_a_distance(gap: float, reached: bool) -> None:
    goals = Goals(SLOTS, 1.0, 0.5)
    goals.send(0, 1, 0.0)
    xy = at(0, 1)
    xy[0] += gap * np.array([0.6, 0.8])
    goals.look(xy)
    assert (goals.overdue(2.0) == []) == reached


def test_without_a_timeout_nothing_is_sent_again() -> None:
    goals = Goals(SLOTS, None, 0.5)
    goals.send(0, 1, 0.0)
    assert goals.overdue(1e9) == []


def test_a_clock_that_jumped_back_sends_open_goals_again() -> None:
    goals = Goals(SLOTS, 5.0, 0.5)
    goals.send(0, 1, 1000.0)
    assert goals.overdue(1.0) == [(0, 1)]


def test_dropping_names_the_robots_that_were_driving() -> None:
    goals = Goals(SLOTS, 5.0, 0.5)
    goals.send(0, 1, 0.0)
    goals.send(1, 2, 0.0)
    goals.look(at(0, 1))
    assert goals.drop() == [1]
    assert goals.drop() == []
    assert goals.overdue(1e9) == []


@given(st.floats(1.0, 1e4), st.lists(st.floats(0.0, 3.0), min_size=1, max_size=40))
def test_a_failed_goal_is_sent_again_after_pauses_that_double_up_to_the_timeout(
    timeout: float, answers: list[float]
) -> None:
    """A navigation that rejects every time, `answers` [s] after it was asked; the pauses by their closed form."""
    goals, now = Goals(SLOTS, timeout, 0.5), 7.0
    goals.send(0, 2, now)
    for number, answer in enumerate(answers):
        now += min(answer, 0.9 * timeout)
        goals.fail(0, now)
        pause = min(2.0**number, timeout)
        assert goals.overdue(now + 0.999 * pause) == []
        now += 1.001 * pause
        assert goals.overdue(now) == [(0, 2)]
        goals.send(0, 2, now)


def test_another_goal_begins_with_the_shortest_pause_and_failures_of_none_are_ignored() -> None:
    goals = Goals(SLOTS, 100.0, 0.5)
    goals.fail(0, 0.0)
    assert goals.overdue(1e9) == []
    goals.send(0, 2, 0.0)
    for _ in range(5):
        goals.fail(0, 0.0)
    goals.send(0, 1, 0.0)
    goals.fail(0, 0.0)
    assert goals.overdue(1.5) == [(0, 1)]
    goals.reach(0)
    goals.fail(0, 2.0)
    assert goals.overdue(1e9) == []


def test_without_a_timeout_a_failed_goal_is_sent_again_all_the_same() -> None:
    goals = Goals(SLOTS, None, 0.5)
    goals.send(0, 1, 0.0)
    for number in range(10):
        goals.fail(0, 0.0)
        pause = min(2.0**number, LONGEST)
        assert goals.overdue(0.999 * pause) == []
        assert goals.overdue(pause) == [(0, 1)]
    assert goals.overdue(-5.0) == [(0, 1)], "by a clock that jumped back"
    goals.send(0, 1, pause)
    assert goals.overdue(1e9) == [], "until it fails again"


# --- frames

ANGLES = st.floats(-math.pi, math.pi)
POSES = st.tuples(st.floats(-50, 50), st.floats(-50, 50), ANGLES)


@given(POSES, POSES)
def test_a_static_frame_is_a_product_of_transforms(origin: tuple[float, float, float], pose: tuple[float, ...]) -> None:
    """Against homogeneous matrices."""

    def matrix(x: float, y: float, yaw: float) -> np.ndarray:
        return np.array([[math.cos(yaw), -math.sin(yaw), x], [math.sin(yaw), math.cos(yaw), y], [0.0, 0.0, 1.0]])

    frames = Frames(FramesConfig(static={"tracker": origin}))
    placed = frames.to_map("tracker", (pose[0], pose[1], pose[2]))
    assert placed is not None
    assert matrix(*placed) == pytest.approx(matrix(*origin) @ matrix(*pose), abs=1e-9)


@given(POSES, st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), max_size=5))
def test_positions_are_placed_as_poses_are(
    origin: tuple[float, float, float], points: list[tuple[float, float]]
) -> None:
    frames = Frames(FramesConfig(static={"tracker": origin}))
    for frame in ("", "map", "tracker", "odom"):
        placed = frames.positions(frame, np.array(points).reshape(-1, 2))
        one_by_one = [frames.to_map(frame, (x, y, 0.0)) for x, y in points]
        if frame == "odom":
            assert placed is None
            continue
        assert placed is not None
        assert placed == pytest.approx(np.array([pose[:2] for pose in one_by_one if pose]).reshape(-1, 2), abs=1e-9)


def test_a_pose_comes_in_the_map_frame_or_one_that_is_fixed_in_it() -> None:
    frames = Frames(FramesConfig(map="hall", static={"tracker": (1.0, 0.0, 0.0)}))
    assert frames.to_map("hall", (1.0, 2.0, 3.0)) == (1.0, 2.0, 3.0)
    assert frames.to_map("", (1.0, 2.0, 3.0)) == (1.0, 2.0, 3.0)
    for other in ("odom", "map", "hall/base"):
        assert frames.to_map(other, (1.0, 2.0, 3.0)) is None


def test_a_leading_slash_is_no_part_of_a_frames_name() -> None:
    for slash in ("", "/"):
        frames = Frames(FramesConfig(map=f"{slash}hall", static={f"{slash}tracker": (1.0, 0.0, 0.0)}))
        assert frames.map == "hall"
        for other in ("", "/"):
            assert frames.to_map(f"{other}hall", (1.0, 2.0, 3.0)) == (1.0, 2.0, 3.0)
            assert frames.to_map(f"{other}tracker", (1.0, 2.0, 3.0)) == (2.0, 2.0, 3.0)


def test_a_robots_own_frame_is_named_once_for_all_robots() -> None:
    frames = Frames(FramesConfig(static={"{robot}/map": (1.0, 0.0, 0.0)}), ["a", "site/b"])
    for frame in ("a/map", "/site/b/map"):
        assert frames.to_map(frame, (1.0, 2.0, 3.0)) == (2.0, 2.0, 3.0)
    assert frames.to_map("c/map", (1.0, 2.0, 3.0)) is None
    with pytest.raises(ValueError, match="under static"):
        FramesConfig(map="{robot}/map")


def test_all_strange_frames_are_named_and_the_template_that_covers_them() -> None:
    team = make_team()
    for robot, name in enumerate("abc"):
        team.refuse(robot, f"/{name}/map")
    assert [frame for _, frame in team.never_seen()] == ["/a/map", "/b/map", "/c/map"]
    said = team.complaints(0.0, math.inf).text
    assert all(f"'/{name}/map'" in said for name in "abc")
    assert "'{robot}/map' stands for every robot's" in said


def test_a_pose_in_another_frame_is_refused_in_one_sentence() -> None:
    team = make_team()
    team.refuse(1, "odom")
    complaints = team.complaints(0.0, math.inf)
    assert complaints.strange == {"b": "odom"}
    assert "poses of b are refused" in complaints.text
    assert "'odom'" in complaints.text
    assert "frames.static" in complaints.text
    assert not team.complaints(0.0, math.inf), "it is told once"


# --- poses that are kept


def test_silence_of_a_living_localisation_renews_the_stamp_for_a_while() -> None:
    team = make_team(("a", "b"), heartbeat=1.0)
    stand(team, [1, 2], 10.0)
    told = []
    for half in range(1, 14):
        now = 10.0 + half / 2
        team.keep([True, False], now, 5.0)
        told += team.reports()
    assert told == [(0, 1, 10.0 + second) for second in range(1, 6)]
    assert team.complaints(16.5, 2.0).silent == {"b": 6.5}


def test_a_new_pose_starts_the_hold_anew() -> None:
    team = make_team(("a",), heartbeat=1.0)
    for start, zone in ((0.0, 1), (20.0, 2)):
        stand(team, [zone], start)
        team.keep([True], start + 4.0, 5.0)
        assert team.reports() == [(0, zone, start + 4.0)]
        team.keep([True], start + 6.0, 5.0)
        assert team.reports() == []


def test_a_clock_that_jumps_back_does_not_silence_a_standing_robot() -> None:
    """Its localisation lives and is silent: the last pose was true by the old clock, and still is."""
    team = make_team(("a",), heartbeat=1.0)
    stand(team, [1], 1000.0)
    told = []
    for half in range(1, 20):
        team.keep([True], 5.0 + half / 2, 5.0)
        told += team.reports()
    assert told == [(0, 1, 5.5 + second) for second in range(6)], "for as long as a pose is held"


def test_a_robot_never_seen_is_not_kept() -> None:
    team = make_team(("a",))
    team.keep([True], 5.0, 1e9)
    assert team.reports() == []


def test_a_forgotten_goal_is_a_change_again() -> None:
    team = make_team(("a",))
    stand(team, [3])
    assert [team.act(3).changed, team.act(3).changed] == [[(0, 0)], []]
    team.forget_goals([0])
    assert team.act(3).changed == [(0, 0)]


def test_slots_of_a_floor_are_never_shared() -> None:
    """Whatever zones robots are sent to, together."""
    for zones in itertools.product(range(3), repeat=2):
        goals = Goals(SLOTS, None, 0.5)
        places = {goals.send(robot, zone, 0.0)[:2] for robot, zone in enumerate(zones)}
        assert len(places) == 2
