"""Whom a dispatcher polls in a tick: design, budget, replacements, and what each answer counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from meanfleet.base.arrays import BoolArray, FloatArray, IntArray

from .budget import Budget
from .estimation import reweighted
from .protocol import Design, Roster


class Polling:
    """The robots of one tick after the other, by index.

    Args:
        robots: n.
        k: robots per tick.
        design: who.
        per_tick: polls per tick on average, instead of k; None: k.
        excluded: robots that are never drawn; chances and weights are those of the remaining fleet.

    Attributes:
        order: int64, the robots of this tick in the order they were drawn.
        weights: float64 [robot], what an answer counts (see `estimation`).
    """

    def __init__(
        self, robots: int, k: int, design: Design, per_tick: float | None = None, excluded: Collection[int] = ()
    ) -> None:
        self.k, self.design = k, design
        self.fleet: BoolArray = np.ones(robots, dtype=bool)  # [robot] who may be drawn
        self.fleet[list(excluded)] = False
        self.budget = None if per_tick is None else Budget(per_tick, int(self.fleet.sum()))
        self.roster = Roster(robots)
        self.order: IntArray = np.empty(0, dtype=np.int64)
        self.weights: FloatArray = np.ones(robots)

    def begin(self, tick: int, rng: np.random.Generator, priority: int = 0) -> IntArray:
        """Draw the robots of a new tick, in which a zone has priority."""
        self.roster.priority = priority
        count = min(self.k if self.budget is None else self.budget.take(), int(self.fleet.sum()))
        self.weights = reweighted(self.design.inclusion(count, self.fleet, self.roster, tick))
        self.order = np.empty(0, dtype=np.int64)
        return self._draw(count, tick, rng)

    def more(self, count: int, tick: int, rng: np.random.Generator) -> IntArray:
        """Draw up to `count` robots that this tick has not drawn yet."""
        fresh = self._draw(count, tick, rng)
        if self.budget is not None:
            self.budget.spend(len(fresh))
        return fresh

    def _draw(self, count: int, tick: int, rng: np.random.Generator) -> IntArray:
        free = self.fleet.copy()
        free[self.order] = False
        fresh = self.design.draw(count, free, self.roster, tick, rng)
        self.order = np.append(self.order, fresh)
        self.roster.asked[fresh] = tick
        return fresh

    def state(self) -> dict[str, Any]:
        """JSON-ready."""
        tokens = None if self.budget is None else self.budget.tokens
        return {"tokens": tokens, "roster": self.roster.state()}

    def restored(self, state: Mapping[str, Any], zones: int) -> Polling:
        """New polling that goes on from `state`.

        Raises:
            ValueError, KeyError or TypeError: it is no such state.
        """
        per_tick = None if self.budget is None else self.budget.per_tick
        new = Polling(len(self.roster), self.k, self.design, per_tick, np.flatnonzero(~self.fleet).tolist())
        new.roster = self.roster.restored(state["roster"], zones)
        if new.budget is not None and state["tokens"] is not None:
            new.budget.tokens = float(state["tokens"])
            if not np.isfinite(new.budget.tokens):
                raise ValueError("out of range")
        return new
