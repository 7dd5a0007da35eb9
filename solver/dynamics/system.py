"""What the ODE, fixed points and basins need of a set of learners, whatever game they play."""

from __future__ import annotations

from typing import Protocol

from meanfleet.base.arrays import FloatArray

from .learners import Layout


class LearningSystem(Protocol):
    """Learners and the game they play; x is float64 [parameter], laid out by `layout`."""

    layout: Layout

    def drift(self, x: FloatArray) -> FloatArray:
        """dx/dt [parameter]; not finite where x is not, or where the states no longer mix."""

    def policies(self, x: FloatArray) -> FloatArray:
        """π of all players at x, laid out by `layout.policy`."""

    def state_law(self, x: FloatArray) -> FloatArray:
        """Stationary law of the states at x [s]."""

    def action_shares(self, x: FloatArray) -> list[FloatArray]:
        """Per player, how often each action is played in the long run at x [b]."""
