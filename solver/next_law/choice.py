"""The law of the next histogram, by whichever way keeps its digits: thinnings, or the dense matrix.

Thinning costs one pass per pair of zones and no memory to speak of; it needs a factorisation of P whose rounding errors
stay small. The dense matrix is a sum of non-negative terms and right for every P, but has |H_k|² entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from meanfleet.errors import UserError

from ..game import FloatArray
from ..histograms import count_histograms
from .symmetric_power import SymmetricPower, dense_bytes
from .thinning import LOSS, ThinningLaw, error_bound, factorise

MEMORY_BUDGET = 2 * 2**30  # [bytes] for one dense matrix pair


class NextLaw(Protocol):
    """P(μ' | μ) for histograms of a fixed number of robots."""

    def expect(self, values: FloatArray) -> FloatArray:
        """E[f(μ') | μ] for columns of f [h, column]."""

    def push(self, weights: FloatArray) -> FloatArray:
        """Σ_μ w(μ) P(μ' | μ) for columns of weights [h, column]."""


@dataclass(frozen=True, eq=False)
class DenseLaw:
    """The law as its matrix [μ, μ']."""

    matrix: FloatArray

    def expect(self, values: FloatArray) -> FloatArray:
        """See `NextLaw`."""
        return self.matrix @ values

    def push(self, weights: FloatArray) -> FloatArray:
        """See `NextLaw`."""
        return self.matrix.T @ weights


class NextLaws:
    """Makes the laws of k−1 and of k robots for any P over `zones` zones."""

    def __init__(self, k: int, zones: int) -> None:
        self.k, self.zones = k, zones
        self._power: SymmetricPower | None = None

    def of(self, P: FloatArray) -> tuple[NextLaw, NextLaw]:
        """(law of k−1 robots, law of k robots) when each moves by P [z, z'].

        Raises:
            UserError: P has no accurate factorisation, and k is too large for the dense matrix.
        """
        moves = factorise(P)
        if moves is not None and error_bound(moves, self.k) <= LOSS:
            return ThinningLaw(self.k - 1, self.zones, moves), ThinningLaw(self.k, self.zones, moves)
        if dense_bytes(self.k, self.zones) > MEMORY_BUDGET:
            raise UserError(
                f"k = {self.k}: these transitions have no accurate factorisation, and the dense backup over "
                f"{count_histograms(self.k, self.zones)} histograms needs "
                f"{dense_bytes(self.k, self.zones) / 2**30:.0f} GiB per priority; lower k or use the sampled backup"
            )
        self._power = self._power or SymmetricPower(self.k, self.zones)
        fewer, law = self._power.matrices(P)
        return DenseLaw(fewer), DenseLaw(law)
