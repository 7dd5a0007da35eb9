"""What a robot node says of robots that another node has too."""

from __future__ import annotations

from meanfleet.robot_node.twins import NAMED, Twins

LEASE = 25.0


def test_a_second_node_is_named_and_may_be_a_ghost_for_as_long_as_its_lease() -> None:
    twins = Twins(LEASE)
    twins.look({}, 0.0)
    assert (twins.text, twins.level) == ("", "ok")
    twins.look({"r1": ["/twin", "/robots"]}, 10.0)
    assert twins.level == "warn"
    assert "more than one node has r1: /robots and /twin send goals to the same robot" in twins.text
    assert "killed less than 25 s ago may still be listed" in twins.text
    twins.look({"r1": ["/twin", "/robots"]}, 10.1 + LEASE)
    assert twins.level == "error"
    assert "killed" not in twins.text
    twins.look({}, 50.0)
    assert (twins.text, twins.level) == ("", "ok")
    twins.look({"r1": ["/robots", "/robots"]}, 60.0)
    assert twins.level == "warn", "it counts anew"
    assert "/robots and /robots" in twins.text


def test_many_robots_are_not_all_named() -> None:
    twins = Twins(LEASE)
    twins.look({f"r{i}": ["/a", "/b"] for i in range(NAMED + 4)}, 0.0)
    assert "r0, r1, r2 and 4 more" in twins.text
    assert "r3" not in twins.text
