"""The paper's dispatcher: it knows this tick's samples and forgets them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from meanfleet.base.arrays import FloatArray
from meanfleet.solver.bundle.filtering import Deciding, FilterModel

from .protocol import Sample


class MemorylessObserver:
    """Its belief is the histogram of this tick; it is asked through the dispatch tables, not through a filter."""

    surprise, rho, reach = 0.0, 0.0, 0

    def __init__(self, zones: int) -> None:
        self.alpha: FloatArray = np.zeros(zones)

    def update(self, samples: Sequence[Sample]) -> None:
        """Add what this tick's robots told."""
        for sample in samples:
            self.alpha = self.alpha + sample.weights

    def predict(self, priority: int) -> None:
        """Forget."""
        self.alpha = np.zeros_like(self.alpha)

    def values(self, model: FilterModel, priority: int, deciding: Deciding) -> FloatArray:
        """Worth of every dispatch [a_g] under the prior and this tick's samples."""
        return model.values(priority, model.prior + self.alpha, deciding)

    def state(self) -> dict[str, Any]:
        """Nothing outlives a tick."""
        return {}

    def restored(self, state: Mapping[str, Any]) -> MemorylessObserver:
        """A new one."""
        return MemorylessObserver(len(self.alpha))
