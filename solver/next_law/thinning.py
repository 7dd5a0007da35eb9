"""Symmetric powers as passes of binomial thinning (math.md §3).

A move M(i→j, c) sends each robot of zone i to zone j with probability c. Its symmetric power acts along lines of
histograms that differ in the split of μ_i + μ_j only:

    (Sym^k M(i→j, c) f)(μ) = Σ_b C(μ_i, b) c^b (1−c)^{μ_i−b} f(μ − b·e_i + b·e_j)

Moves into one zone commute, so two of them share a layout (see `layouts`), and E[f(μ')] costs (zones − 1)/2 passes over
the histograms per step of the factorisation, and no matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meanfleet.base.arrays import FloatArray

from .factorisation import Factorisation, Step
from .kernels import along_first, along_second, band, binomial_rows, permute
from .layouts import IndexArray, Layout, gathering, passes, relabelling

CUT = 1e-20  # smaller probabilities are left out: what they add up to is far below the rounding of a sum


@dataclass(frozen=True)
class ThinningLaw:
    """The law of the next histogram of k robots under a factorised P; see `choice.NextLaw`."""

    k: int
    factors: Factorisation
    error: float

    def expect(self, values: FloatArray) -> FloatArray:
        """E[f(μ') | μ] for columns of f [h, column]."""
        return self._run(values, tuple(reversed(self.factors.steps)), adjoint=False)

    def push(self, weights: FloatArray) -> FloatArray:
        """Σ_μ w(μ) P(μ' | μ) for columns of weights [h, column]: the transpose of `expect`."""
        return self._run(weights, self.factors.steps, adjoint=True)

    def _run(self, values: FloatArray, steps: tuple[Step, ...], adjoint: bool) -> FloatArray:
        zones, columns = self.factors.zones, values.shape[1]
        relabelled = self.factors.relabelled
        plain = relabelled == tuple(range(zones))
        here, layout = np.ascontiguousarray(values).ravel(), None
        if adjoint and not plain:
            inverse = tuple(int(z) for z in np.argsort(relabelled))
            here = _permuted(here, relabelling(self.k, zones, inverse), columns)
        for step in steps:
            for first, second, moving in passes(zones, step.target):
                if any(step.shares[z] != 0.0 for z in moving):
                    after = Layout(self.k, zones, step.target, first, second)
                    here, layout = _permuted(here, gathering(layout, after, self.k, zones), columns), after
                    self._thin(here, columns, layout, [(z, step.shares[z]) for z in moving], adjoint)
        here = _permuted(here, gathering(layout, None, self.k, zones), columns)
        if not adjoint and not plain:
            here = _permuted(here, relabelling(self.k, zones, relabelled), columns)
        return here.reshape(values.shape)

    def _thin(
        self, values: FloatArray, columns: int, layout: Layout, moves: list[tuple[int, float]], adjoint: bool
    ) -> None:
        """The moves out of one or both leading zones, in place."""
        begins, lengths = layout.rows
        for zone, share in moves:
            if share != 0.0:
                rows = binomial_rows(self.k, share)
                kernel = np.ascontiguousarray(rows.T if adjoint else rows)
                along = along_first if zone == layout.first else along_second
                along(values, self.k, begins, lengths, columns, kernel, *band(kernel, CUT))


def _permuted(values: FloatArray, index: IndexArray, columns: int) -> FloatArray:
    out = np.empty_like(values)
    permute(values, index, columns, out)
    return out
