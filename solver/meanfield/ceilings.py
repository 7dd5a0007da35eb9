"""Ceilings: J_k, what the best dispatcher of k robots earns that sees them all, bounds any dispatcher of more robots.

For k < n and any dispatcher of n robots, also one that hears all and forgets nothing: V_n(s, h) ≤ E[V_k(s, h')], h'
being k robots drawn from h without replacement, for a dispatcher of k robots can simulate the other n − k. So
J_1 ≥ J_2 ≥ … ≥ J_n (math.md §10). Both orders of moves:

    next_tick   V(s, μ) = r̃[s]·μ/k + max_a r_g(s, a) + γ E[ Σ_s' P_g(s'|s, a) V(s', μ') | μ, s ]
    at_once     V(s, μ) = max_a r_g(s, a) + Σ_s' P_g(s'|s, a) { r̃[s']·μ/k + γ E[ V(s', μ') | μ, s' ] }

Laws of s_g' that are alike are averaged over once, and each P̃ is applied once per law it is needed with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from ..bounds import ValueInterval, fixed_point
from ..histograms import count_histograms, enumerate_histograms
from ..next_law import OutOfReachError, next_law
from ..threads import run_all
from .floors import histogram_law
from .model import MeanField
from .product import BLOCK, Product, operations, scratch

MEMORY = 3e9  # [byte] of all that a backup holds
LOSS = 2.5e-10  # accepted rounding of an expectation, relative, times 1 − γ
Expect = Callable[[FloatArray], FloatArray]
Progress = Callable[[int, float], None]


@dataclass(frozen=True)
class Ceiling:
    """J_k at the start law lies between `low` and `high`; `high` bounds every dispatcher of k or more robots."""

    k: int
    low: float
    high: float
    backups: int


class SmallFleet:
    """The system of k robots under the fleet's π_l; values are float64 [s_g, h].

    Raises:
        UserError: k < 1.
        OutOfReachError: there are too many histograms.
    """

    def __init__(self, model: MeanField, k: int) -> None:
        if k < 1:
            raise UserError(f"k = {k}: a ceiling wants at least one robot")
        self.model, self.k = model, k
        size = count_histograms(k, model.zones)
        if size * self._columns * 24 > MEMORY:
            raise OutOfReachError(f"k = {k}: a ceiling over {size} histograms is out of reach; lower k")
        self.histograms = enumerate_histograms(k, model.zones)
        self.expectations, self.error = self._laws()
        self.fleet_reward = np.ascontiguousarray(model.fleet_reward @ self.histograms.T / k)

    @property
    def _columns(self) -> int:
        """Numbers per histogram that a backup holds."""
        rows = 0 if self.model.order == "at_once" else max(len(one) for one in self._rows)
        return 2 * rows + len(self.model.row_next) + 4 * self.model.states

    def _laws(self) -> tuple[list[Expect], float]:
        """E[f(μ') | μ] for each group of P̃, by the cheaper way; rounding error relative to max |f|."""
        model, k, zones = self.model, self.k, self.model.zones
        thinning = zones * zones * count_histograms(k, zones) * (k / (zones + 1) + 1)
        room = scratch(k, zones) * BLOCK * 32 < MEMORY
        if k == 1 or (operations(k, zones) < thinning and room):
            tables = Product.of(k, zones)
            return [partial(tables.expect, P) for P in model.steps], tables.error
        laws = [next_law(P, k, LOSS * (1 - model.discount)) for P in model.steps]
        return [law.expect for law in laws], max(law.error for law in laws)

    @cached_property
    def start(self) -> FloatArray:
        """Law of (s_g, h) at the start [s_g, h]."""
        law = histogram_law(self.model.start_concentration, self.k)
        return np.asarray(self.model.start_priority[:, None] * law)

    @property
    def rounding(self) -> float:
        """Bound of the rounding error of a backup of V, relative to max |V|."""
        return self.error + float(np.finfo(np.float64).eps * (self.model.row_next.shape[1] + 4))

    def backup(self, values: FloatArray) -> FloatArray:
        """T V, float64 [s_g, h]."""
        return self._next_tick(values) if self.model.order == "next_tick" else self._at_once(values)

    def _next_tick(self, values: FloatArray) -> FloatArray:
        model, out = self.model, np.empty_like(values)
        ahead = np.empty((values.shape[1], len(model.row_next)))
        _averaged(values, model.row_next, model.row_weight, ahead)

        def fill(group: int) -> None:
            rows = self._rows[group]
            expected = self.expectations[group](np.ascontiguousarray(ahead[:, rows]))
            for state in np.flatnonzero(model.step_of == group):
                at = np.searchsorted(rows, model.row_of[state])
                _best(expected, at, model.discount, model.dispatch_reward[state], self.fleet_reward[state], out[state])

        run_all(partial(fill, group) for group in range(len(model.steps)))
        return out

    def _at_once(self, values: FloatArray) -> FloatArray:
        model = self.model
        after = np.empty_like(values)

        def carry(group: int) -> None:
            states = np.flatnonzero(model.step_of == group)
            expected = self.expectations[group](np.ascontiguousarray(values[states].T))
            after[states] = self.fleet_reward[states] + model.discount * expected.T

        run_all(partial(carry, group) for group in range(len(model.steps)))
        ahead = np.empty((values.shape[1], len(model.row_next)))
        _averaged(after, model.row_next, model.row_weight, ahead)
        out, nothing = np.empty_like(values), np.zeros(values.shape[1])

        def fill(state: int) -> None:
            _best(ahead, model.row_of[state], 1.0, model.dispatch_reward[state], nothing, out[state])

        run_all(partial(fill, state) for state in range(model.states))
        return out

    @cached_property
    def _rows(self) -> list[IntArray]:
        """Laws of s_g' that are needed under each group of P̃."""
        model = self.model
        return [np.unique(model.row_of[model.step_of == group]) for group in range(len(model.steps))]

    def optimum(
        self, tolerance: float, start: FloatArray | None = None, progress: Progress | None = None
    ) -> ValueInterval:
        """The best dispatcher's value in every state, known to `tolerance` (math.md §2)."""

        def report(interval: ValueInterval) -> bool:
            if progress is not None:
                progress(self.k, 2 * interval.half)
            return False

        first = np.zeros((self.model.states, len(self.histograms))) if start is None else start
        return fixed_point(self.backup, first, self.model.discount, tolerance, report, rounding=self.rounding)


def ceiling(model: MeanField, k: int, tolerance: float = 1e-3, progress: Progress | None = None) -> Ceiling:
    """J_k at the start law to `tolerance`, both ends proven.

    Raises:
        UserError: k < 1.
        OutOfReachError: there are too many histograms.
    """
    fleet = SmallFleet(model, k)
    interval = fleet.optimum(tolerance, progress=progress)
    low, high = interval.mean(fleet.start)
    return Ceiling(k, low, high, interval.backups)


@njit(cache=True, nogil=True)
def _averaged(values: FloatArray, row_next: IntArray, row_weight: FloatArray, out: FloatArray) -> None:
    """out[h, row] = Σ_e row_weight[row, e] values[row_next[row, e], h]. Overwrites `out`."""
    out[:] = 0.0
    for row in range(row_next.shape[0]):
        for e in range(row_next.shape[1]):
            weight, state = row_weight[row, e], row_next[row, e]
            if weight > 0:
                for h in range(out.shape[0]):
                    out[h, row] += weight * values[state, h]


@njit(cache=True, nogil=True)
def _best(
    ahead: FloatArray,
    rows: IntArray,
    factor: float,
    dispatch_reward: FloatArray,
    fleet_reward: FloatArray,
    out: FloatArray,
) -> None:
    """out[h] = fleet_reward[h] + max_a (dispatch_reward[a] + factor · ahead[h, rows[a]]). Overwrites `out`."""
    for h in range(len(out)):
        best = -np.inf
        for a in range(len(rows)):
            best = max(best, dispatch_reward[a] + factor * ahead[h, rows[a]])
        out[h] = best + fleet_reward[h]
