"""Whose odometry is due: everybody that moves at its rate, evenly spread, and those that stand as a heartbeat."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.sim.odometry import Turns

STEP = 0.05


def reports(turns: Turns, moving: np.ndarray, seconds: float) -> list[list[float]]:
    """Times [robot][report] while `moving` [robot] robots drive and the others stand."""
    times: list[list[float]] = [[] for _ in moving]
    poses = np.zeros((len(moving), 3))
    for step in range(1, round(seconds / STEP) + 1):
        poses[moving, 0] += 0.01
        for robot in turns.due(STEP, step * STEP, poses).tolist():
            times[robot].append(step * STEP)
    return times


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 50), rate=st.sampled_from([1.0, 2.0, 4.0]), seed=st.integers(0, 2**16))
def test_who_moves_reports_at_its_rate_and_who_stands_as_a_heartbeat(n: int, rate: float, seed: int) -> None:
    moving, repeat = np.random.default_rng(seed).random(n) < 0.5, 1.5
    for robot, times in enumerate(reports(Turns(n, rate, repeat), moving, 12.0)):
        gaps = np.diff(times)
        assert times[0] <= 1 / rate + 2 * STEP
        if moving[robot]:
            assert np.abs(gaps - 1 / rate).max() <= 2 * STEP
        else:
            assert gaps.min() >= repeat - 1e-6
            assert gaps.max() <= repeat + 1 / rate + 2 * STEP


def test_who_starts_to_move_reports_in_its_next_turn_and_once_more_where_it_stopped() -> None:
    turns, poses = Turns(2, 1.0, 100.0), np.zeros((2, 3))
    assert sorted(turns.due(1.0, 1.0, poses).tolist()) == [0, 1]
    assert turns.due(1.0, 2.0, poses).tolist() == []
    poses[1, 2] = 0.1  # a turn on the spot is a move
    assert turns.due(1.0, 3.0, poses).tolist() == [1]
    assert turns.due(1.0, 4.0, poses).tolist() == []


def test_one_message_serves_all_robots() -> None:
    pytest.importorskip("rclpy")
    from builtin_interfaces.msg import Time
    from nav_msgs.msg import Odometry
    from rclpy.serialization import deserialize_message, serialize_message

    from meanfleet.sim.conversions import OdometryWriter

    writer = OdometryWriter(["a", "b"])
    sent = []
    for robot, yaw in ((0, 0.0), (1, np.pi / 2), (0, -np.pi / 2)):
        message = writer.write(robot, [1.0 + robot, 2.0, yaw], [0.5, 0.0, 0.1], Time(sec=7 + robot))
        sent.append(deserialize_message(serialize_message(message), Odometry))
    assert [m.child_frame_id for m in sent] == ["a/base_link", "b/base_link", "a/base_link"]
    assert [m.header.stamp.sec for m in sent] == [7, 8, 7]
    assert {m.header.frame_id for m in sent} == {"map"}
    for told in (told for m in sent for told in (m.pose, m.twist)):
        covariance = np.array(told.covariance).reshape(6, 6)
        assert (np.linalg.eigvalsh(covariance) > 0).all(), "zeros would say that it is unknown"
    assert [m.pose.pose.position.x for m in sent] == [1.0, 2.0, 1.0]
    forward, left = zip(*[(m.twist.twist.linear.x, m.twist.twist.linear.y) for m in sent], strict=True)
    assert forward == pytest.approx((0.5, 0.0, 0.0))  # driving along x, each robot sees it from its own heading
    assert left == pytest.approx((0.0, -0.5, 0.5))
