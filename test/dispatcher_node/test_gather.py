"""One tick's gathering: who is asked, when a robot is replaced, when it ends. Times are numbers, nobody waits."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from meanfleet.dispatcher_node.gather import Gather

TIMEOUT, MAX_AGE, BEGAN = 1.0, 2.0, 100.0


def gather(k: int = 3, fleet: int = 8) -> Gather:
    """Robots r0… are drawn in order, r0…r(k−1) first."""
    names = [f"r{i}" for i in range(fleet)]
    left = names[k:]

    def more(count: int) -> list[str]:
        drawn, left[:] = left[:count], left[count:]
        return drawn

    return Gather(names[:k], BEGAN, TIMEOUT, MAX_AGE, more)


def test_it_is_complete_when_k_fresh_zones_are_in() -> None:
    one = gather()
    for i in range(3):
        assert not one.complete
        assert not one.done(BEGAN + 0.1)
        one.receive(f"r{i}", i, 0.1)
    assert one.complete
    assert one.done(BEGAN + 0.1)
    assert one.zones == {"r0": 0, "r1": 1, "r2": 2}
    assert one.replace(BEGAN + 0.9) == []


def test_it_ends_at_the_deadline_with_what_there_is() -> None:
    one = gather()
    one.receive("r1", 2, 0.0)
    assert not one.done(BEGAN + TIMEOUT - 1e-9)
    assert one.done(BEGAN + TIMEOUT)
    assert not one.complete
    assert one.missing == ["r0", "r2"]
    assert one.replace(BEGAN + TIMEOUT) == []


def test_a_stale_robot_is_replaced_at_once_and_a_silent_one_after_half_the_time() -> None:
    one = gather()
    one.receive("r0", 0, MAX_AGE + 0.01)
    assert one.replace(BEGAN + 0.01) == ["r3"]
    assert one.replace(BEGAN + 0.02) == []
    assert one.replace(BEGAN + 0.499) == []
    # r1 and r2 have said nothing by now; r3, asked later, has a little longer.
    assert one.replace(BEGAN + 0.5) == ["r4", "r5"]
    assert one.replace(BEGAN + 0.504) == []
    assert one.replace(BEGAN + 0.506) == ["r6"]
    assert one.asked == [f"r{i}" for i in range(7)]
    assert one.replacements == ["r3", "r4", "r5", "r6"]


def test_the_silent_are_given_up_once() -> None:
    one = gather()
    assert one.replace(BEGAN + 0.6) == ["r3", "r4", "r5"]
    one.receive("r3", 1, 0.0)
    one.receive("r4", 1, 0.0)
    # r0…r2 were given up already; r5 has half of the 0.4 s that were left when it was asked.
    assert one.replace(BEGAN + 0.79) == []
    assert one.replace(BEGAN + 0.81) == ["r6"]
    assert one.replace(BEGAN + 0.9) == []
    assert one.replace(BEGAN + 0.91) == ["r7"]


def test_robots_given_up_may_still_answer() -> None:
    one = gather()
    one.replace(BEGAN + 0.6)
    for i in range(3):
        one.receive(f"r{i}", i, 0.0)
    assert one.complete


def test_age_limits_hold_on_both_sides_and_are_included() -> None:
    one = gather(4)
    one.receive("r0", 0, MAX_AGE)
    one.receive("r1", 0, -MAX_AGE)
    one.receive("r2", 0, MAX_AGE + 1e-6)
    one.receive("r3", 0, -MAX_AGE - 1e-6)
    assert set(one.zones) == {"r0", "r1"}
    assert one.rejected == {"r2": "stale", "r3": "from the future"}
    assert one.stale == ["r2", "r3"]


def test_an_unknown_zone_is_refused_with_its_reason() -> None:
    one = gather()
    one.receive("r0", None, 0.0)
    assert one.rejected == {"r0": "unknown zone"}
    assert one.replace(BEGAN) == ["r3"]


def test_a_later_good_message_replaces_an_earlier_one_and_a_bad_one_does_not() -> None:
    one = gather()
    one.receive("r0", 0, 5.0)
    one.receive("r0", 1, 0.5)
    assert (one.zones, one.rejected) == ({"r0": 1}, {})
    one.receive("r0", 2, 0.1)
    one.receive("r0", None, 0.0)
    one.receive("r0", 0, 9.0)
    assert (one.zones, one.rejected) == ({"r0": 2}, {})
    assert one.messages == {"r0": 5}
    assert one.missing == ["r1", "r2"]


def test_a_late_zone_is_kept_for_a_belief_while_its_robot_is_replaced() -> None:
    """Up to `reach` ticks; without reach, as for a dispatcher without memory, it is dropped."""
    names = [f"r{i}" for i in range(9)]
    for reach, late in ((0, {}), (2, {"r0": 4}), (9, {"r0": 4, "r1": 1})):
        one = Gather(names[:4], BEGAN, TIMEOUT, MAX_AGE, lambda count: names[4 : 4 + count], reach)
        one.receive("r0", 4, 5.0, 2)
        one.receive("r1", 1, 9.0, 4)
        one.receive("r2", 0, -9.0, 1)
        one.receive("r3", None, 5.0, 1)
        assert one.late == late
        assert one.zones == {}
        assert one.rejected == {"r0": "stale", "r1": "stale", "r2": "from the future", "r3": "unknown zone"}
        assert one.replace(BEGAN) == ["r4", "r5", "r6", "r7"]
        one.receive("r0", 2, 1.0, 1)
        assert "r0" not in one.late
        assert (one.zones, one.ages["r0"]) == ({"r0": 2}, min(reach, 1))  # fresh; a tick old to those who remember


class Ticks(RuleBasedStateMachine):
    """Any order of messages, pauses and replacements in a fleet of 10, k = 4."""

    def __init__(self) -> None:
        super().__init__()
        self.gather, self.now, self.sent = gather(4, 10), BEGAN, 0
        self.fresh: dict[str, int] = {}

    @rule(seconds=st.floats(0, 0.4))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(pick=st.integers(0, 9), zone=st.none() | st.integers(0, 4), age=st.floats(-3, 3))
    def hear(self, pick: int, zone: int | None, age: float) -> None:
        name = self.gather.asked[pick % len(self.gather.asked)]
        self.gather.receive(name, zone, age)
        self.sent += 1
        if zone is not None and abs(age) <= MAX_AGE:
            self.fresh[name] = zone

    @rule()
    def replace(self) -> None:
        before = list(self.gather.asked)
        fresh = self.gather.replace(self.now)
        assert not fresh or self.now < BEGAN + TIMEOUT
        assert self.gather.asked == before + fresh

    @precondition(lambda self: self.gather.complete)
    @rule()
    def a_complete_tick_is_done(self) -> None:
        assert self.gather.done(self.now)

    @invariant()
    def nobody_is_drawn_twice(self) -> None:
        assert len(set(self.gather.asked)) == len(self.gather.asked) <= 10
        assert self.gather.asked == self.gather.asked[:4] + self.gather.replacements

    @invariant()
    def zones_are_the_last_good_messages_and_every_message_is_counted(self) -> None:
        assert self.gather.zones == self.fresh
        assert sum(self.gather.messages.values()) == self.sent

    @invariant()
    def every_asked_robot_is_in_one_state(self) -> None:
        one = self.gather
        groups = [set(one.zones), set(one.rejected), set(one.missing)]
        assert set().union(*groups) == set(one.asked)
        assert sum(map(len, groups)) == len(one.asked)


TestTicks = Ticks.TestCase
TestTicks.settings = settings(deadline=None, derandomize=True, max_examples=60, stateful_step_count=25)
