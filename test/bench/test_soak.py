"""The audit of a soak: runs of an independent, second-by-second dispatcher add up, and every lie is found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.soaking.ledger import DECIDED, OUTCOMES, Outage, Report, balance
from bench.soaking.memory import trend

TICK = 0.5  # [s]


@dataclass
class Story:
    """A dispatcher told tick by tick, with the ticks of every kind counted by hand."""

    reports: list[Report] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    ledger: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    down: dict[str, int] = field(default_factory=lambda: {"dead": 0, "inactive": 0, "clock": 0})
    wall: float = 100.0
    now: float = 7.0  # [s, ROS time]
    tick: int = 0

    def pass_time(self) -> None:
        self.wall, self.now = self.wall + TICK, self.now + TICK

    def decide(self, outcome: str, told: bool = True) -> None:
        self.pass_time()
        self.ledger = self.ledger | {outcome: self.ledger[outcome] + 1}
        if told:
            self.reports.append(Report(self.wall, self.tick, self.now, outcome, self.ledger, 10, 0.02))
        self.tick += 1

    def skip(self) -> None:
        self.pass_time()
        self.ledger = self.ledger | {"skipped": self.ledger["skipped"] + 1}

    def fall(self, cause: str, ticks: int, untold: bool = False, unheard: int = 0) -> None:
        """It is dead or inactive for so many ticks; a killed one may have decided a tick nobody heard of, and so may
        its successor before it was discovered.
        """
        outage = Outage(cause, self.wall + 0.1, self.now + 0.1)  # type: ignore[arg-type]
        if untold and cause == "dead":
            self.decide("complete", told=False)
        for _ in range(ticks):
            self.pass_time()
        self.down[cause] += ticks
        for _ in range(unheard if cause == "dead" else 0):
            self.decide("complete", told=False)
        self.decide("complete")
        outage.ended, outage.clock_ended = self.wall, self.now
        self.outages.append(outage)

    def jump(self, missed: int, late: int) -> None:
        """The clock dies `missed` ticks after the last one, and the first tick by the new one is `late`."""
        while self.reports[-1].stamp < (late + 2) * TICK:  # so that time goes back indeed
            self.decide("complete")
        outage = Outage("clock", self.wall + 0.1, self.now + 0.1, last_clock=self.now + missed * TICK + 0.2)
        self.now, self.wall = late * TICK, self.wall + 5.0
        self.down["clock"] += missed + late
        self.decide("complete")
        outage.ended, outage.clock_ended = self.wall, self.now
        self.outages.append(outage)


EVENTS = st.one_of(
    st.sampled_from(DECIDED).map(lambda outcome: ("decide", (outcome,))),
    st.just(("skip", ())),
    st.tuples(
        st.just("fall"),
        st.tuples(st.sampled_from(["dead", "inactive"]), st.integers(0, 6), st.booleans(), st.integers(0, 2)),
    ),
    st.tuples(st.just("jump"), st.tuples(st.integers(0, 2), st.integers(0, 2))),
)


def told(events: list[tuple[str, tuple[object, ...]]]) -> Story:
    story = Story()
    story.decide("complete")
    for name, arguments in events:
        getattr(story, name)(*arguments)
        # Faults that take the dispatcher away never follow one another without a tick in between.
        story.decide("complete") if name in ("fall", "jump") else None
    story.decide("partial")
    return story


@given(st.lists(EVENTS, max_size=30))
def test_an_honest_ledger_adds_up_to_the_ticks_that_were_due(events: list[tuple[str, tuple[object, ...]]]) -> None:
    story = told(events)
    audit = balance(story.reports, story.outages, TICK)
    assert audit.wrong == []
    assert audit.counts == story.ledger
    assert audit.down == story.down
    assert audit.due == sum(story.ledger.values()) + sum(story.down.values())
    assert audit.reported + audit.unreported == story.tick


@given(st.lists(st.sampled_from(DECIDED), min_size=3, max_size=8), st.data())
def test_a_report_that_is_lost_or_falsified_is_found(outcomes: list[str], data: st.DataObject) -> None:
    story = Story()
    for outcome in outcomes:
        story.decide(outcome)
    reports = story.reports
    i = data.draw(st.integers(1, len(reports) - 2))
    lie = data.draw(st.sampled_from(["lost", "outcome", "overcounted", "late", "twice"]))
    victim = reports[i]
    other = next(outcome for outcome in DECIDED if outcome != victim.outcome)
    broken = {
        "lost": [],
        "outcome": [replace(victim, outcome=other)],
        "overcounted": [replace(victim, ledger=dict(victim.ledger) | {other: victim.ledger[other] + 1})],
        "late": [replace(victim, stamp=victim.stamp + TICK)],
        "twice": [victim, victim],
    }[lie]
    assert balance([*reports[:i], *broken, *reports[i + 1 :]], [], TICK).wrong


@pytest.mark.parametrize("cause", ["dead", "inactive"])
def test_ticks_lost_before_an_outage_are_not_excused_by_it(cause: str) -> None:
    """The dispatcher hung for four ticks, then was away for two: one tick may have been under way, three may not."""
    story = Story()
    story.decide("complete")
    for _ in range(4):
        story.pass_time()
    story.fall(cause, 2)
    assert balance(story.reports, story.outages, TICK).wrong


def test_a_successor_that_keeps_its_ticks_to_itself_is_found() -> None:
    story = Story()
    story.decide("complete")
    story.fall("dead", 2, untold=True, unheard=3)
    (wrong,) = balance(story.reports, story.outages, TICK).wrong
    assert "4 ticks decided and not reported" in wrong


def test_a_gap_nobody_caused_is_wrong() -> None:
    story = Story()
    story.decide("complete")
    story.pass_time()
    story.decide("complete")
    (wrong,) = balance(story.reports, [], TICK).wrong[:1]
    assert "1 ticks are in no ledger" in wrong


def test_nothing_reported_is_wrong() -> None:
    assert balance([], [], TICK).wrong


def test_a_line_has_its_slope_and_no_width() -> None:
    x = np.linspace(0, 5, 60)
    found = trend(x, 3 - 0.25 * x)
    assert found is not None
    assert [found.slope, found.low, found.high] == pytest.approx([-0.25] * 3)


def test_the_interval_covers_the_truth_where_noise_has_a_memory() -> None:
    """Residuals with autocorrelation 0.8: 95 % intervals for independent ones hold the slope in about six of ten runs.

    400 runs; the share that covers is within 0.90 and 0.99, four standard errors (0.011) around what the method
    reaches at this length.
    """
    rng, n, inside, naive = np.random.default_rng(5), 300, 0, 0
    x = np.linspace(0, 10, n)
    for _ in range(400):
        noise = np.zeros(n)
        shocks = rng.normal(size=n)
        for i in range(1, n):
            noise[i] = 0.8 * noise[i - 1] + shocks[i]
        y = 0.3 * x + noise
        found = trend(x, y)
        assert found is not None
        inside += found.low <= 0.3 <= found.high
        residuals = y - np.polyval(np.polyfit(x, y, 1), x)
        naive += abs(found.slope - 0.3) <= 1.96 * residuals.std(ddof=2) / np.sqrt(n * x.var())
    assert 0.90 <= inside / 400 <= 0.99
    assert naive / 400 < 0.75


def test_too_few_samples_tell_nothing() -> None:
    assert trend(np.arange(5), np.arange(5)) is None
    assert trend(np.ones(50), np.arange(50)) is None
