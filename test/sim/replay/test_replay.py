"""A replay as a whole: its measures, its recommendation, its files; closed forms, properties and repeated runs."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import GAME, POLICY, ZONES, bundle, recorded

from meanfleet.base.errors import UserError
from meanfleet.sim.bags.log import UNKNOWN
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.studies.replay.counterfactual import Counterfactual
from meanfleet.studies.replay.results import write_results
from meanfleet.studies.replay.scene import scene_of
from meanfleet.studies.replay.sweep import Options, Replay, replay
from meanfleet.studies.replay.verdict import recommend, upper
from naive.surrogate import random_arrays

BUNDLE = bundle()
LOG = recorded(30, 120, 5, silent=0.1)
OPTIONS = Options((1, 2, 5, 12), seeds=30, rollouts=500, tolerance=0.1)


@pytest.fixture(scope="module")
def found() -> Replay:
    return replay(LOG, BUNDLE, OPTIONS)


def point(result: Replay, observer: str, k: int) -> dict[str, Any]:
    return next(p for p in result.summary["curve"] if (p["observer"], p["k"]) == (observer, k))


def test_every_k_that_the_policy_can_run_is_there(found: Replay) -> None:
    assert [(p["observer"], p["k"]) for p in found.summary["curve"]] == [
        *(("memoryless", k) for k in (1, 2, 5)),
        *(("dirichlet", k) for k in (1, 2, 5, 12)),
    ]


def test_a_curve_is_the_mean_of_its_seeds(found: Replay) -> None:
    rows = found.rows()
    for one in found.summary["curve"]:
        own = [row for row in rows if (row["observer"], row["k"]) == (one["observer"], one["k"])]
        assert len(own) == 30
        for name in ("agreement", "distance", "regret"):
            assert one[name]["mean"] == pytest.approx(np.mean([row[name] for row in own]))
            assert one[name]["low"] <= one[name]["mean"] <= one[name]["high"]


def test_more_robots_tell_more_of_the_fleet(found: Replay) -> None:
    for observer, ks in (("memoryless", (1, 2, 5)), ("dirichlet", (2, 5, 12))):
        distances = [point(found, observer, k)["distance"]["mean"] for k in ks]
        assert distances == sorted(distances, reverse=True)


def test_messages_are_those_of_the_robots_that_answered(found: Replay) -> None:
    """Silent robots are replaced while any are left, so k of k answer; their zones' names have 4 or 5 letters."""
    known = float((LOG.zones != UNKNOWN).sum(axis=1).mean())
    sent = point(found, "dirichlet", 5)["messages"]
    assert sent["heard_per_tick"] == 5
    assert sent["asked_per_tick"] == pytest.approx(5 / 0.9, rel=0.05)
    assert sent["saved_per_tick"] == pytest.approx(known - 5)
    size = sent["bytes_saved_per_tick"] / sent["saved_per_tick"]
    assert 4 + 8 + 4 + 4 + 1 < size < 4 + 8 + 4 + 5 + 1  # CDR: encapsulation, stamp, length, letters, zero


def test_rollouts_start_where_the_fleet_was_and_are_paired(found: Replay) -> None:
    scene = scene_of(LOG, BUNDLE)
    world = Counterfactual(scene, BUNDLE, GAME, 250, 3, 12)
    enough = scene.counts.sum(axis=1) >= 12
    states = {(int(s), *c) for s, c in zip(scene.priority[enough], scene.counts[enough].tolist(), strict=True)}
    priority, counts = world._fleet(0, 5).starts(200, np.random.default_rng(0))
    assert {(int(s), *c) for s, c in zip(priority, counts.tolist(), strict=True)} <= states
    whole = world.whole()
    loss = world.loss(whole, world.returns(12, "dirichlet"))
    assert loss.error < 0.5 * whole.std(ddof=1) / np.sqrt(len(whole))  # what common random numbers are for
    assert world.loss(whole, whole).mean == 0.0


def test_rollouts_can_follow_another_game() -> None:
    other = Game(**random_arrays(99, ZONES, ZONES, ZONES, 3, 0.9))
    few = Options((2,), seeds=2, rollouts=250)
    own, fitted = replay(LOG, BUNDLE, few), replay(LOG, BUNDLE, few, game=other)
    assert own.summary["whole"]["return"] != fitted.summary["whole"]["return"]
    assert (own.summary["whole"]["fitted"], fitted.summary["whole"]["fitted"]) == (False, True)
    assert own.summary["curve"][0]["regret"] == fitted.summary["curve"][0]["regret"]
    small = Game(**random_arrays(99, 2, 2, 2, 3, 0.9))
    with pytest.raises(UserError, match="other zones"):
        replay(LOG, BUNDLE, few, game=small)


def test_a_policy_without_filter_is_replayed_without_memory() -> None:
    plain = PolicyBundle(GAME, POLICY, BUNDLE.tables, {})
    result = replay(LOG, plain, Options((1, 2), seeds=2, rollouts=0))
    assert {p["observer"] for p in result.summary["curve"]} == {"memoryless"}
    assert all("rollouts" not in p for p in result.summary["curve"])
    with pytest.raises(UserError, match="no table for k = 3"):
        replay(LOG, plain, Options((3,)))


# --- the recommendation


def curve_of(*points: tuple[str, int, float, float]) -> list[dict[str, Any]]:
    """(observer, k, upper end on the bag, upper end in rollouts)."""
    return [
        {
            "observer": observer,
            "k": k,
            "regret_share": {"mean": bag / 2, "low": 0.0, "high": bag},
            "rollouts_share": {"mean": model / 2, "low": 0.0, "high": model},
        }
        for observer, k, bag, model in points
    ]


def test_the_smallest_k_with_both_upper_ends_within_tolerance_is_recommended() -> None:
    curve = curve_of(
        ("memoryless", 1, 0.3, 0.3),
        ("memoryless", 5, 0.01, 0.019),
        ("dirichlet", 1, 0.01, 0.03),
        ("dirichlet", 2, 0.021, 0.01),
        ("dirichlet", 5, 0.0, 0.0),
    )
    choice = recommend(curve, 0.02)
    assert (choice.observer, choice.k) == ("memoryless", 5)
    assert "k = 1 may lose 30.0%" in choice.reason
    assert recommend(curve, 0.03).k == 1
    nothing = recommend(curve[:1], 0.02)
    assert (nothing.k, nothing.observer) == (None, None)
    assert "memoryless with k = 1 comes closest" in nothing.reason


POINTS = st.tuples(
    st.sampled_from(["memoryless", "dirichlet"]), st.integers(1, 50), st.floats(0, 0.2), st.floats(-0.01, 0.2)
)


@given(points=st.lists(POINTS, min_size=1, max_size=12, unique_by=lambda p: p[:2]), tolerance=st.floats(0.001, 0.1))
def test_no_smaller_k_would_do(points: list[tuple[str, int, float, float]], tolerance: float) -> None:
    curve = curve_of(*points)
    choice = recommend(curve, tolerance)
    within = [one["k"] for one in curve if upper(one) <= tolerance]
    assert choice.k == min(within, default=None)


def test_a_loss_that_never_occurred_is_shown_small_by_a_long_bag_alone() -> None:
    """The upper end is that of blocks without a loss, at the largest loss that the game has."""
    options = Options((2,), seeds=5, rollouts=0, observers=("memoryless",))
    for ticks, k in ((120, None), (1500, 2)):
        result = replay(recorded(12, ticks, 5), BUNDLE, options)
        regret = result.summary["curve"][0]["regret"]
        assert (regret["mean"], regret["low"]) == (0.0, 0.0)
        blocks = ticks // regret["block"]
        assert regret["high"] == pytest.approx(result.scene.largest_regret * (1 - 0.05 ** (1 / blocks)), rel=0.1)
        assert result.summary["verdict"]["k"] == k


def test_a_smaller_k_that_surely_loses_more_is_said_to() -> None:
    curve = curve_of(("memoryless", 1, 0.3, 0.3), ("memoryless", 5, 0.01, 0.01))
    curve[0]["regret_share"]["low"] = 0.1
    assert "k = 1 loses more (up to 30.0%)" in recommend(curve, 0.02).reason


# --- files


class Tags(HTMLParser):
    """Open tags must be closed in order; remembers attributes that load something."""

    VOID = frozenset({"meta", "br", "path", "use", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.loads += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v and not v.startswith("#")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_same_input_gives_the_same_bytes(found: Replay, tmp_path: Path) -> None:
    first = write_results(found, tmp_path / "a")
    second = write_results(replay(LOG, BUNDLE, OPTIONS), tmp_path / "b")
    assert [path.name for path in first] == ["report.html", "replay.json", "replay.csv", "seeds.csv"]
    for left, right in zip(first, second, strict=True):
        assert left.read_bytes() == right.read_bytes()


def test_another_seed_draws_other_robots(found: Replay) -> None:
    other = replay(LOG, BUNDLE, Options((1,), seeds=30, seed=1000, rollouts=0))
    assert point(other, "memoryless", 1)["distance"]["mean"] != point(found, "memoryless", 1)["distance"]["mean"]


def test_the_page_stands_alone_and_says_what_it_is_about(found: Replay, tmp_path: Path) -> None:
    page, stored, table, seeds = write_results(found, tmp_path)
    text, verdict = page.read_text(), found.summary["verdict"]
    tags = Tags()
    tags.feed(text)
    assert (tags.open, tags.loads) == ([], [])
    assert "<script" not in text
    assert text.count("<svg") == 3
    for said in (LOG.sha256, BUNDLE.digest, f"Poll k = {verdict['k']} of 30", "seeds 0 to 29"):
        assert said in text
    assert not re.search(r"\bnan\b|\binf\b", text)
    assert json.loads(stored.read_text()) == json.loads(json.dumps(found.summary))
    rows = list(csv.DictReader(table.open()))
    assert [row["k"] for row in rows if row["recommended"] == "1"] == [str(verdict["k"])]
    assert {row["policy"] for row in rows} == {BUNDLE.digest}
    assert len(list(csv.DictReader(seeds.open()))) == 30 * 7


def test_names_from_a_bag_cannot_break_the_page(tmp_path: Path) -> None:
    log = recorded(10, 20, source="<script>alert(1)</script>.mcap", counts={"<b>gaps": 2})
    page = write_results(replay(log, BUNDLE, Options((1,), seeds=2, rollouts=0)), tmp_path)[0].read_text()
    assert "<script" not in page
    assert "&lt;b&gt;gaps" in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"observers": ("particle",)}, "observer 'particle'"),
        ({"tolerance": 0.0}, "tolerance 0"),
        ({"rollouts": 1}, "1 rollouts"),
        ({"seeds": 0}, "0 seeds"),
    ],
)
def test_impossible_options_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Options((1,), **changes)
