"""The dispatcher without ROS: draw robots, take in their zones, decide, steer the priority.

dispatcher = Dispatcher(bundle, robots, k, seed=7)
names = dispatcher.sample()
dispatcher.observe({name: zone, …})
priority = dispatcher.priority       # s_g(t), what robots act on in this tick
dispatch = dispatcher.decide()       # a_g(t); dispatcher.priority is now s_g(t+1)
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.errors import UserError
from meanfleet.solver.bundle.filtering import first_best
from meanfleet.solver.bundle.policy import PolicyBundle

from .observers import PARTICLES, Belief, Sample, belief_of, check_observer, handed_over, make_observer
from .sampling import Design, Graphon, Polling, rounded, simple_design, weighted_shares

Rule = Literal["learned", "hold", "random"]
RULES: tuple[Rule, ...] = ("learned", "hold", "random")


@dataclass(frozen=True)
class Heard:
    """A robot's answer as the decision used it: zone (with types: state), age in ticks, and what it counted."""

    zone: int
    age: int
    weight: float


@dataclass(frozen=True)
class Decision:
    """What one tick decided, and on what.

    Attributes:
        tick: number of the tick, from 0.
        priority: s_g(t).
        histogram: counts per zone of the samples: those the table was asked with, or those of this tick in the belief.
        table_k: k of the table used; None if a belief decided, or the dispatcher held for lack of samples or by rule.
        dispatch: a_g(t).
        next_priority: s_g(t+1).
        kappa: κ of the Q that was asked at the belief; None if none was.
        belief: what the dispatcher believed when it decided.
        heard: the robots' answers in it, by name.
        reason: why the priority was held whatever the policy says; empty if it was not.
        weighted: under sampling graphon what matters to s_g(t) by zone, as this tick's answers tell it (shares).
        place: s_g(t) where it is a place on a line, and `priority` the bin it lies in; None: priorities are zones.
    """

    tick: int
    priority: int
    histogram: tuple[int, ...]
    table_k: int | None
    dispatch: int
    next_priority: int
    kappa: int | None
    belief: Belief
    heard: Mapping[str, Heard]
    reason: str = ""
    weighted: tuple[float, ...] = ()
    place: float | None = None


class Dispatcher:
    """Samples, decides and owns the priority s_g.

    Args:
        bundle: policies and game.
        robots: names of all robots.
        k: robots drawn per tick; without memory the bundle must have a table for it.
        observer: "memoryless": the paper's dispatcher, which decides on this tick's samples alone; "dirichlet" and
            "particle" carry a belief from tick to tick and need a bundle with a filter.
        seed: for the draws of robots and of the next priority (separate streams).
        dynamics: "model" draws s_g(t+1) from P_g, "direct" sets it to the dispatch.
        rule: "learned" uses the bundle; "hold" (a_g = s_g) and "random" are baselines.
        priority: s_g(0); None draws it from the game's start law.
        sampling: which robots are drawn: a design, or the name of one that needs no configuration.
        rho: share of the belief that survives a tick; None: the bundle's for k, and from there on as samples ask.
        kappa: κ of the filter to ask, one that the bundle holds; None: the bundle's.
        polls_per_tick: robots drawn per tick on average, instead of k; any positive number.
        particles: of the particle observer.
        exclude: robots that are never drawn. Estimates and belief are of the remaining fleet; k is at most its size.
        kinds: index of every robot's type, in a game with several (`Game.types`); None: all are alike. Robots tell
            zones; whatever the dispatcher counts and believes is of states, type·zones + zone.

    Raises:
        UserError: k exceeds the number of robots or has no table, or an unknown observer, design or rule.
    """

    def __init__(
        self,
        bundle: PolicyBundle,
        robots: Sequence[str],
        k: int,
        observer: str = "memoryless",
        seed: int = 0,
        dynamics: Literal["model", "direct"] = "model",
        rule: Rule = "learned",
        priority: int | None = None,
        *,
        sampling: str | Design = "uniform",
        rho: float | None = None,
        kappa: int | None = None,
        polls_per_tick: float | None = None,
        particles: int = PARTICLES,
        exclude: Collection[str] = (),
        kinds: Sequence[int] | None = None,
    ) -> None:
        self.excluded = tuple(name for name in robots if name in exclude)
        left = max(len(robots) - len(self.excluded), 1)
        self.k = min(k if polls_per_tick is None else max(1, round(polls_per_tick)), left)
        check_polling(bundle, len(robots), k, observer, rho, polls_per_tick, kappa=kappa)
        if rule not in RULES:
            raise UserError(f"rule {rule!r} is unknown: choose from {', '.join(RULES)}")
        if priority is not None and not 0 <= priority < bundle.game.priorities:
            raise UserError(f"priority {priority}: expected one from 0 to {bundle.game.priorities - 1}")
        self.bundle, self.robots = bundle, tuple(robots)
        self._zones = bundle.game.zones // bundle.game.types
        kinds = kinds or [0] * len(robots)
        self._first = {
            name: kind * self._zones for name, kind in zip(self.robots, kinds, strict=True)
        }  # state in zone 0
        self.observer, self.dynamics, self.rule = observer, dynamics, rule
        streams = np.random.SeedSequence(seed).spawn(3)
        self._draws, self._steering, self._choices = (np.random.default_rng(stream) for stream in streams)
        design = simple_design(sampling) if isinstance(sampling, str) else sampling
        self._index = {name: i for i, name in enumerate(self.robots)}
        out = [self._index[name] for name in self.excluded]
        self.polling = Polling(len(robots), self.k, design, polls_per_tick, out)
        self._observer = partial(make_observer, bundle=bundle, k=self.k, rho=rho, seed=seed, particles=particles)
        self.belief = self._observer(observer, robots=left)
        self._begin(priority)
        self.tick = 0
        self.last: Decision | None = None
        self._samples: dict[str, tuple[int, int]] = {}

    def _begin(self, priority: int | None) -> None:
        """Set s_g(0), drawn in any case: what is drawn later does not depend on whether it was given."""
        start = self._from_law(self.bundle.game.start_priority)
        self.priority = start if priority is None else priority

    @property
    def reach(self) -> int:
        """Age in ticks up to which late samples are of use; 0 for a dispatcher without memory."""
        return self.belief.reach

    def sample(self) -> tuple[str, ...]:
        """Begin a tick: draw its robots without replacement and return their names."""
        self._samples = {}
        return tuple(self.robots[i] for i in self.polling.begin(self.tick, self._draws, self.priority).tolist())

    def take(self, tick: int, priority: int, names: Sequence[str], weights: Mapping[str, float]) -> None:
        """Begin a tick with robots that were drawn elsewhere and what their answers count, as a recorded one."""
        self._samples, self.tick, self.priority = {}, tick, priority
        self.polling.order = np.array([self._index[name] for name in names], dtype=np.int64)
        for name, weight in weights.items():
            self.polling.weights[self._index[name]] = weight

    def more(self, count: int) -> tuple[str, ...]:
        """Draw up to `count` further robots that this tick has not drawn yet, to replace missing ones."""
        return tuple(self.robots[i] for i in self.polling.more(count, self.tick, self._draws).tolist())

    def observe(self, zones: Mapping[str, int], ages: Mapping[str, int] | None = None) -> None:
        """Take in the zones of drawn robots: name to zone index, and to age in ticks where it is not 0.

        A belief carries a sample of an earlier tick forward. Samples older than `reach`, or of a tick of which the
        robot has told already, are dropped. Without memory every zone counts as of this tick.

        Raises:
            ValueError: a robot that was not drawn in this tick, or a zone outside the game.
        """
        drawn = {self.robots[i] for i in self.polling.order.tolist()}
        for name, zone in zones.items():
            if name not in drawn:
                raise ValueError(f"robot {name!r} was not drawn in this tick")
            if not 0 <= zone < self._zones:
                raise ValueError(f"robot {name!r} reports zone {zone}, outside the game")
        forgets = self.observer == "memoryless"
        for name, zone in ((name, self._first[name] + zone) for name, zone in zones.items()):
            age = 0 if forgets or ages is None else ages.get(name, 0)
            if 0 <= age <= self.reach and self.polling.roster.hear(self._index[name], zone, self.tick, age):
                self._samples[name] = (zone, age)

    @property
    def polls_all(self) -> bool:
        """Whether every tick polls all robots that are not excluded."""
        return self.polling.budget is None and self.k + len(self.excluded) == len(self.robots)

    def decide(self, reason: str = "") -> int:
        """Choose a_g from the priority and what is known of the fleet, set the next priority, and return a_g.

        With a `reason` not to change the priority it is held, and the belief goes on.

        Without memory and with m samples, the table of the largest k' ≤ m decides, on k' of them; a belief decides with
        whatever came. Where no table serves, or none of the robots asked has answered, nothing is decided: a_g = s_g,
        and s_g stays (hold).
        """
        weights = self.polling.weights
        heard = {name: Heard(z, age, float(weights[self._index[name]])) for name, (z, age) in self._samples.items()}
        samples = self._by_age(heard)
        self.belief.update(samples)
        belief, priority = belief_of(self.belief), self.priority
        if self.observer == "memoryless":
            histogram, table_k = self._for_table(heard)
        else:
            histogram = sum((s.counts for s in samples if s.age == 0), np.zeros(self.bundle.game.zones, np.int64))
            table_k = None
        weighted = self._weighted(heard)
        dispatch, table_k, kappa = self._choose(histogram, table_k)
        if reason:
            dispatch, table_k, kappa = self._holding(), None, None
        self.belief.predict(priority)
        following = self._steer(dispatch)  # drawn in any case: the stream does not depend on who answered
        if not reason and (table_k is not None or kappa is not None or self.rule != "learned"):
            self._go(following)
        counts = tuple(histogram.tolist())
        self.last = Decision(
            self.tick, priority, counts, table_k, dispatch, self.priority, kappa, belief, heard, reason, weighted
        )
        self.tick += 1
        return dispatch

    def _by_age(self, heard: Mapping[str, Heard]) -> list[Sample]:
        zones = self.bundle.game.zones
        samples = []
        for age in sorted({answer.age for answer in heard.values()}):
            answers = [answer for answer in heard.values() if answer.age == age]
            where = [answer.zone for answer in answers]
            counts = np.bincount(where, minlength=zones)
            samples.append(Sample(counts, _weighed(answers, zones), age))
        return samples

    def _for_table(self, heard: Mapping[str, Heard]) -> tuple[NDArray[np.int64], int | None]:
        """Whole counts for the largest table that the answers fill, and its k."""
        histogram = np.zeros(self.bundle.game.zones, dtype=np.int64)
        limit = self.k if self.polling.budget is None else len(heard)
        table_k = self.bundle.table_for(min(len(heard), limit))
        answers = list(heard.values())
        if table_k is None:
            return histogram, None
        if any(answer.weight != answers[0].weight for answer in answers):
            return rounded(_weighed(answers, len(histogram)), table_k, self._draws), table_k
        if table_k < len(answers):
            answers = [answers[i] for i in self._draws.permutation(len(answers))[:table_k]]
        np.add.at(histogram, [answer.zone for answer in answers], 1)
        return histogram, table_k

    def _weighted(self, heard: Mapping[str, Heard]) -> tuple[float, ...]:
        """`Decision.weighted`; empty in designs that know no interaction weights, and if nobody answered."""
        design, now = self.polling.design, {name: answer for name, answer in heard.items() if answer.age == 0}
        if not isinstance(design, Graphon) or not now:
            return ()
        zones = np.array([answer.zone % self._zones for answer in now.values()])
        matters = design.matters(self.priority)[[self._index[name] for name in now]]
        weights = np.array([answer.weight for answer in now.values()])
        return tuple(weighted_shares(zones, matters, weights, self._zones).tolist())

    def _choose(self, histogram: NDArray[np.int64], table_k: int | None) -> tuple[int, int | None, int | None]:
        """Dispatch, k of the table and κ of the filter that decided."""
        hold = self._holding()
        model = self.bundle.filtering
        if self.rule == "hold":
            return hold, None, None
        if self.rule == "random":
            return int(self._choices.integers(self.bundle.game.dispatches)), None, None
        if self.observer != "memoryless" and model is not None:
            if len(self.polling.order) and not self._samples:
                return hold, None, None
            values = self.belief.values(model, self.priority, model.setting_for(self.k).deciding)
            return first_best(values), None, model.kappa
        return (
            (hold, None, None) if table_k is None else (self.bundle.dispatch(self.priority, histogram), table_k, None)
        )

    def _holding(self) -> int:
        """The dispatch that keeps the priority."""
        return self.priority % self.bundle.game.dispatches

    def _go(self, following: float) -> None:
        """Set the next priority to one of `_steer`."""
        self.priority = int(following)

    def _steer(self, dispatch: int) -> float:
        """Draw the next priority under a dispatch."""
        if self.dynamics == "direct":
            return dispatch
        return self._from_law(self.bundle.game.P_g[self.priority, dispatch])

    def _from_law(self, law: NDArray[np.float64]) -> int:
        """Draw by the inverse distribution function: one uniform per tick, so rules compared on a seed share it."""
        cumulative = np.cumsum(law)
        return int(min(np.searchsorted(cumulative, self._steering.random() * cumulative[-1], "right"), len(law) - 1))

    def state(self) -> dict[str, Any]:
        """What a restarted dispatcher needs to go on: JSON-ready."""
        streams = (self._draws, self._steering, self._choices)
        return {
            "tick": self.tick,
            "priority": self.priority,
            "streams": [s.bit_generator.state for s in streams],
            "observer": self.observer,
            "belief": self.belief.state(),
            "polling": self.polling.state(),
            "excluded": list(self.excluded),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state()`, also if it is one of another observer (`observers.handed_over`).

        Raises:
            ValueError: the state is not one of a dispatcher for this game.
        """
        try:
            tick, priority, streams = int(state["tick"]), int(state["priority"]), list(state["streams"])
            if tick < 0 or not 0 <= priority < self.bundle.game.priorities or len(streams) != 3:
                raise ValueError("out of range")
            restored = [np.random.default_rng(0) for _ in streams]  # all or nothing
            for stream, value in zip(restored, streams, strict=True):
                stream.bit_generator.state = value
            left = max(len(self.robots) - len(state.get("excluded", ())), 1)
            belief = handed_over(self._observer(state["observer"], robots=left).restored(state["belief"]), self.belief)
            polling = self.polling.restored(state["polling"], self.bundle.game.zones)
        except (LookupError, TypeError, ValueError, ArithmeticError, UserError) as error:
            raise ValueError(f"no dispatcher state: {error}") from None
        self._draws, self._steering, self._choices = restored
        self.tick, self.priority, self.belief, self.polling = tick, priority, belief, polling

    def take_over(self, old: Dispatcher) -> None:
        """Go on between two ticks in the place of `old`, a dispatcher of the same robots on the same zones.

        Tick, priority, streams of draws and what is known of every robot stay; so does the belief, as far as both have
        one (`observers.handed_over`).
        """
        self._draws, self._steering, self._choices = old._draws, old._steering, old._choices
        self.tick, self.priority, self.last = old.tick, old.priority, old.last
        self.polling = self.polling.restored(old.polling.state(), self.bundle.game.zones)
        self.belief = handed_over(old.belief, self.belief)


def _weighed(answers: Sequence[Heard], zones: int) -> NDArray[np.float64]:
    """Sum of the answers' weights per zone [zone]."""
    total = np.zeros(zones)
    np.add.at(total, [answer.zone for answer in answers], [answer.weight for answer in answers])
    return total


def check_polling(
    bundle: PolicyBundle,
    robots: int,
    k: int,
    observer: str,
    rho: float | None = None,
    polls_per_tick: float | None = None,
    where: str = "the bundle",
    kappa: int | None = None,
) -> None:
    """Raise UserError unless the bundle can run an observer that polls k of so many robots."""
    if polls_per_tick is None and k > robots:
        raise UserError(f"k = {k}, but the fleet has {robots} robots: lower k")
    check_observer(observer, bundle, rho, kappa)
    if observer != "memoryless":
        return
    if polls_per_tick is None:
        bundle.require_k(k, where)
    elif bundle.table_for(min(math.ceil(polls_per_tick), robots)) is None:
        raise UserError(
            f"{polls_per_tick:g} polls per tick fill no table of {where}, whose smallest is for k = {bundle.ks[0]}: "
            "raise dispatcher.polls_per_minute or choose an observer with a belief"
        )
