"""α-vectors: exact returns of plans that look at nothing but the past of s_g, so linear in the fleet's shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError


@dataclass(frozen=True, eq=False)
class Alphas:
    """Γ_s for every global state, at least one vector each.

    Attributes:
        vectors: float64 [vector, z], those of s_g = 0 first.
        begins: where those of each s_g begin, and their number: int64 [s_g + 1].
    """

    vectors: FloatArray
    begins: IntArray

    def __post_init__(self) -> None:
        begins, vectors = self.begins, self.vectors
        if vectors.ndim != 2 or begins.ndim != 1 or not np.isfinite(vectors).all():
            raise UserError("α-vectors are not finite numbers [vector, zone] with begins [s_g + 1]")
        if len(begins) < 2 or begins[0] != 0 or begins[-1] != len(vectors) or (np.diff(begins) < 1).any():
            raise UserError("α-vectors: begins do not part them, at least one for every global state")

    @property
    def states(self) -> int:
        """|S_g|."""
        return len(self.begins) - 1

    @cached_property
    def owner(self) -> IntArray:
        """Global state of every vector [vector]."""
        return np.repeat(np.arange(self.states), np.diff(self.begins))

    def of(self, state: int) -> FloatArray:
        """Γ_s, float64 [vector, z]."""
        return self.vectors[self.begins[state] : self.begins[state + 1]]

    def values(self, state: int, shares: FloatArray) -> FloatArray:
        """max over Γ_s of m·α for shares m [..., z]: a floor of what is earned from there on, without end [...]."""
        return np.asarray((shares @ self.of(state).T).max(axis=-1))

    @classmethod
    def stacked(cls, sets: Sequence[FloatArray]) -> Alphas:
        """From one array [vector, z] per global state."""
        sizes = [len(one) for one in sets]
        return cls(np.concatenate(sets), np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))

    def joined(self, other: Alphas) -> Alphas:
        """Both sets, those of `self` first."""
        return Alphas.stacked([np.concatenate([self.of(s), other.of(s)]) for s in range(self.states)])
