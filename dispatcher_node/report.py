"""What the dispatcher says of a tick: enough to replay its decision exactly."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .dispatcher import Decision, Dispatcher
from .gather import Gather


@dataclass(frozen=True)
class TickReport:
    """One tick. Zones are names, times are seconds of ROS time, `gather_seconds` is wall time.

    Attributes:
        messages: how many messages each robot sent into the tick's subscriptions.
        missing: asked robots that sent nothing.
        stale: asked robots whose sample was refused, with the reason.
        clashes: other publishers of the priority seen in the graph.
        kappa: κ of the filter asked at the belief; None if none was.
        heard: the answers the decision used, by robot: zone, age in ticks, weight.
        belief: Dirichlet weights per zone when it decided; `mean`, `entropy`, `effective`, `surprise`, `rho` as in
            `observers.Belief`. The next tick's starts from rho · belief P̃[priority].
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
    clashes: int
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

    @property
    def held(self) -> bool:
        """Whether the priority was held for lack of samples, or by rule."""
        return self.table_k is None and self.kappa is None

    @property
    def level(self) -> str:
        """ok: complete; warn: decided on fewer; error: held, or somebody else steers as well."""
        if self.clashes or self.held:
            return "error"
        return "ok" if self.complete else "warn"

    @property
    def message(self) -> str:
        """The tick in one line."""
        text = f"tick {self.tick}: priority {self.priority}, {self.answered}/{self.k} robots answered"
        if self.held:
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
        return asdict(self)


def tick_report(
    gather: Gather,
    decision: Decision,
    dispatcher: Dispatcher,
    zone_names: tuple[str, ...],
    stamp: float,
    gather_seconds: float,
    skipped: int,
    clashes: int,
) -> TickReport:
    """Put a tick's gathering and decision together."""
    belief = decision.belief
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
        skipped=skipped,
        clashes=clashes,
        observer=dispatcher.observer,
        sampling=dispatcher.polling.design.name,
        kappa=decision.kappa,
        heard={name: (zone_names[answer.zone], answer.age, answer.weight) for name, answer in decision.heard.items()},
        belief=list(belief.alpha),
        mean=list(belief.mean),
        entropy=belief.entropy,
        effective=belief.effective,
        surprise=belief.surprise,
        rho=belief.rho,
    )
