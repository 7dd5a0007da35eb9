"""What the dispatcher says of a tick: enough to replay its decision exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .dispatcher import Decision, Dispatcher
from .gather import Gather
from .holding import MIN_HOLD, REASONS

Outcome = Literal["complete", "partial", "held", "skipped"]


@dataclass
class Ledger:
    """How every tick since the start ended: their sum is the number of ticks that were due since the first.

    Attributes:
        complete: decided on all k robots.
        partial: decided on fewer.
        held: the priority was held, for lack of samples or by rule.
        skipped: not decided: the dispatcher came too late for them, or was inactive meanwhile.
    """

    complete: int = 0
    partial: int = 0
    held: int = 0
    skipped: int = 0

    def note(self, outcome: Outcome, ticks: int = 1) -> None:
        """Count ticks with that outcome."""
        setattr(self, outcome, getattr(self, outcome) + ticks)

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Ledger:
        """The ledger of a checkpoint.

        Raises:
            ValueError or TypeError: it is none.
        """
        ledger = cls(**state)
        if not all(type(ticks) is int and ticks >= 0 for ticks in asdict(ledger).values()):
            raise ValueError("out of range")
        return ledger


@dataclass(frozen=True)
class TickReport:
    """One tick. Zones are names, times are seconds of ROS time, `gather_seconds` is wall time.

    Attributes:
        messages: how many messages each robot sent into the tick's subscriptions.
        missing: asked robots that sent nothing.
        stale: asked robots whose sample was refused, with the reason.
        skipped: ticks so far, and `ledger`: how all of them ended, this one included (`Ledger`).
        polls_per_tick: budget that `k` of each tick comes from; None: k is fixed.
        clashes: other publishers of the priority seen in the graph.
        strays: other publishers of the priority so far that published and left.
        mode: shadow, advise or run.
        reason: why the priority was held whatever the policy says (`REASONS`); empty if it was not.
        excluded: robots that are not polled.
        kappa: κ of the filter asked at the belief; None if none was.
        heard: the answers the decision used, by robot: zone, age in ticks, weight.
        belief: Dirichlet weights per zone when it decided; `mean`, `entropy`, `effective`, `surprise`, `rho` as in
            `observers.Belief`. The next tick's starts from rho · belief P̃[priority].
        weighted: under sampling graphon what matters to the priority zone, by zone (`Decision.weighted`); not told
            otherwise.
        place: s_g where it is a place on a line, and `priority` its bin; not told where priorities are zones.
    """

    tick: int
    stamp: float
    priority: str
    sampled: list[str]
    replacements: list[str]
    zones: dict[str, str]
    messages: dict[str, int]
    missing: list[str]
    stale: dict[str, str]
    k: int
    answered: int
    complete: bool
    gather_seconds: float
    histogram: list[int]
    table_k: int | None
    dispatch: str
    next_priority: str
    skipped: int
    ledger: dict[str, int]
    clashes: int
    rule: str
    observer: str
    sampling: str
    kappa: int | None
    heard: dict[str, tuple[str, int, float]]
    belief: list[float]
    mean: list[float]
    entropy: float
    effective: float
    surprise: float
    rho: float
    polls_per_tick: float | None = None
    strays: int = 0
    mode: str = "run"
    reason: str = ""
    excluded: tuple[str, ...] = ()
    weighted: tuple[float, ...] = ()
    place: float | None = None

    @property
    def held(self) -> bool:
        """Whether the priority was held for lack of samples, by rule or for a reason of safety."""
        return bool(self.reason) or _held(self.rule, self.table_k, self.kappa)

    @property
    def level(self) -> str:
        """ok: complete; warn: decided on fewer, or stopped; error: held without samples, or somebody else steers."""
        if self.clashes or (self.held and not self.reason and self.rule != "hold"):
            return "error"
        return "ok" if self.complete and self.reason in ("", MIN_HOLD) else "warn"

    @property
    def message(self) -> str:
        """The tick in one line."""
        text = "shadow, " if self.mode == "shadow" else ""
        text += f"tick {self.tick}: priority {self.priority}, {self.answered}/{self.k} robots answered"
        if self.reason:
            text += f", holding: {REASONS[self.reason]}"
        elif self.held:
            text += ", holding"
        elif self.kappa is not None:
            text += f", belief worth {self.effective:.1f} robots"
        elif not self.complete:
            text += f", decided on {self.table_k}"
        if self.clashes:
            text += f"; {self.clashes} other publisher(s) of the priority on this domain"
        return text

    def values(self) -> dict[str, Any]:
        """Plain values for diagnostics."""
        values = asdict(self)
        if self.place is None:
            del values["place"]
        if not self.weighted:
            del values["weighted"]
        return values


def tick_report(
    gather: Gather,
    decision: Decision,
    dispatcher: Dispatcher,
    zone_names: tuple[str, ...],
    stamp: float,
    gather_seconds: float,
    ledger: Ledger,
    clashes: int,
    mode: str = "run",
    strays: int = 0,
) -> TickReport:
    """Put a tick's gathering and decision together, and note its outcome in the ledger."""
    belief = decision.belief
    ledger.note("held" if decision.reason else _outcome(gather, decision, dispatcher.rule))
    return TickReport(
        tick=decision.tick,
        stamp=stamp,
        priority=zone_names[decision.priority],
        sampled=gather.asked[: gather.k],
        replacements=gather.replacements,
        zones={name: zone_names[zone] for name, zone in gather.zones.items()},
        messages=gather.messages,
        missing=gather.missing,
        stale=gather.rejected,
        k=gather.k,
        answered=len(gather.zones),
        complete=gather.complete,
        gather_seconds=gather_seconds,
        histogram=list(decision.histogram),
        table_k=decision.table_k,
        dispatch=zone_names[decision.dispatch],
        next_priority=zone_names[decision.next_priority],
        skipped=ledger.skipped,
        ledger=asdict(ledger),
        clashes=clashes,
        rule=dispatcher.rule,
        observer=dispatcher.observer,
        sampling=dispatcher.polling.design.name,
        kappa=decision.kappa,
        heard={
            name: (zone_names[answer.zone % len(zone_names)], answer.age, answer.weight)
            for name, answer in decision.heard.items()
        },
        belief=list(belief.alpha),
        mean=list(belief.mean),
        entropy=belief.entropy,
        effective=belief.effective,
        surprise=belief.surprise,
        rho=belief.rho,
        polls_per_tick=None if dispatcher.polling.budget is None else dispatcher.polling.budget.per_tick,
        strays=strays,
        mode=mode,
        reason=decision.reason,
        excluded=dispatcher.excluded,
        weighted=decision.weighted,
        place=decision.place,
    )


def _outcome(gather: Gather, decision: Decision, rule: str) -> Outcome:
    if _held(rule, decision.table_k, decision.kappa):
        return "held"
    return "complete" if gather.complete else "partial"


def _held(rule: str, table_k: int | None, kappa: int | None) -> bool:
    return rule != "random" and table_k is None and kappa is None
