"""Whose clock is which: /clock, use_sim_time, and stamps against the doctor's own time."""

from __future__ import annotations

from collections.abc import Iterator

from meanfleet.safety import SHADOW

from ..words import few
from .expected import Expected, Topic, zone_publishers
from .findings import Finding
from .graph_checks import GHOST
from .snapshot import Heard, Snapshot

LIMIT = 1.0  # [s] clocks may be apart
LAG = 0.1  # [s, wall] a message may take; simulated time goes on meanwhile
OTHER_TIME = 1e8  # [s] apart: one is wall time, the other simulated
WAIT_TICKS = 3  # ticks without a new priority


def check_clocks(seen: Snapshot, fleet: Expected) -> Iterator[Finding]:
    """One publisher of /clock at most, and everybody or nobody on it."""
    clocks = seen.publishing("/clock")
    if len(clocks) > 1:
        nodes = [endpoint.node for endpoint in clocks]
        yield Finding(
            "error",
            "clock",
            f"{len(clocks)} nodes publish /clock: {few(nodes)}; time jumps back and forth",
            f"end all but one simulation or bag, or start bags without --clock; {GHOST}",
            tuple(nodes),
        )
    on_clock = {endpoint.node for endpoint in seen.subscriptions if endpoint.topic == "/clock"}
    ours = _steering_nodes(seen, fleet)
    if clocks:
        makers = {endpoint.node for endpoint in clocks}
        stray = sorted(ours - on_clock - makers)
        if stray:
            yield Finding(
                "error",
                "clock",
                f"/clock is published, but {few(stray)} {_verb(stray)} on wall time",
                "start them with --ros-args -p use_sim_time:=true",
                tuple(stray),
            )
        if not seen.clock:
            yield Finding(
                "error",
                "clock",
                f"/clock has a publisher ({few(sorted(makers))}) but nothing was heard of it for {seen.seconds:.0f} s",
                "let the simulation or the bag run on: no tick comes while the clock stands",
            )
    elif ours & on_clock:
        waiting = sorted(ours & on_clock)
        yield Finding(
            "error",
            "clock",
            f"{few(waiting)} {_verb(waiting)} on simulated time, but nobody publishes /clock: time stands still",
            "start the simulation, or on a real fleet start them without use_sim_time",
            tuple(waiting),
        )


def _verb(nodes: list[str]) -> str:
    return "is" if len(nodes) == 1 else "are"


def _steering_nodes(seen: Snapshot, fleet: Expected) -> set[str]:
    """Nodes that publish zones of the fleet or its priority."""
    zones = zone_publishers(seen.publishers, fleet.namespace)
    found = {endpoint.node for name in fleet.robots for endpoint in zones.get(name, [])}
    topic = f"{fleet.namespace}/priority_zone"
    return found | {one.node for one in (*seen.publishing(topic), *seen.publishing(topic + SHADOW))}


def offset(messages: list[Heard]) -> float | None:
    """How far the doctor's clock is ahead of a publisher's [s], None if its messages do not tell.

    Transport and latching only make stamps look older, so the youngest of several stamps counts (as in NTP); a single
    stamp tells nothing unless it lies in the future.
    """
    youngest = min((message.age for message in messages), default=0.0)
    if youngest < 0 or len({message.stamp for message in messages}) > 1:
        return youngest
    return None


def check_stamps(seen: Snapshot, fleet: Expected) -> Iterator[Finding]:
    """Stamps against the doctor's own time, and against each other."""
    if seen.simulated and not seen.clock:
        return  # there is nothing to compare with, and `check_clocks` says so
    by_topic: dict[str, list[Heard]] = {}
    for message in seen.heard:
        by_topic.setdefault(message.topic, []).append(message)
    offsets: dict[str, float] = {}
    apart: dict[str, float] = {}
    old: dict[str, float] = {}
    for topic in fleet.topics():
        messages = by_topic.get(topic.name, [])
        delta = offset(messages)
        if delta is not None:
            offsets[topic.name] = delta
            if abs(delta) > _limit(seen, fleet, topic):
                apart[topic.name] = delta
        elif topic.kind == "zone" and messages and messages[-1].age > fleet.dispatcher.max_age + LAG * seen.rate:
            old[topic.name] = messages[-1].age
        elif topic.kind == "priority" and messages and messages[-1].age > WAIT_TICKS * fleet.dispatcher.tick:
            yield Finding(
                "warn",
                "dispatcher",
                f"{topic.name} is {messages[-1].age:.0f} s old: no tick for {WAIT_TICKS} ticks",
                "see what the dispatcher says: meanfleet watch, or its log",
            )
    if apart:
        yield _apart(apart, offsets, seen)
    if old:
        yield Finding(
            "warn",
            "stamps",
            f"{_aged(old)}: older than dispatcher.max_age ({fleet.dispatcher.max_age:g} s) and not renewed while "
            "looking, so the dispatcher drops them as stale",
            "check that the robots' poses still come (localisation, driver), and the clocks of their computers",
            tuple(old),
        )


def _limit(seen: Snapshot, fleet: Expected, topic: Topic) -> float:
    """How far a stamp may be off [s] before it is told: more in fast simulations and for what is gathered first."""
    waited = fleet.dispatcher.gather_timeout if topic.kind == "priority" else 0.0
    gap = max((after[1] - before[1] for before, after in zip(seen.clock, seen.clock[1:], strict=False)), default=0.0)
    return LIMIT + (LAG + waited) * seen.rate + gap


def _apart(apart: dict[str, float], offsets: dict[str, float], seen: Snapshot) -> Finding:
    told = few(f"{name} ({_off(delta)})" for name, delta in apart.items())
    reference = "/clock" if seen.simulated else "this computer's clock"
    text = f"stamps differ from {reference}: {told}"
    remedy = "synchronise the computers' clocks (chrony or ntpd; check with 'chronyc tracking')"
    if seen.simulated:
        remedy = "start the node that stamps these, and what feeds it, with use_sim_time:=true"
    elif max(map(abs, apart.values())) > OTHER_TIME:
        remedy = "these are stamps of simulated time without a /clock: start the simulation, or turn use_sim_time off"
    elif len(apart) == len(offsets) > 1 and max(apart.values()) - min(apart.values()) < LIMIT:
        text += "; all alike, so probably this computer's clock is the wrong one"
    return Finding("error", "clocks", text, remedy, tuple(apart))


def _off(delta: float) -> str:
    if abs(delta) > OTHER_TIME:
        return "another kind of time"
    return f"{abs(delta):.1f} s {'behind' if delta > 0 else 'ahead'}"


def _aged(ages: dict[str, float]) -> str:
    return few(f"{name} ({age:.0f} s)" for name, age in ages.items())


def check_zone_names(seen: Snapshot, fleet: Expected) -> Iterator[Finding]:
    """Zones, and places of the priority on a line, that the configuration does not know."""
    kinds = {topic.name: topic.kind for topic in fleet.topics() if topic.kind in ("zone", "priority")}
    wrong = {
        message.topic: message.frame
        for message in seen.heard
        if message.topic in kinds and not fleet.knows(kinds[message.topic], message.frame)
    }
    if wrong:
        told = few(f"{name} says {said!r}" for name, said in wrong.items())
        yield Finding(
            "error",
            "zones",
            f"{told}, which the configuration does not know",
            f"start all nodes with the same configuration; its zones are {', '.join(fleet.zones)}",
            tuple(wrong),
        )
