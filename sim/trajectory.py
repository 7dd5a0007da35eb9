"""What happened in a run, tick by tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What happened, tick by tick.

    Attributes:
        priority: int [tick], s_g(t).
        dispatch: int [tick], a_g(t).
        zones: int [tick, robot], s_i(t).
        moves: int [tick, robot], a_i(t).
        reward: float64 [tick].
        samples: int [tick], zones the dispatcher received.
        statistics: of the world at the end.
    """

    priority: NDArray[np.int64]
    dispatch: NDArray[np.int64]
    zones: NDArray[np.int64]
    moves: NDArray[np.int64]
    reward: NDArray[np.float64]
    samples: NDArray[np.int64]
    statistics: dict[str, Any]

    def discounted(self, discount: float) -> float:
        """Σ_t γ^t r(t)."""
        return float(np.sum(discount ** np.arange(len(self.reward)) * self.reward))
