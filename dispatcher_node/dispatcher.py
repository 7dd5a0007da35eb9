"""The dispatcher without ROS: draw k robots, take in their zones, decide, steer the priority.

dispatcher = Dispatcher(bundle, robots, k, seed=7)
names = dispatcher.sample()
dispatcher.observe({name: zone, …})
priority = dispatcher.priority       # s_g(t), what robots act on in this tick
dispatch = dispatcher.decide()       # a_g(t); dispatcher.priority is now s_g(t+1)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from meanfleet.bundle import PolicyBundle
from meanfleet.errors import UserError

Rule = Literal["learned", "hold", "random"]
RULES: tuple[Rule, ...] = ("learned", "hold", "random")
OBSERVERS = ("memoryless",)


@dataclass(frozen=True)
class Decision:
    """What one tick decided, and on what.

    Attributes:
        tick: number of the tick, from 0.
        priority: s_g(t).
        histogram: counts per zone of the samples the decision used.
        table_k: k of the table used, None if the dispatcher held for lack of samples or by its rule.
        dispatch: a_g(t).
        next_priority: s_g(t+1).
    """

    tick: int
    priority: int
    histogram: tuple[int, ...]
    table_k: int | None
    dispatch: int
    next_priority: int


class Dispatcher:
    """Samples, decides and owns the priority s_g.

    Args:
        bundle: policies and game.
        robots: names of all robots.
        k: robots drawn per tick; the bundle must have a table for it.
        observer: "memoryless": the paper's dispatcher, which decides on this tick's samples alone.
        seed: for the draws of robots and of the next priority (separate streams).
        dynamics: "model" draws s_g(t+1) from P_g, "direct" sets it to the dispatch.
        rule: "learned" uses the bundle's tables; "hold" (a_g = s_g) and "random" are baselines.
        priority: s_g(0); None draws it from the game's start law.

    Raises:
        UserError: k exceeds the number of robots or has no table, or an unknown observer or rule.
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
    ) -> None:
        if k > len(robots):
            raise UserError(f"k = {k}, but the fleet has {len(robots)} robots: lower k")
        bundle.require_k(k)
        if observer not in OBSERVERS:
            raise UserError(f"observer {observer!r} is unknown: choose from {', '.join(OBSERVERS)}")
        if rule not in RULES:
            raise UserError(f"rule {rule!r} is unknown: choose from {', '.join(RULES)}")
        self.bundle, self.robots, self.k = bundle, tuple(robots), k
        self.observer, self.dynamics, self.rule = observer, dynamics, rule
        streams = np.random.SeedSequence(seed).spawn(3)
        self._draws, self._steering, self._choices = (np.random.default_rng(stream) for stream in streams)
        start = self._from_law(bundle.game.start_priority)
        self.priority = start if priority is None else priority
        self.tick = 0
        self.last: Decision | None = None
        self._order: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._samples: dict[str, int] = {}

    def sample(self) -> tuple[str, ...]:
        """Begin a tick: draw k robots without replacement and return their names."""
        self._samples = {}
        self._order = np.empty(0, dtype=np.int64)
        return self.more(self.k)

    def more(self, count: int) -> tuple[str, ...]:
        """Draw up to `count` further robots that this tick has not drawn yet, to replace missing ones."""
        drawn = set(self._order.tolist())
        count = min(count, len(self.robots) - len(drawn))
        fresh: list[int] = []
        while len(fresh) < count:
            candidate = int(self._draws.integers(len(self.robots)))
            if candidate not in drawn:
                drawn.add(candidate)
                fresh.append(candidate)
        self._order = np.append(self._order, np.array(fresh, dtype=np.int64))
        return tuple(self.robots[i] for i in fresh)

    def observe(self, zones: Mapping[str, int]) -> None:
        """Take in the zones of drawn robots: name to zone index.

        Raises:
            ValueError: a robot that was not drawn in this tick, or a zone outside the game.
        """
        drawn = {self.robots[i] for i in self._order.tolist()}
        for name, zone in zones.items():
            if name not in drawn:
                raise ValueError(f"robot {name!r} was not drawn in this tick")
            if not 0 <= zone < self.bundle.game.zones:
                raise ValueError(f"robot {name!r} reports zone {zone}, outside the game")
        self._samples.update(zones)

    def decide(self) -> int:
        """Choose a_g from the priority and the samples, set the next priority, and return a_g.

        With m samples the table of the largest k' ≤ m decides, on k' of them; with none, a_g = s_g (hold).
        """
        histogram = np.zeros(self.bundle.game.zones, dtype=np.int64)
        table_k = self.bundle.table_for(min(len(self._samples), self.k))
        names = list(self._samples)
        if table_k is not None and table_k < len(names):
            names = [names[i] for i in self._draws.permutation(len(names))[:table_k]]
        if table_k is not None:
            np.add.at(histogram, [self._samples[name] for name in names], 1)
        priority = self.priority
        dispatch, table_k = self._choose(histogram, table_k)
        self.priority = self._steer(dispatch)
        self.last = Decision(self.tick, priority, tuple(histogram.tolist()), table_k, dispatch, self.priority)
        self.tick += 1
        return dispatch

    def _choose(self, histogram: NDArray[np.int64], table_k: int | None) -> tuple[int, int | None]:
        hold = self.priority % self.bundle.game.dispatches
        if self.rule == "hold":
            return hold, None
        if self.rule == "random":
            return int(self._choices.integers(self.bundle.game.dispatches)), None
        return (hold, None) if table_k is None else (self.bundle.dispatch(self.priority, histogram), table_k)

    def _steer(self, dispatch: int) -> int:
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
        return {"tick": self.tick, "priority": self.priority, "streams": [s.bit_generator.state for s in streams]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state()`.

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
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no dispatcher state: {error}") from None
        self._draws, self._steering, self._choices = restored
        self.tick, self.priority = tick, priority
