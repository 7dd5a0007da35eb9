"""What is wrong with a fleet right now."""

from __future__ import annotations

from collections.abc import Iterator

from ..words import few
from .state import Fault, FleetState

SILENT = 5.0  # [s, wall] without a tick at least, before that is a fault
SILENT_TICKS = 3.0  # and in ticks
OFTEN = 2  # times of the last ticks that a robot is asked in vain, before that is a fault


def faults(state: FleetState, now: float) -> Iterator[Fault]:
    """Present faults at `now` [s, wall, monotonic], the worst first."""
    yield from _dispatcher(state, now)
    yield from _robots(state)
    refused = {name: found for name, found in state.refused().items() if found[0] >= OFTEN}
    if refused:
        told = few(f"{name} ({times} ×, {reason})" for name, (times, reason) in refused.items())
        yield Fault("warn", f"asked in vain in the last 20 ticks: {told}")
    if state.unreadable:
        yield Fault("warn", f"{state.unreadable} statuses could not be read: is another version of meanfleet running?")


def _dispatcher(state: FleetState, now: float) -> Iterator[Fault]:
    silent = now - state.tick_at
    if state.clock_error is not None and now - state.clock_error[0] < 2 * SILENT:
        yield Fault("error", state.clock_error[1])
    # How long a tick is, is not known before the second one, or from the configuration.
    elif state.tick is not None and state.period and silent > max(SILENT, SILENT_TICKS * wall_period(state)):
        yield Fault("error", f"no tick of the dispatcher for {silent:.0f} s")
    if state.tick is None:
        return
    if state.tick.clashes:
        yield Fault("error", f"{state.tick.clashes + 1} dispatchers publish the priority: end all but one")
    if state.tick.held and state.tick.rule != "hold":
        yield Fault("error", f"the priority is held: {state.tick.answered} of {state.tick.k} robots answered")


def wall_period(state: FleetState) -> float:
    """Between two ticks [s, wall], as far as is known."""
    factor = state.world.real_time_factor if state.world is not None else 1.0
    return (state.period or 0.0) / max(factor, 1e-3)


def _robots(state: FleetState) -> Iterator[Fault]:
    if state.holds:
        holding = [name for hold in state.holds.values() for name in hold.holding]
        yield Fault("error", f"{len(holding)} robots hold their zones: {few(holding)}")
    # Those that hold say so themselves.
    late = {name: act for name, act in state.acts.items() if not state.current(act) and name not in state.holds}
    if late:
        count = sum(len(act.robots) for act in late.values())
        yield Fault("error", f"{count} robots have not acted for more than 2 ticks: {few(late)}")
    bad = {name: count for act in state.acts.values() for name, count in act.bad_poses.items()}
    if bad:
        yield Fault("warn", f"poses that are no numbers: {few(f'{name} ({count})' for name, count in bad.items())}")
    silent = {name: age for act in state.acts.values() for name, age in act.silent_poses.items()}
    if silent:
        told = few(f"{name} ({'never' if age is None else f'{age:.0f} s'})" for name, age in silent.items())
        yield Fault("warn", f"no fresh poses: {told}")
    reported = sum(len(act.robots) for act in state.acts.values())
    # Before the second tick some have not been discovered, or have had nothing to act on.
    if state.robots is not None and state.acts and reported < state.robots and len(state.ticks) > 1:
        yield Fault("warn", f"{state.robots - reported} of {state.robots} robots have not reported")
