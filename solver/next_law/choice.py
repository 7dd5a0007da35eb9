"""The law of the next histogram, by whichever way keeps its digits: thinnings, or de Casteljau.

Thinning costs a few passes over the histograms; it needs a factorisation of P whose rounding errors stay small. De
Casteljau is an average of averages and right for every P, at a cost that ends near k = 30 with five zones.
"""

from __future__ import annotations

from typing import Protocol

from meanfleet.base.arrays import FloatArray
from meanfleet.base.errors import UserError

from .casteljau import CasteljauLaw, operations
from .factorisation import factorise
from .thinning import ThinningLaw

LOSS = 1e-10  # accepted error of an expectation, relative to the size of f
CHEAP = 100_000  # operations below which de Casteljau costs less than a long search for a factorisation
BUDGET = 500_000_000  # operations per column of one expectation by de Casteljau: some seconds per backup


class OutOfReachError(UserError):
    """The exact backup would take too long; the sampled one is left."""


class NextLaw(Protocol):
    """P(μ' | μ) for histograms of a fixed number of robots."""

    @property
    def error(self) -> float:
        """Bound of the rounding error of `expect`, relative to max |f|."""

    def expect(self, values: FloatArray) -> FloatArray:
        """E[f(μ') | μ] for columns of f [h, column]."""

    def push(self, weights: FloatArray) -> FloatArray:
        """Σ_μ w(μ) P(μ' | μ) for columns of weights [h, column]."""


def next_law(P: FloatArray, k: int, loss: float = LOSS) -> NextLaw:
    """The law of the next histogram of k robots that each move by P [z, z'], to an error of at most `loss`.

    Raises:
        OutOfReachError: P has no accurate factorisation, and k is too large for de Casteljau.
    """
    zones = len(P)
    orders = 120 if operations(k, zones) > CHEAP else 2
    factors = factorise(P, k, loss, orders) if zones > 2 and k > 0 else None
    if factors is not None:
        return ThinningLaw(k, factors, factors.error_bound(P, k))
    if operations(k, zones) > BUDGET:
        raise OutOfReachError(
            f"k = {k}: some robots' transitions have no accurate factorisation, and without one the exact backup "
            f"over {zones} zones takes {operations(k, zones):.0e} operations; lower k or use the sampled backup"
        )
    return CasteljauLaw(k, P)
