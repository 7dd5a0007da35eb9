"""Before the first tick robots of all processes are asked whether they are heard."""

from __future__ import annotations

import pytest

from meanfleet.dispatcher_node.rehearsal import AT_MOST, PATIENCE, Rehearsal


@pytest.mark.parametrize("found", [0, 1, 5, AT_MOST, AT_MOST + 1, 1000])
def test_it_ends_when_all_asked_were_heard(found: int) -> None:
    names = [f"robot_{i}" for i in range(found)]
    rehearsal = Rehearsal(names, began=10.0)
    assert len(set(rehearsal.asked)) == min(found, AT_MOST)
    assert rehearsal.done(10.0) == (found == 0)
    for name in rehearsal.asked:
        assert not rehearsal.done(10.0)
        rehearsal.hear(name)
        rehearsal.hear(name)
    rehearsal.hear("somebody else")
    assert rehearsal.done(10.0)


def test_those_asked_are_spread_over_the_fleet() -> None:
    """Robots of one process mostly follow one another: each of ten processes with a hundred has robots among them."""
    asked = Rehearsal([str(i) for i in range(1000)], began=0.0).asked
    assert {int(name) // 100 for name in asked} == set(range(10))


def test_patience_with_the_silent_ends() -> None:
    rehearsal = Rehearsal(["robot_0", "robot_1"], began=10.0)
    rehearsal.hear("robot_0")
    assert not rehearsal.done(10.0 + 0.99 * PATIENCE)
    assert rehearsal.done(10.0 + PATIENCE)
