"""The watch's picture without ROS: what statuses add up to, which faults they show, how it is drawn."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from meanfleet.base.words import gap_text
from meanfleet.dispatcher_node.report import Ledger, TickReport
from meanfleet.operating.watch.faults import faults
from meanfleet.operating.watch.regret import regret_lines
from meanfleet.operating.watch.state import FleetState
from meanfleet.operating.watch.statuses import Status, Tick, read_as
from meanfleet.operating.watch.view import BAR, SPARKS, View, bar, plain_line, sparks
from meanfleet.solver.bundle.policy import PolicyBundle

ZONES = ("receiving", "storage", "picking")
PERIOD = 8.0  # [s]
REPORT = TickReport(
    tick=0,
    stamp=PERIOD,
    priority="storage",
    sampled=["a", "b"],
    replacements=[],
    zones={"a": "storage", "b": "picking"},
    messages={"a": 1, "b": 1},
    missing=[],
    stale={},
    k=2,
    answered=2,
    complete=True,
    gather_seconds=0.02,
    histogram=[0, 1, 1],
    table_k=2,
    dispatch="picking",
    next_priority="picking",
    skipped=0,
    ledger={"complete": 1, "partial": 0, "held": 0, "skipped": 0},
    clashes=0,
    rule="learned",
    observer="memoryless",
    sampling="uniform",
    kappa=None,
    heard={},
    belief=[0.0, 1.0, 1.0],
    mean=[0.0, 0.5, 0.5],
    entropy=0.7,
    effective=2.0,
    surprise=0.0,
    rho=1.0,
    polls_per_tick=None,
)


def tick(number: int, **changes: Any) -> Status:
    """The status that the dispatcher's own report becomes on its way through JSON."""
    report = replace(REPORT, tick=number, stamp=PERIOD * (number + 1), **changes)
    return Status("dispatcher", report.level, report.message, json.loads(json.dumps(report.values())))  # type: ignore[arg-type]


def act(process: str, number: int, robots: list[str], zones: list[int], **more: Any) -> Status:
    values = {"stamp": PERIOD * (number + 1), "robots": robots, "zones": zones, "moves": [0] * len(zones), **more}
    return Status(f"robots {process}", "warn" if more else "ok", "acted", values)


def state(*statuses: Status, robots: int | None = None) -> FleetState:
    """A tick's statuses come at the tick's stamp, as on a wall clock."""
    picture, now = FleetState(ZONES, robots, 0.0), 0.0
    for status in statuses:
        now = status.values.get("stamp", now)
        picture.add(status, now)
    return picture


def texts(picture: FleetState, now: float) -> list[str]:
    return [fault.text for fault in faults(picture, now)]


# --- what is seen


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.lists(st.integers(0, 2), max_size=6)),
        max_size=8,
    )
)
def test_seen_counts_the_last_report_of_every_process_that_keeps_up(reports: list[tuple[str, int, list[int]]]) -> None:
    """Against counting by hand: reports of tick 3 and later are current when tick 5 is the last."""
    picture = state(*(tick(number) for number in range(6)))
    last: dict[str, tuple[int, list[int]]] = {}
    for process, number, zones in reports:
        picture.add(act(process, number, [f"{process}{i}" for i in range(len(zones))], zones), 0.0)
        last[process] = number, zones
    counts = Counter(zone for number, zones in last.values() if number >= 3 for zone in zones)
    assert picture.seen == (tuple(counts[zone] for zone in range(3)) if counts else ())


def test_robots_of_several_types_are_counted_by_type_and_zone() -> None:
    """Strangers, and zones that there are not, count nowhere."""
    names = [f"{kind}/{zone}" for kind in ("carrier", "scout") for zone in ZONES]
    picture = FleetState(names, 4, 0.0, {"a0": 0, "a1": 1, "b0": 1, "b1": 1}, types=2)
    picture.add(tick(0, mean=[0.25, 0.0, 0.0, 0.0, 0.5, 0.25], sampling="graphon", weighted=(0.0, 0.75, 0.25)), 0.0)
    picture.add(act("a", 0, ["a0", "a1", "stranger"], [2, 1, 0]), 0.0)
    picture.add(act("b", 0, ["b0", "b1"], [1, 4]), 0.0)
    assert picture.seen == (0, 0, 1, 0, 2, 0)
    told = drawn(picture, width=120)
    rows = {part: line for line in told.splitlines() for part in line.split() if "/" in part}
    assert set(names) <= set(rows)
    assert [name for name in names if "▸" in rows[name]] == ["carrier/storage", "scout/storage"]
    assert "67%     2" in rows["scout/storage"]
    assert "33%     1" in rows["carrier/picking"]
    assert "matters" in told
    assert "storage 75%" in told


def test_a_type_without_robots_has_its_zones_all_the_same() -> None:
    """As the last of three types in a fleet of two robots; a zone of another type's is none that a robot can tell."""
    names = [f"{kind}/{zone}" for kind in ("carrier", "scout", "spare") for zone in ZONES]
    picture = FleetState(names, 2, 0.0, {"a0": 0, "a1": 1, "b0": 1}, types=3)
    picture.add(tick(0, mean=[0.5, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0]), 0.0)
    picture.add(act("a", 0, ["a0", "a1"], [2, 1]), 0.0)
    picture.add(act("b", 0, ["b0"], [3]), 0.0)
    assert picture.seen == (0, 0, 1, 0, 1, 0, 0, 0, 0)
    assert picture.steerable == ZONES


def test_believed_is_the_mean_of_the_last_tick() -> None:
    assert state().believed == ()
    assert state(tick(0), tick(1, mean=[0.2, 0.3, 0.5])).believed == (0.2, 0.3, 0.5)


@given(st.lists(st.sets(st.sampled_from("abcd")), min_size=1, max_size=40))
def test_refused_counts_robots_over_the_last_twenty_ticks(missing: list[set[str]]) -> None:
    picture = state(*(tick(number, missing=sorted(names)) for number, names in enumerate(missing)))
    counts = Counter(name for names in missing[-20:] for name in names)
    assert {name: times for name, (times, _) in picture.refused().items()} == counts


def test_latency_percentiles_are_those_of_what_is_remembered() -> None:
    picture = state(*(tick(number, gather_seconds=number / 1000) for number in range(301)))
    last, median, high = picture.gather_milliseconds
    assert (last, median) == pytest.approx((300.0, 200.5))  # of 101 … 300 ms
    assert 298 <= high <= 299


# --- what is wrong


def test_a_fleet_that_works_has_no_fault() -> None:
    picture = state(tick(0), act("a", 0, ["a", "b"], [1, 2]), tick(1), act("a", 1, ["a", "b"], [1, 2]), robots=2)
    assert texts(picture, 2 * PERIOD + 1) == []


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        ([tick(1, clashes=1)], "2 dispatchers publish the priority"),
        ([tick(1, table_k=None, answered=0, complete=False)], "the priority is held: 0 of 2 robots answered"),
        ([tick(1, missing=["a"]), tick(2, stale={"a": "from the future"})], "a (2 ×, from the future)"),
        ([tick(1), act("a", 1, ["a", "b"], [1, 1], bad_poses={"b": 7})], "poses that are no numbers: b (7)"),
        ([tick(1), act("a", 1, ["a", "b"], [1, 1], silent_poses={"a": 31.0, "b": None})], "a (31 s), b (never)"),
        ([tick(1), tick(2), tick(3)], "2 robots have not acted for more than 2 ticks: robots a"),
        ([tick(1), act("a", 1, ["a"], [1])], "1 of 2 robots have not reported"),
        ([Status("robots a", "warn", "no priority", {"holding": ["a", "b"]})], "2 robots hold their zones: a, b"),
        (
            [Status("dispatcher clock", "error", "the clock stands still at 9.0 s for 6 s", {})],
            "the clock stands still",
        ),
        ([Status("dispatcher", "ok", "tick", {"tick": "garbage"})], "1 statuses could not be read"),
    ],
)
def test_each_fault_is_told(statuses: list[Status], told: str) -> None:
    picture = state(tick(0), act("a", 0, ["a", "b"], [1, 2]), *statuses, robots=2)
    (text,) = texts(picture, picture.tick_at)
    assert told in text


def test_before_the_second_tick_nobody_is_late() -> None:
    """How long a tick is, is not known yet without a configuration; with one the dispatcher may be late already."""
    picture = state(tick(0), act("a", 0, ["a"], [1]), robots=2)
    assert texts(picture, PERIOD + 60) == []
    picture.add(tick(1), 2 * PERIOD)
    assert texts(picture, 2 * PERIOD) == ["1 of 2 robots have not reported"]
    configured = FleetState(ZONES, 2, 0.0, period=PERIOD)
    configured.add(tick(0), PERIOD)
    assert texts(configured, 3.9 * PERIOD) == []
    assert texts(configured, 4.1 * PERIOD) == ["no tick of the dispatcher for 25 s"]


def test_a_shadow_beside_the_dispatcher_changes_nothing() -> None:
    """Its ticks come between those of the dispatcher in charge; by itself it is what there is to see."""
    picture = state(robots=2)
    for number in range(4):
        now = PERIOD * (number + 1)
        picture.add(shadowed(number + 20, now - PERIOD / 2), now - PERIOD / 2)
        picture.add(tick(number), now)
        picture.add(act("a", number, ["a", "b"], [1, 2]), now)
        picture.add(shadowed(number + 20, now), now)
        assert texts(picture, now) == []
    assert [one.mode for one in picture.ticks] == ["run"] * 4
    assert picture.period == PERIOD
    picture.add(shadowed(4, 5 * PERIOD), 5 * PERIOD)
    assert picture.tick is not None
    assert picture.tick.mode == "shadow", "the same dispatcher, whose mode was changed"
    alone = state(shadowed(0, PERIOD), shadowed(1, 2 * PERIOD), robots=2)
    assert texts(alone, 2 * PERIOD + 1) == []


def shadowed(number: int, stamp: float) -> Status:
    said = tick(number)
    return replace(said, values={**said.values, "stamp": stamp, "mode": "shadow"})


def test_a_silent_dispatcher_is_a_fault_after_three_ticks() -> None:
    picture = state(tick(0), tick(1))
    assert texts(picture, picture.tick_at + 2.9 * PERIOD) == []
    assert texts(picture, picture.tick_at + 3.1 * PERIOD) == ["no tick of the dispatcher for 25 s"]
    picture.add(Status("world", "ok", "", {"time": 16.0, "real_time_factor": 8.0}), picture.tick_at)
    assert texts(picture, picture.tick_at + 5.1) == ["no tick of the dispatcher for 5 s"], "8 s take 1 s there"


def test_faults_end_when_their_cause_does() -> None:
    picture = state(tick(0, clashes=1), Status("robots a", "warn", "holding", {"holding": ["a"]}))
    assert len(texts(picture, PERIOD)) == 2
    picture.add(tick(1), 2 * PERIOD)
    picture.add(act("a", 1, ["a"], [0]), 2 * PERIOD)
    assert texts(picture, 2 * PERIOD) == []
    assert [note.text for note in picture.notes.values() if "other publisher" in note.text], "but they are remembered"


def test_the_same_warning_is_one_note_with_a_count() -> None:
    picture = state(*(tick(number, answered=1, complete=False) for number in range(4)))
    (note,) = picture.notes.values()
    assert (note.count, note.level, note.at) == (4, "warn", 4 * PERIOD)
    assert "tick 3" in note.text


# --- what comes over the network may be anything

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["tick", "stamp", "mean", "robots", "zones", "holding", "ledger", "k", "silent_poses", "time"])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["dispatcher", "robots a", "world", "other"]), st.dictionaries(KEYS, ANYTHING, max_size=6)
        ),
        max_size=5,
    )
)
def test_garbage_neither_breaks_nor_changes_the_picture(said: list[tuple[str, dict[str, Any]]]) -> None:
    picture = state(tick(0))
    for name, values in said:
        whole = REPORT.values() if name == "dispatcher" else {}
        picture.add(Status(name, "ok", "", whole | values if len(values) > 3 else values), PERIOD)
    drawn(picture)
    assert picture.tick is not None


def test_zones_out_of_any_range_do_not_break_the_view() -> None:
    for zone in (-1, 10**9):
        assert "no faults" not in drawn(state(tick(0), act("a", 0, ["a"], [zone])))


# --- what is drawn


def drawn(picture: FleetState, bundle: PolicyBundle | None = None, width: int = 80) -> str:
    console = Console(record=True, width=width, file=open("/dev/null", "w"), color_system=None)  # noqa: SIM115
    console.print(View(picture, bundle, "domain 0").render(picture.tick_at))
    return console.export_text()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_view_holds_all_that_is_asked_for(width: int, demo_bundle: PolicyBundle) -> None:
    picture = state(tick(0), act("a", 0, ["a", "b"], [1, 1]), robots=2)
    text = drawn(picture, demo_bundle, width)
    for part in (*ZONES, "2 of 2", "20 ms", "complete 1 (100%)", "▸ storage", "no faults", "100%", "50%"):
        assert part in text, part
    assert max(map(len, text.splitlines())) <= width


def test_before_the_first_tick_it_says_what_it_waits_for() -> None:
    view = View(FleetState(), None, "domain 7")
    console = Console(record=True, width=80, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(view.render(1.0))
    console.print(view.render(6.0))
    early, late = console.export_text().split("waiting")[1:]
    assert "domain 7" in early
    assert "doctor" not in early
    assert "meanfleet doctor" in late


def test_the_regret_is_the_certificate_of_the_table_that_decided(demo_bundle: PolicyBundle) -> None:
    for k in demo_bundle.ks:
        first, second = regret_lines(demo_bundle, read(tick(0, table_k=k)))
        certificate = demo_bundle.certificate[k]
        assert f"dispatcher ≤ {gap_text(certificate['global_gap'])}" in first
        assert f"robots ≤ {gap_text(certificate['local_gap_high'])}" in first
        assert f"k = {k} robots" in first
        assert f"{certificate['fleet']['mean']:.1f}" in second
    assert "none" in regret_lines(demo_bundle, read(tick(0, table_k=None)))[0]
    assert "--policy" in regret_lines(None, read(tick(0)))[0]
    assert "no bound is proven" in regret_lines(demo_bundle, read(tick(0, table_k=None, kappa=8)))[0]


def read(status: Status) -> Tick:
    found = read_as(Tick, status)
    assert isinstance(found, Tick)
    return found


@given(st.floats(0, 1))
def test_a_bar_is_as_long_as_its_share(share: float) -> None:
    text = bar(share, "", "blue").plain
    assert len(text) == BAR
    assert abs(text.count("█") - share * BAR) <= 0.5


@given(st.lists(st.floats(0, 1e6), max_size=30))
def test_sparks_keep_the_order_of_values(values: list[float]) -> None:
    line = sparks(values).plain
    heights = [SPARKS.index(mark) for mark in line]
    assert len(heights) == len(values)
    for low, high in zip(sorted(range(len(values)), key=values.__getitem__), sorted(heights), strict=True):
        assert heights[low] == high


def test_a_plain_line_has_the_same_figures() -> None:
    picture = state(tick(0), act("a", 0, ["a", "b", "c", "d"], [0, 1, 1, 1]))
    line = plain_line(picture, read(tick(0)))
    assert "2/2 answered in  20 ms" in line
    assert "believed 0% 50% 50%" in line
    assert "reported 4: 25% 75% 0%" in line


def test_the_ledger_of_the_picture_is_the_dispatchers() -> None:
    ledger = Ledger(3, 2, 1, 4)
    picture = state(tick(0, ledger=vars(ledger)))
    assert picture.as_dict()["ledger"] == {"complete": 3, "partial": 2, "held": 1, "skipped": 4}
    text = " ".join(drawn(picture, width=120).split())
    assert "10: complete 3 (30%), partial 2 (20%), held 1 (10%), skipped 4 (40%)" in text
