"""Both policies of a solved bundle, as a rule for real clients."""

from __future__ import annotations

import numpy as np

from meanfleet.base.arrays import IntArray
from meanfleet.solver.bundle.policy import PolicyBundle


class Learned:
    """Broadcasts by the table for k, moves drawn from π_l."""

    def __init__(self, bundle: PolicyBundle, first: int, rng: np.random.Generator) -> None:
        self.bundle, self.first, self.rng = bundle, first, rng
        self._cumulated = np.cumsum(bundle.local_policy, axis=2)

    def start(self) -> int:
        """The broadcast that the bundle chooses for clients that have not learned anything yet."""
        return self.first

    def moves(self, levels: IntArray, broadcast: int) -> IntArray:
        """One draw from π_l(· | level, broadcast) per client."""
        ends = self._cumulated[levels, broadcast]
        return np.asarray((self.rng.random((len(levels), 1)) * ends[:, -1:] >= ends).sum(axis=1), dtype=np.int64)

    def dispatch(self, broadcast: int, histogram: IntArray) -> int:
        """By the table."""
        return self.bundle.dispatch(broadcast, histogram)
