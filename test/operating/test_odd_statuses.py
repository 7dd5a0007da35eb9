"""Statuses of anybody in diagnostics, from right ones with any value replaced to any JSON: nobody falls over them."""

from __future__ import annotations

import copy
import io
import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from rich.console import Console

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.operating.watch.faults import faults
from meanfleet.operating.watch.state import FleetState
from meanfleet.operating.watch.statuses import Status, printable
from meanfleet.operating.watch.view import View, plain_line
from meanfleet.running.record import RunRecord
from meanfleet.running.summary import summarise
from meanfleet.solver.bundle.policy import PolicyBundle

ROBOTS = ["robot_00", "robot_01", "robot_02"]
TICK: dict[str, Any] = {
    "tick": 3, "stamp": 24.0, "priority": "storage", "sampled": ROBOTS[:2], "replacements": [], "zones": {},
    "messages": {"robot_00": 1}, "missing": ["robot_01"], "stale": {"robot_02": "stale"}, "k": 2, "answered": 1,
    "complete": False, "gather_seconds": 0.02, "table_k": 1, "dispatch": "picking", "next_priority": "picking",
    "skipped": 0, "ledger": {"complete": 1, "partial": 1}, "clashes": 0, "rule": "learned", "observer": "memoryless",
    "sampling": "uniform", "kappa": None, "mean": [0.5, 0.5], "effective": 2.0, "surprise": 0.0,
}  # fmt: skip
ACT: dict[str, Any] = {
    "stamp": 24.0, "robots": ROBOTS, "zones": [0, 1, 2], "moves": [0, 1, 2], "zone_messages": 3, "bad_poses": {"a": 1},
    "silent_poses": {"robot_00": None},
}  # fmt: skip
WORLD: dict[str, Any] = {"time": 24.0, "wall": 3.0, "real_time_factor": 8.0, "statistics": {}}
RIGHT = {"dispatcher": TICK, "robots robot_00": ACT, "robots other": {"holding": ["a"], "clashes": 1}, "world": WORLD}

NUMBERS = st.one_of(
    st.integers(-3, 10), st.sampled_from([10**400, -(10**30), float("nan"), float("inf"), -1e308, 1e308])
)
TEXTS = st.sampled_from(["", "storage", "atlantis", "[/x]", "\x1b[2J\n", "x" * 10_000])
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)


@st.composite
def one(draw: st.DrawFn) -> Status:
    """A right status of which some values are others, or none."""
    name = draw(st.sampled_from([*RIGHT, "dispatcher clock", ""]))
    values = copy.deepcopy(RIGHT.get(name, {}))
    for key in draw(st.lists(st.sampled_from(sorted(values) or ["x"]), max_size=3)):
        if draw(st.booleans()):
            values.pop(key, None)
        else:
            values[key] = draw(ANYTHING)
    level = draw(st.sampled_from(["ok", "warn", "error"]))
    return Status(name, level, printable(draw(TEXTS)), values)  # type: ignore[arg-type]


@seed(16)
@settings(max_examples=100, deadline=None)
@given(st.lists(one(), max_size=12))
def test_the_watch_draws_whatever_comes(statuses: list[Status]) -> None:
    state = FleetState(("receiving", "storage", "picking"), 3, 0.0)
    for number, status in enumerate(statuses):
        state.add(status, float(number))
    now = float(len(statuses)) + 100.0
    console = Console(file=io.StringIO(), width=100, color_system=None)
    console.print(View(state, None, "domain 0").render(now))
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b" not in drawn
    json.dumps(state.as_dict())
    for fault in faults(state, now):
        assert fault.text.isprintable()
    if state.tick is not None:
        assert plain_line(state, state.tick).isprintable()


@seed(16)
@settings(max_examples=100, deadline=None)
@given(st.lists(one(), max_size=12))
def test_a_runs_summary_is_of_what_can_be_read(demo_path: Any, demo_bundle: PolicyBundle, given: list[Status]) -> None:
    config, record = Config.from_yaml(demo_path).with_robots(3), RunRecord()
    for status in given:
        record.add(status.name, dict(status.values))
    before = record.unreadable
    # A run without a tick, or without one in which all robots acted, has no summary.
    with np.errstate(all="ignore"), suppress(UserError):
        json.dumps(summarise(record, config, demo_bundle))
    assert record.unreadable == before


def test_right_statuses_are_read_and_others_counted() -> None:
    record = RunRecord()
    assert record.add("dispatcher", TICK)
    record.add("robots robot_00", ACT)
    record.add("world", WORLD)
    assert (len(record.ticks), len(record.acts), len(record.world), record.unreadable) == (1, 1, 1, 0)
    for key in ("stamp", "messages", "priority"):
        assert not record.add("dispatcher", {name: value for name, value in TICK.items() if name != key})
    record.add("robots robot_00", ACT | {"moves": [0]})
    assert (len(record.ticks), record.unreadable) == (1, 4)


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "x" * 10_000])
def test_a_text_of_others_is_one_line_of_a_terminal(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text)) < 600
