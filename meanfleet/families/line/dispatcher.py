"""The dispatcher of robots on a line: it polls bins, and steers a priority that is a place.

Robots tell bins, so all that is sampled, counted and believed is as with zones, on the finite game of the bins. The
priority moves as the model says, s_g' = clip(s_g + steering (τ[a_g] − s_g) + noise); robots are told the place, the
game is asked about the bin it lies in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from meanfleet.base.errors import UserError
from meanfleet.dispatcher_node.dispatcher import Dispatcher
from meanfleet.solver.continuous.rules import nearest_target

from .bundle import ContinuousBundle


class LineDispatcher(Dispatcher):
    """As `Dispatcher`; a priority that is given is that bin's target.

    Attributes:
        line: of the bundle.
        place: s_g; `priority` is its bin.
    """

    def _begin(self, priority: int | None) -> None:
        if not isinstance(self.bundle, ContinuousBundle):
            raise UserError("the policy is for zones, and this dispatcher for robots on a line: solve for a line")
        self.line = self.bundle.warehouse()
        super()._begin(priority)
        start = (2 * self._steering.random() - 1) * self.line.start_range
        self._go(start if priority is None else self.line.targets[priority])

    def decide(self, reason: str = "") -> int:
        """As `Dispatcher.decide`; with `direct` dynamics the next priority is the dispatch's target."""
        place = self.place
        dispatch = super().decide(reason)
        assert self.last is not None
        self.last = replace(self.last, place=place)
        return dispatch

    def _holding(self) -> int:
        return int(nearest_target(self.line, np.array([self.place]))[0])

    def _go(self, following: float) -> None:
        self.place = float(following)
        self.priority = int(self.line.bin_of(np.array(following)))

    def _steer(self, dispatch: int) -> float:
        if self.dynamics == "direct":
            return self.line.targets[dispatch]
        return float(self.line.steer(np.array([self.place]), np.array([dispatch]), self._steering)[0])

    def state(self) -> dict[str, Any]:
        """As `Dispatcher.state`."""
        return super().state() | {"place": self.place}

    def restore(self, state: Mapping[str, Any]) -> None:
        """As `Dispatcher.restore`."""
        place = state.get("place")
        if not isinstance(place, float | int) or not abs(place) <= self.line.limit:
            raise ValueError("no dispatcher state: its priority is no place on the line")
        super().restore(state)
        self._go(place)

    def take_over(self, old: Dispatcher) -> None:
        """As `Dispatcher.take_over`."""
        super().take_over(old)
        if isinstance(old, LineDispatcher):
            self._go(old.place)
