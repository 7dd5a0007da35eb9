"""Whose messages count on a topic that one node alone may publish, by a clock of the test's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meanfleet.ros.exclusive_choice import SETTLED, Choice

A, B = b"a", b"b"


def test_a_publisher_counts_once_it_has_been_alone_for_long_enough() -> None:
    choice: Choice[str] = Choice()
    choice.look([A], [(A, "first")], 0.0)
    assert choice.latest is None
    choice.look([A], [], SETTLED)
    assert choice.latest == "first"
    choice.look([A], [(A, "second")], 5.0)
    assert choice.latest == "second"


def test_whoever_comes_and_goes_counts_neither_alone_nor_beside_another() -> None:
    choice: Choice[str] = Choice()
    choice.came = 1
    choice.look([], [(B, "stray")], 0.0)  # gone before anybody looked
    choice.look([], [], 2.0)
    assert (choice.latest, choice.strays) == (None, 1)
    choice.came = 2
    choice.look([A], [(A, "first")], 3.0)
    choice.look([A], [], 4.0)
    choice.came = 3
    choice.look([A, B], [(A, "second"), (B, "stray")], 5.0)
    assert (choice.latest, choice.publishers) == ("first", 2)
    choice.look([A], [], 5.02)
    choice.look([A], [], 6.0)
    assert (choice.latest, choice.strays) == ("second", 2), "what the publisher said meanwhile is lost"


def test_of_two_that_stay_none_counts_until_one_is_left() -> None:
    choice: Choice[str] = Choice()
    choice.came = 2
    for wall in range(10):
        choice.look([A, B], [(A, f"a{wall}"), (B, f"b{wall}")], float(wall))
    assert choice.latest is None
    choice.look([B], [], 10.0)
    choice.look([B], [], 11.0)
    assert (choice.latest, choice.strays) == ("b9", 1)
    choice.look([], [], 20.0)
    assert choice.latest == "b9", "what was obeyed last is forgotten with its publisher"


@given(st.lists(st.tuples(st.sampled_from([(), (A,), (B,), (A, B)]), st.floats(0.01, 1.0)), max_size=40))
def test_what_counts_came_from_who_was_alone_for_long_enough(looks: list[tuple[tuple[bytes, ...], float]]) -> None:
    choice: Choice[str] = Choice()
    wall, alone, allowed = 0.0, 0.0, {None}
    before: tuple[bytes, ...] = ()
    for there, step in looks:
        alone = wall if there != before else alone
        before = there
        choice.look(there, [(one, one.decode()) for one in there], wall)
        if len(there) == 1 and wall - alone >= SETTLED:
            allowed.add(there[0].decode())
        assert choice.latest in allowed
        wall += step
