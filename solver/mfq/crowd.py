"""Games whose robots are paid together: a `Game`, and with it, if wanted, what they earn by their total effort.

    r(t) = r_g(s_g, a_g) + (1/n) Σ_i r_l(s_i, s_g, a_i) + c · x·exp(−(x − m(s_g))²/σ²),    x = (1/n) Σ_i e(s_i, a_i)

The last term is the Gaussian squeeze, in shares of the fleet so that it means the same for k robots and for n.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meanfleet.base.arrays import FloatArray
from meanfleet.base.errors import UserError

from ..game import Game


@dataclass(frozen=True, eq=False)
class Squeeze:
    """Pay for the mean effort x.

    Attributes:
        effort: e(s_i, a_i), float64 [z, a].
        target: m(s_g), float64 [s_g].
        width: σ, above 0.
        scale: c.
    """

    effort: FloatArray
    target: FloatArray
    width: float
    scale: float = 1.0

    def reward(self, priority: int, x: float) -> float:
        """What a mean effort x earns under s_g."""
        return float(self.scale * x * np.exp(-(((x - self.target[priority]) / self.width) ** 2)))


@dataclass(frozen=True, eq=False)
class Crowd:
    """A game and its squeeze; None: the game's own rewards alone.

    Raises:
        UserError: efforts or targets of another shape, or a width that is not positive.
    """

    game: Game
    squeeze: Squeeze | None = None

    def __post_init__(self) -> None:
        if self.squeeze is None:
            return
        shapes = (np.shape(self.squeeze.effort), np.shape(self.squeeze.target))
        expected = ((self.game.zones, self.game.moves), (self.game.priorities,))
        if shapes != expected or not self.squeeze.width > 0:
            raise UserError(
                f"squeeze of effort and target {shapes} and width {self.squeeze.width}: expected {expected}, above 0"
            )

    def effort_terms(self) -> tuple[FloatArray, FloatArray, float]:
        """Effort [z, a], target [s_g] and width for compiled code; zeros without a squeeze."""
        if self.squeeze is None:
            return np.zeros((self.game.zones, self.game.moves)), np.zeros(self.game.priorities), 1.0
        effort, target = (np.array(one, dtype=float, order="C") for one in (self.squeeze.effort, self.squeeze.target))
        return effort, target, float(self.squeeze.width)

    @property
    def scale(self) -> float:
        """c, or 0 without a squeeze."""
        return 0.0 if self.squeeze is None else float(self.squeeze.scale)
