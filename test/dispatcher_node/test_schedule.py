"""Ticks by a clock that stops, runs ahead and jumps, against a list of all times at which it was looked at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfleet.dispatcher_node.schedule import STALLED, Schedule


@given(st.lists(st.floats(0.001, 3.0), min_size=1, max_size=60), st.sampled_from([0.5, 1.0, 8.0]))
def test_every_multiple_of_the_tick_is_begun_or_counted_as_skipped(steps: list[float], tick: float) -> None:
    schedule, now, last = Schedule(tick), 0.3, 0
    for step in steps:
        due = schedule.look(now, now)
        if due is not None:
            number = round(due.stamp / tick)
            assert due.stamp == pytest.approx(number * tick)
            assert due.stamp <= now < due.stamp + tick
            assert due.jumped == 0
            assert not last or number - last == 1 + due.skipped
            last = number
        now += step


@given(st.lists(st.tuples(st.floats(0.001, 5.0), st.booleans()), min_size=1, max_size=60))
def test_ticks_due_while_nobody_looks_are_counted_when_somebody_does(steps: list[tuple[float, bool]]) -> None:
    """A pause, after any of the looks, of any length, at any number of ticks."""
    schedule, now, stamps, counted = Schedule(1.0), 0.3, [], 0
    for step, paused in steps:
        if paused:
            schedule.restart()
        due = schedule.look(now, now)
        if due is not None:
            assert due.stamp <= now
            stamps.append(due.stamp)
            counted += due.skipped if len(stamps) > 1 else 0
            assert counted + len(stamps) == round(due.stamp - stamps[0]) + 1
        now += step
    assert stamps == sorted(set(stamps)), "a tick was begun twice"


def test_no_tick_before_the_clock_is_heard() -> None:
    schedule = Schedule(1.0)
    assert schedule.look(0.0, 5.0) is None
    due = schedule.look(7.2, 6.0)
    assert due is None  # ticks are at multiples
    due = schedule.look(8.0, 6.5)
    assert due is not None
    assert (due.stamp, due.skipped, due.jumped) == (8.0, 0, 0.0)


def test_a_clock_that_jumps_back_starts_the_ticks_anew() -> None:
    schedule = Schedule(2.0)
    for now in range(0, 101):
        schedule.look(float(now), float(now))
    assert schedule.look(3.5, 101.0) is None
    due = schedule.look(4.0, 102.0)
    assert due is not None
    assert (due.stamp, due.skipped) == (4.0, 0)
    assert due.jumped == pytest.approx(96.5)
    following = schedule.look(6.0, 103.0)
    assert following is not None
    assert following.jumped == 0


def test_a_step_back_within_two_ticks_repeats_no_tick() -> None:
    schedule = Schedule(1.0)
    assert schedule.look(10.0, 0.0) is not None
    assert [schedule.look(now, 0.0) for now in (9.5, 10.0, 10.9)] == [None] * 3
    due = schedule.look(11.0, 0.0)
    assert due is not None
    assert due.skipped == 0


def test_a_clock_stands_still_only_after_it_was_looked_at() -> None:
    schedule = Schedule(1.0)
    assert schedule.stalled(100.0) == 0
    schedule.look(5.5, 100.0)
    schedule.look(5.5, 100.0 + STALLED)
    assert schedule.stalled(100.0 + STALLED) == 0
    assert schedule.stalled(101.0 + STALLED) == pytest.approx(1.0 + STALLED)
    schedule.look(5.6, 101.0 + STALLED)
    assert schedule.stalled(101.0 + STALLED) == 0


def test_a_clock_has_jumped_back_when_it_is_more_than_two_ticks_before_the_next() -> None:
    schedule = Schedule(1.0)
    assert schedule.look(10.0, 0.0) is not None
    assert [schedule.look(now, 0.0) for now in (9.05, 10.0)] == [None] * 2
    assert schedule.look(8.95, 0.0) is None
    due = schedule.look(9.0, 0.0)
    assert due is not None
    assert (due.stamp, due.jumped) == (9.0, pytest.approx(1.05))
