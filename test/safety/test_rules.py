"""The rules of safety without ROS: who stops and releases, what a confirm covers, who takes part, how long to hold."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.dispatcher_node.gather import OUT, Gather
from meanfleet.dispatcher_node.holding import ESTOP, MIN_HOLD, NOBODY, Holding
from meanfleet.robot_node.confirmation import Confirmation
from meanfleet.robot_node.halt import STRAY, Halt
from meanfleet.robot_node.service import Service
from meanfleet.safety import excluded

ROBOTS = ("a", "b", "c", "d")


def config(**safety: object) -> Config:
    return Config(zones=("x", "y"), fleet={"names": ROBOTS}, safety=safety)  # type: ignore[arg-type]


# --- the emergency stop: telling robots to stand


def poses(*x: float) -> NDArray[np.float64]:
    """Of robots on a line [m]."""
    return np.array([(value, 0.0) for value in x])


def test_every_robot_is_told_once_to_stand_as_soon_as_its_pose_is_known() -> None:
    halt, some, everybody, one = Halt(3), poses(1, math.nan, 3), poses(1, 2, 3), np.ones(3, dtype=int)
    assert halt.due(some, one) == []
    assert halt.turn(True)
    assert halt.due(some, one) == [0, 2]
    assert halt.due(some, one) == []
    assert halt.due(everybody, one) == [1]
    assert not halt.turn(True)
    halt.renew()
    assert halt.due(some, one) == [0, 2]
    assert halt.turn(False)
    assert halt.due(everybody, one) == []


def test_who_listens_only_later_is_told_to_stand_as_well() -> None:
    halt, xy = Halt(2), poses(0, 5)
    halt.turn(True)
    assert halt.due(xy, np.array([0, 1])) == [1], "a goal that nobody listens to would be lost"
    assert halt.due(xy, np.array([1, 1])) == [0]
    assert halt.due(xy, np.array([1, 2])) == [1]
    assert halt.due(xy, np.array([0, 2])) == [], "the navigation of robot 0 ends ..."
    assert halt.due(xy, np.array([1, 2])) == [0], "... and starts again"


def test_who_goes_on_is_told_again_to_stand() -> None:
    halt, one = Halt(2), np.ones(2, dtype=int)
    halt.turn(True)
    assert halt.due(poses(0, 5), one) == [0, 1]
    assert halt.due(poses(0.9 * STRAY, 5), one) == [], "it brakes"
    assert halt.due(poses(1.1 * STRAY, 5), one) == [0], "it rejected the goal"
    assert halt.due(poses(1.9 * STRAY, math.nan), one) == []
    assert halt.due(poses(2.2 * STRAY, 5), one) == [0]


def test_who_can_be_told_without_a_pose_is_told_at_once_and_again_if_it_strays_from_its_first() -> None:
    halt, one, blind = Halt(2), np.ones(2, dtype=int), np.array([True, False])
    halt.turn(True)
    nowhere = poses(math.nan, math.nan)
    assert halt.due(nowhere, one, blind) == [0]
    assert halt.due(nowhere, one, blind) == []
    assert halt.due(poses(3, 3), one, blind) == [1]
    assert halt.due(poses(3 + 0.9 * STRAY, 3), one, blind) == []
    assert halt.due(poses(3 + 1.1 * STRAY, 3), one, blind) == [0]


# --- confirms


def test_a_confirm_covers_one_priority_for_as_long_as_it_stays() -> None:
    word = Confirmation(None)
    assert word.give(0.0) == "", "nothing awaits"
    assert not word.allows("x", 1.0)
    assert word.awaiting == "x"
    assert word.give(1.5) == "x"
    assert word.awaiting == ""
    assert all(word.allows("x", t) for t in (2.0, 3.0, 1e6))
    assert not word.allows("y", 4.0)
    assert not word.allows("x", 5.0), "it went away in between"


def test_a_confirm_for_a_time_covers_every_priority_in_it() -> None:
    word = Confirmation(10.0)
    assert not word.allows("x", 100.0)
    word.give(101.0)
    assert word.allows("x", 101.0)
    assert word.allows("y", 110.9)
    assert not word.allows("y", 111.0)
    word.give(112.0)
    assert not word.allows("y", 50.0), "the clock jumped back behind the confirm"
    word.give(51.0)
    word.void()
    assert not word.covers("y", 52.0)
    assert word.give(53.0) == ""


# --- who takes part


@given(st.lists(st.one_of(st.floats(0, 1), st.sampled_from([math.nan, -0.5, 87.0, math.inf])), max_size=30))
def test_a_battery_is_out_below_low_and_back_above_back(shares: list[float]) -> None:
    service = Service(ROBOTS, 0.2, 0.5)
    empty, odd = False, 0
    for share in shares:
        service.charge(1, share)
        if 0 <= share <= 1:
            empty = share < 0.2 or (empty and share < 0.5)
        else:
            odd += not math.isnan(share)
        assert service.out.tolist() == [False, empty, False, False]
        assert ("b" in service.reasons) == empty
    assert service.odd == ({"b": odd} if odd else {})


def test_reasons_name_robots_and_the_latest_list_of_excluded_counts() -> None:
    service = Service(ROBOTS, 0.95)
    service.charge(0, 0.07)
    service.exclude(["c", "elsewhere"])
    assert service.reasons == {"a": "battery at 7 %", "c": "excluded"}
    service.exclude([])
    service.charge(0, 0.99)
    assert service.reasons == {"a": "battery at 99 %"}, "it is back at low and a tenth, at most 1"
    service.charge(0, 1.0)
    assert not service.out.any()


def test_excluded_robots_are_new_once_in_service_or_not() -> None:
    service = Service(ROBOTS, 0.2)
    service.charge(0, 0.1)
    service.exclude(["a", "c"])
    assert service.newly_excluded() == [0, 2]
    service.exclude(["c", "d"])
    service.exclude(["c", "d"])
    assert service.newly_excluded() == [3]
    service.exclude(["a"])
    assert service.newly_excluded() == [0]
    assert service.newly_excluded() == []


def test_a_given_list_takes_the_place_of_the_configurations() -> None:
    settled = config(exclude=["d", "b"])
    assert excluded(None, settled) == excluded((), settled) == ("b", "d")
    assert excluded(("a",), settled) == ("a",)
    assert excluded(("",), settled) == ()
    with pytest.raises(UserError, match=r"parameter 'exclude': 'aa' is not in the fleet .*did you mean 'a'"):
        excluded(("aa",), settled)
    assert excluded((), settled.with_robots(3)) == ("b",), "of a smaller fleet those that are in it"


def test_a_robot_out_of_service_is_replaced_whatever_it_said_before() -> None:
    rest = iter("cd")
    gather = Gather("ab", 0.0, 1.0, 2.0, lambda count: [next(rest) for _ in range(count)], reach=5)
    gather.receive("a", 0, 0.1)
    gather.receive("b", 1, 3.0, ticks=2)
    assert gather.replace(0.1) == ["c"]
    for name in "ab":
        gather.receive(name, OUT, 0.0)
    assert gather.replace(0.2) == ["d"], "b has a substitute already"
    assert gather.rejected == {"a": "out of service", "b": "out of service"}
    assert gather.zones == gather.late == gather.ages == {}


# --- holding


@given(
    wishes=st.lists(st.integers(0, 2), min_size=1, max_size=40),
    min_hold=st.floats(0, 12),
    tick=st.sampled_from([0.1, 1.0, 2.5]),
    start=st.sampled_from([0.0, 1.7e9]),
)
def test_every_priority_stays_as_long_as_it_must_and_no_longer(
    wishes: list[int], min_hold: float, tick: float, start: float
) -> None:
    holding, published = Holding(min_hold), [(start, 0)]
    for number, wish in enumerate(wishes):
        stamp, priority = published[-1]
        reason = holding.reason(priority, stamp, tick, stopped=False, nobody=False)
        published.append((start + (number + 1) * tick, priority if reason else wish))
        changed_at = max(
            (t for (_, before), (t, now) in itertools.pairwise(published[:-1]) if before != now), default=start
        )
        free = published[-1][0] - changed_at
        assert reason in ("", MIN_HOLD)
        if abs(free - min_hold) > 1e-5:  # beside the clock's rounding
            assert (reason == "") == (free > min_hold)


def test_a_clock_that_jumps_back_starts_the_stay_anew() -> None:
    holding = Holding(3.0)
    reasons = [holding.reason(1, stamp, 1.0, False, False) for stamp in (100.0, 101.0, 102.0, 7.0, 8.0, 9.0)]
    assert reasons == [MIN_HOLD, MIN_HOLD, "", MIN_HOLD, MIN_HOLD, ""]


def test_a_stop_is_told_before_anything_else() -> None:
    holding = Holding(3.0)
    assert holding.reason(0, 0.0, 1.0, stopped=True, nobody=True) == ESTOP
    assert holding.reason(0, 0.0, 1.0, stopped=False, nobody=True) == NOBODY


# --- configuration


@pytest.mark.parametrize(
    ("safety", "sentence"),
    [
        ({"mode": "walk"}, "safety.mode"),
        ({"min_hold": -1}, "safety.min_hold"),
        ({"confirm_for": 0}, "safety.confirm_for"),
        ({"battery_low": 20}, "safety.battery_low"),
        ({"battery_low": 0.3, "battery_back": 0.2}, "battery_back must be at least battery_low"),
        ({"exclude": ["e"]}, "safety.exclude: 'e' is not in the fleet"),
    ],
)
def test_a_wrong_configuration_is_refused(safety: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence.replace(".", r"\.")):
        config(**safety)


def test_half_a_metre_is_braking_and_more_is_driving_on() -> None:
    halt, one = Halt(1), np.ones(1, dtype=int)
    halt.turn(True)
    assert halt.due(poses(0), one) == [0]
    assert halt.due(poses(0.45), one) == []
    assert halt.due(poses(0.55), one) == [0]
