"""What a robot node that cannot act yet says it waits for."""

from __future__ import annotations

import pytest

from meanfleet.robot_node.awaiting import awaited


def test_nothing_is_said_when_nothing_is_missing() -> None:
    assert awaited(clock=True, silent=[], priority=True) == ""


@pytest.mark.parametrize("clock", [True, False])
@pytest.mark.parametrize("priority", [True, False])
@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_whatever_is_missing_is_named(clock: bool, priority: bool, count: int) -> None:
    said = awaited(clock, [f"/robot_{i}/odom" for i in range(count)], priority)
    assert ("/clock" in said) == (not clock)
    assert ("a priority" in said) == (not priority)
    assert said.count("/odom") == min(count, 3)
    assert ("and 2 more" in said) == (count == 5)
