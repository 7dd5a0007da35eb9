"""A live dispatcher's decisions recomputed from what it said of them, tick by tick.

Diagnostics name the robots heard with zone, age and weight; the dispatcher's own code, told the same, must come to the
same belief and the same dispatch. What was drawn at random is taken from the record: the robots, the next priority,
and, without memory, the answers that a table for fewer robots was asked with.

A record that begins late or lacks ticks does not tell the belief in between. There the recorded belief is taken over,
and only the decision on it is checked ("anchored"). Nor does it tell what a ρ that adapts was judged by: from there on
each belief is checked against the one before, and ρ is taken over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from meanfleet.base.errors import UserError
from meanfleet.dispatcher_node.dispatcher import RULES, Dispatcher, Rule
from meanfleet.solver.bundle.filtering import first_best
from meanfleet.solver.bundle.policy import PolicyBundle

Values = Mapping[str, Any]
CLOSE = 1e-9  # of numbers in a belief: another machine may add in another order
NUMBERS = ("belief", "rho", "surprise")


@dataclass(frozen=True)
class Mismatch:
    """Something that the dispatcher's code does not come to from the recorded samples."""

    tick: int
    what: str
    recorded: Any
    recomputed: Any


@dataclass
class Reenactment:
    """What came of it.

    Attributes:
        ticks: re-enacted.
        anchored: of these, ticks whose belief, or whose ρ, was taken from the record.
        mismatches: every difference found.
    """

    ticks: int = 0
    anchored: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        """Whether there were ticks, and no difference in any."""
        return self.ticks > 0 and not self.mismatches


def reenact(
    ticks: Sequence[Values],
    bundle: PolicyBundle,
    robots: Sequence[str],
    zone_names: Sequence[str],
    *,
    rho: float | None = None,
    kinds: Mapping[str, int] | None = None,
) -> Reenactment:
    """Recompute the decisions of recorded ticks, in the order recorded.

    Args:
        ticks: the dispatcher's diagnostics, values by key (`dispatcher_node.report.TickReport`).
        bundle: the policy that it ran.
        robots: names of the fleet; strangers in the record are added.
        zone_names: names in the order of the game's priorities.
        rho: the dispatcher's ρ where it was not the bundle's.
        kinds: index of every robot's type by its name, in a game with several; None: all are alike.

    Raises:
        UserError: a tick lacks a key, names an unknown zone or a robot whose type is not known, or is of observer
            particle, whose draws are not recorded.
    """
    done, last = Reenactment(), None
    live: _Live | None = None
    for values in ticks:
        tick = _Tick.of(values, zone_names)
        if live is None or tick.number <= (last or 0) or tick.observer != live.dispatcher.observer:
            live = _Live(bundle, _fleet(ticks, robots, kinds), tick, rho)
            last = tick.number - 1 if tick.number == 0 else None
        whole = tick.number == 0 or last == tick.number - 1
        live.play(tick, whole, done)
        last = tick.number
        done.ticks += 1
    return done


@dataclass(frozen=True)
class _Tick:
    """A recorded tick with zones as indices."""

    number: int
    observer: str
    rule: Rule
    k: int
    budget: float | None
    priority: int
    dispatch: int
    next_priority: int
    asked: tuple[str, ...]
    zones: dict[str, int]
    ages: dict[str, int]
    weights: dict[str, float]
    values: Values
    reason: str

    @classmethod
    def of(cls, values: Values, zone_names: Sequence[str]) -> _Tick:
        index = {name: i for i, name in enumerate(zone_names)}
        try:
            heard = {str(name): tuple(answer) for name, answer in values["heard"].items()}
            return cls(
                int(values["tick"]),
                str(values["observer"]),
                _rule(values.get("rule", "learned")),
                int(values["k"]),
                None if (budget := values.get("polls_per_tick")) is None else float(budget),
                index[values["priority"]],
                index[values["dispatch"]],
                index[values["next_priority"]],
                (*values["sampled"], *values["replacements"]),
                {name: index[zone] for name, (zone, _, _) in heard.items()},
                {name: int(age) for name, (_, age, _) in heard.items()},
                {name: float(weight) for name, (_, _, weight) in heard.items()},
                {name: values[name] for name in ("histogram", "table_k", "kappa", *NUMBERS)},
                str(values.get("reason", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"the diagnostics of tick {values.get('tick', '?')} cannot be re-enacted: {error} is missing, damaged "
                "or no zone of the configuration"
            ) from None

    @property
    def polled(self) -> float:
        """What the dispatcher was set to: robots per tick, or a budget, under which k differs from tick to tick."""
        return self.k if self.budget is None else self.budget


class _Live:
    """The dispatcher that is told what was recorded."""

    def __init__(self, bundle: PolicyBundle, fleet: Mapping[str, int], first: _Tick, rho: float | None) -> None:
        if first.observer == "particle":
            raise UserError("observer particle draws at random what diagnostics do not record: nothing to re-enact")
        self.bundle, self.fleet, self.rho = bundle, fleet, rho
        self.dispatcher, self.polled = self._dispatcher(first), first.polled
        self.certain = first.number == 0  # whether all since the first tick is known
        self.expected: int | None = None

    def _dispatcher(self, tick: _Tick) -> Dispatcher:
        k = max(tick.k, 1)
        if tick.observer == "memoryless":
            k = self.bundle.table_for(k) or self.bundle.ks[0]
        changed: dict[str, Any] = {"rho": self.rho, "polls_per_tick": tick.budget, "priority": tick.priority}
        changed["kinds"] = list(self.fleet.values())
        return Dispatcher(self.bundle, tuple(self.fleet), k, tick.observer, rule=tick.rule, **changed)

    def play(self, tick: _Tick, whole: bool, done: Reenactment) -> None:
        """Re-enact one tick; `whole`: nothing is missing since the one before."""
        if whole and self.expected is not None and tick.priority != self.expected:
            done.mismatches.append(Mismatch(tick.number, "priority", self.expected, tick.priority))
        self.expected = tick.next_priority
        if (tick.polled, tick.rule) != (self.polled, self.dispatcher.rule):
            old, self.dispatcher, self.polled = self.dispatcher, self._dispatcher(tick), tick.polled
            self.dispatcher.take_over(old)
        steering = self.bundle.game.P_g[tick.priority, tick.dispatch, tick.next_priority]
        if steering <= 0 and tick.next_priority not in (tick.dispatch, tick.priority):
            done.mismatches.append(Mismatch(tick.number, "next_priority", tick.next_priority, "impossible"))
        if tick.observer == "memoryless":
            self._memoryless(tick, done)
        elif whole and max(tick.ages.values(), default=0) <= self.dispatcher.reach:
            self._remembering(tick, done)
        else:
            self.certain = False
            self._anchor(tick, done)

    def _memoryless(self, tick: _Tick, done: Reenactment) -> None:
        bundle, said = self.bundle, tick.values
        if said["table_k"] is None:
            found: dict[str, Any] = {"dispatch": tick.priority % bundle.game.dispatches, "table_k": None}
            if len(tick.zones) >= bundle.ks[0] and tick.rule == "learned" and not tick.reason:
                found["table_k"] = bundle.table_for(len(tick.zones))
        else:
            size = bundle.game.zones // bundle.game.types
            states = [self.fleet[name] * size + zone for name, zone in tick.zones.items()]
            counts = np.bincount(states, minlength=bundle.game.zones)
            histogram = np.asarray(said["histogram"])
            limit = len(tick.zones)
            if tick.budget is None:
                limit = min(limit, max(tick.k, bundle.ks[0]))
            found = {"table_k": bundle.table_for(limit), "histogram": histogram.tolist()}
            equal = len(set(tick.weights.values())) <= 1
            if (equal and (histogram > counts).any()) or histogram.sum() != said["table_k"]:
                found["histogram"] = counts.tolist()
            else:
                found["dispatch"] = bundle.dispatch(tick.priority, histogram)
        self._compare(tick, found, done)

    def _remembering(self, tick: _Tick, done: Reenactment) -> None:
        one = self.dispatcher
        one.take(tick.number, tick.priority, tuple(dict.fromkeys((*tick.asked, *tick.zones))), tick.weights)
        one.observe(tick.zones, tick.ages)
        dispatch = one.decide(tick.reason)
        decision = one.last
        assert decision is not None
        belief = decision.belief
        found: dict[str, Any] = {"dispatch": dispatch, "kappa": decision.kappa, "belief": list(belief.alpha)}
        found |= {"histogram": list(decision.histogram), "surprise": belief.surprise}
        if self.certain:
            found["rho"] = belief.rho
        elif not _same(belief.rho, tick.values["rho"]):
            self._anchor(tick, done, one.belief.state()["past"][:-1])
        self._compare(tick, found, done)

    def _anchor(self, tick: _Tick, done: Reenactment, past: Sequence[Any] = ()) -> None:
        """Take the recorded belief over, check the decision on it, and go on from there; `past` as far as known."""
        model, said, one = self.bundle.filtering, tick.values, self.dispatcher
        assert model is not None
        setting = model.setting_for(one.k)
        values = model.values(tick.priority, said["belief"], setting.deciding)
        silent = bool(tick.asked) and not tick.zones  # a budget may allow to ask nobody
        held = silent or tick.rule == "hold" or tick.reason != ""
        best = tick.priority % self.bundle.game.dispatches if held else first_best(values)
        self._compare(tick, {"dispatch": best}, done)
        state = {"alpha": said["belief"], "rho": said["rho"], "past": past}
        one.belief = one.belief.restored(state)
        one.belief.predict(tick.priority)
        done.anchored += 1

    def _compare(self, tick: _Tick, found: Mapping[str, Any], done: Reenactment) -> None:
        for what, mine in found.items():
            if what == "dispatch" and tick.rule == "random":
                continue
            said = tick.dispatch if what == "dispatch" else tick.values[what]
            if not (_same(mine, said) if what in NUMBERS else mine == said):
                done.mismatches.append(Mismatch(tick.number, what, said, mine))


def _rule(name: Any) -> Rule:
    for rule in RULES:
        if rule == name:
            return rule
    raise ValueError(f"rule {name!r}")


def _same(mine: Any, said: Any) -> bool:
    left, right = np.asarray(mine, dtype=np.float64), np.asarray(said, dtype=np.float64)
    return left.shape == right.shape and bool(np.allclose(left, right, rtol=CLOSE, atol=CLOSE))


def _fleet(ticks: Sequence[Values], robots: Sequence[str], kinds: Mapping[str, int] | None) -> dict[str, int]:
    """Type of every robot by name: of the fleet, and of robots that only the record names."""
    told = (name for values in ticks for key in ("sampled", "replacements", "heard") for name in values.get(key, ()))
    names = tuple(dict.fromkeys((*robots, *told)))
    if kinds is None:
        return dict.fromkeys(names, 0)
    strangers = [name for name in names if name not in kinds]
    if strangers:
        raise UserError(f"the record names robot {strangers[0]!r}, whose type the configuration does not tell")
    return {name: kinds[name] for name in names}
