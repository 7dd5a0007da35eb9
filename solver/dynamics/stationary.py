"""Stationary laws of larger chains: ρ = ρM by a factorisation that is kept while M changes little.

With the last state's weight set to 1, the others solve (I − M₁₁)ᵀ ρ₁ = m, where m is the last row of M. Along an ODE
M hardly changes from one call to the next, so the old factors and the old ρ are refined, and factors are made anew
when refinement is slow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import lu_factor, lu_solve
from scipy.sparse import csc_array, diags_array
from scipy.sparse.linalg import splu

from meanfleet.base.arrays import FloatArray

REFINEMENTS = 6
ACCURACY = 1e-14  # of the balance of a state's inflow and outflow, relative to the largest flow


class StationaryLaw:
    """The stationary law of one irreducible chain after the other."""

    def __init__(self) -> None:
        self._solve: Callable[[FloatArray], FloatArray] | None = None
        self._last: FloatArray | None = None
        self.factorisations = 0

    def of(self, chain: Any) -> FloatArray:
        """ρ [s] of a chain [s, s'], dense or sparse; NaN where it cannot be found."""
        size = chain.shape[0]
        if size == 1:
            return np.ones(1)
        system, right = _reduced(chain)
        if self._solve is not None and self._last is not None and len(self._last) == size - 1:
            found = self._refined(system, right, self._last)
            if found is not None:
                return self._normalised(found)
        try:
            self._solve = _factorised(system)
        except (RuntimeError, ValueError):  # singular, or not finite
            self._solve = None
            return np.full(size, np.nan)
        self.factorisations += 1
        first = self._solve(right)
        better = self._refined(system, right, first)
        return self._normalised(first if better is None else better)

    def _refined(self, system: Any, right: FloatArray, guess: FloatArray) -> FloatArray | None:
        assert self._solve is not None
        for _ in range(REFINEMENTS):
            wrong = right - system @ guess
            if np.abs(wrong).max() <= ACCURACY * (right + system.diagonal() * np.abs(guess)).max():
                return guess
            guess = guess + self._solve(wrong)
        return None

    def _normalised(self, weights: FloatArray) -> FloatArray:
        self._last = weights
        full = np.append(np.maximum(weights, 0.0), 1.0)
        return np.asarray(full / full.sum(), dtype=np.float64)


def _reduced(chain: Any) -> tuple[Any, FloatArray]:
    """(I − M₁₁)ᵀ and m; 1 − M[s, s] is summed from the chances to leave, so that small ones lose no digits."""
    if not isinstance(chain, np.ndarray):
        M = csc_array(chain)
        M.setdiag(0.0)
        kept = diags_array(np.asarray(M.sum(axis=1))[:-1], format="csc") - M[:-1, :-1].T
        return csc_array(kept), np.asarray(M[[-1], :-1].toarray()[0])
    dense = np.array(chain)
    np.fill_diagonal(dense, 0.0)
    return np.diag(dense.sum(axis=1)[:-1]) - dense[:-1, :-1].T, dense[-1, :-1]


def _factorised(system: Any) -> Callable[[FloatArray], FloatArray]:
    if not isinstance(system, np.ndarray):
        factors = splu(system)
        return lambda right: np.asarray(factors.solve(right), dtype=np.float64)
    pair = lu_factor(system, check_finite=True)
    return lambda right: np.asarray(lu_solve(pair, right), dtype=np.float64)
