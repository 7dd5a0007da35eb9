"""The fleet's picture as rich renderables, and as plain lines where there is no terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from meanfleet.solver.bundle.policy import PolicyBundle

from .faults import faults
from .regret import regret_lines
from .state import FleetState
from .statuses import Tick

BAR = 12  # characters of a full bar
SPARKS = "▁▂▃▄▅▆▇█"
TREND = 40  # ticks in a trend
STYLES = {"ok": "green", "warn": "yellow", "error": "bold red"}
SHOWN = 5  # warnings at most


@dataclass(frozen=True)
class View:
    """A picture of `state` that draws itself anew at every refresh.

    Attributes:
        state: what is known.
        bundle: the policy that runs, for its certificate; None if not given.
        where: the ROS domain, in words.
    """

    state: FleetState
    bundle: PolicyBundle | None
    where: str

    def render(self, now: float) -> RenderableType:
        """The picture at `now` [s, wall, monotonic]."""
        tick = self.state.tick
        if tick is None:
            return Group(self._waiting(now), *self._notes(now))
        return Group(
            self._heading(tick),
            "",
            self._fleet(tick),
            "",
            self._polling(tick),
            "",
            *self._faults(now),
            *self._notes(now),
        )

    def _waiting(self, now: float) -> Text:
        gone = now - self.state.began
        text = Text(f"waiting for the dispatcher's diagnostics on {self.where}: {gone:.0f} s")
        if gone > 5:
            text.append("\nIf this stays so, 'meanfleet doctor' says why.", "yellow")
        return text

    def _heading(self, tick: Tick) -> Text:
        mode = f" [{tick.mode}]" if tick.mode else ""
        text = Text.assemble(("meanfleet", "bold"), (mode, "bold magenta"), f"  tick {tick.tick} at {tick.stamp:.1f} s")
        if self.state.world is not None:
            text.append(f", {self.state.world.real_time_factor:.1f} × real time")
        text.append(f"  ·  {tick.rule}, {tick.observer}, {tick.sampling}", "dim")
        text.append("\npriority ")
        text.append(tick.priority, "bold cyan")
        text.append(f", dispatch {tick.dispatch}, next {tick.next_priority}")
        return text

    def _fleet(self, tick: Tick) -> Table:
        state, seen = self.state, self.state.seen
        table = Table(box=None, padding=(0, 1), pad_edge=False)
        table.add_column("  zone", no_wrap=True)
        table.add_column("believed", no_wrap=True)
        total = sum(seen)
        of = f" of {state.robots}" if state.robots else ""
        table.add_column(f"reported by {total}{of}" if seen else "no reports yet", no_wrap=True)
        for zone in range(max(state.zones, len(seen))):
            name = state.zone_name(zone)
            steered = name.rpartition("/")[2] == tick.priority
            share = tick.mean[zone] if zone < len(tick.mean) else 0.0
            count = seen[zone] if zone < len(seen) else 0
            table.add_row(
                Text(f"{'▸ ' if steered else '  '}{name}", "bold cyan" if steered else ""),
                bar(share, f"{share:5.0%}", "blue"),
                bar(count / total, f"{count / total:5.0%} {count:>5}", "green") if total else "",
            )
        return table

    def _polling(self, tick: Tick) -> Table:
        state, (last, median, high) = self.state, self.state.gather_milliseconds
        recent = list(state.ticks)[-TREND:]
        table = Table.grid(padding=(0, 2))
        answered = Text.assemble((f"{tick.answered} of {tick.k}  ", "green" if tick.complete else "yellow"))
        answered.append_text(sparks([each.answered / max(each.k, 1) for each in recent], 1.0))
        table.add_row("answered", answered)
        latency = Text(f"{last:.0f} ms  ").append_text(sparks([each.gather_seconds for each in recent]))
        table.add_row("gathered in", latency.append(f"  p50 {median:.0f}, p99 {high:.0f} ms", "dim"))
        if tick.weighted and state.steerable:
            told = zip(state.steerable, tick.weighted, strict=False)
            table.add_row("matters", Text(", ".join(f"{name} {share:.0%}" for name, share in told)))
        table.add_row("belief", f"worth {tick.effective:.1f} robots, surprise {tick.surprise:.2f}")
        total = sum(tick.ledger.values())
        shares = (f"{what} {ticks} ({ticks / max(total, 1):.0%})" for what, ticks in tick.ledger.items() if ticks)
        table.add_row("ticks", Text(f"{total}: {', '.join(shares)}"))
        for label, line in zip(("regret", ""), regret_lines(self.bundle, tick), strict=False):
            table.add_row(label, line)
        return table

    def _faults(self, now: float) -> list[Text]:
        found = list(faults(self.state, now))
        if not found:
            return [Text("no faults", "green")]
        return [Text(f"{'✗' if fault.level == 'error' else '!'} {fault.text}", STYLES[fault.level]) for fault in found]

    def _notes(self, now: float) -> list[Text]:
        recent = sorted(self.state.notes.values(), key=lambda note: -note.at)[:SHOWN]
        lines = [Text("\nwarnings, latest first", "bold")] if recent else []
        for note in recent:
            times = f"{note.count} ×, " if note.count > 1 else ""
            line = Text.assemble((f"  {note.text} ", STYLES[note.level]))
            lines.append(line.append(f"({times}{now - note.at:.0f} s ago)", "dim"))
        return lines


def bar(share: float, label: str, style: str) -> Text:
    """A bar of `BAR` characters for a share in [0, 1], with its label."""
    filled = round(min(max(share, 0.0), 1.0) * BAR)
    return Text.assemble(("█" * filled, style), ("·" * (BAR - filled), "dim"), label)


def sparks(values: Sequence[float], top: float | None = None) -> Text:
    """Values as a line of small bars from 0 to `top` (None: the greatest)."""
    highest = top if top is not None else max(values, default=0.0)
    heights = (min(max(value / highest, 0.0), 1.0) if highest > 0 else 0.0 for value in values)
    return Text("".join(SPARKS[round((len(SPARKS) - 1) * height)] for height in heights), "cyan")


def plain_line(state: FleetState, tick: Tick) -> str:
    """A tick in one line."""
    last, _, _ = state.gather_milliseconds
    mean = " ".join(f"{share:.0%}" for share in tick.mean)
    total = sum(state.seen)
    seen = f"{total}: " + " ".join(f"{count / total:.0%}" for count in state.seen) if total else "-"
    return (
        f"tick {tick.tick:4d}  priority {tick.priority:<12} {tick.answered}/{tick.k} answered in {last:3.0f} ms  "
        f"believed {mean}  reported {seen}"
    )
