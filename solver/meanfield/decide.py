"""Greedy dispatch on Γ at the mean of a belief about the shares (math.md §10).

A plan's return is linear in the shares, so under a belief it depends on the belief's mean alone. One tick of lookahead
is better than the plans in Γ: it dispatches for the present shares, and goes on with a plan.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray

from .alphas import Alphas
from .backups import Lookahead
from .model import MeanField
from .points import dispatches


class Greedy:
    """Decisions at (s_g, m); the arrays are made once.

    Args:
        model: the fleet, and the order of moves.
        alphas: Γ.
    """

    def __init__(self, model: MeanField, alphas: Alphas) -> None:
        self.model, self.alphas = model, alphas
        self.lookahead = Lookahead(model, alphas).prepare()

    def worth(self, state: int, shares: FloatArray) -> FloatArray:
        """What each dispatch is worth without end, but for r̃ of this tick in the order next_tick [a_g]."""
        model, late = self.model, self.lookahead.late
        out = np.empty(model.dispatches)
        dispatch_worth(
            np.ascontiguousarray(shares @ model.step(state) if late else shares, dtype=np.float64),
            self.lookahead.ahead,
            self.alphas.begins,
            model.discount if late else 1.0,
            model.dispatch_reward[state],
            model.row_of[state],
            model.row_next,
            model.row_weight,
            out,
        )
        return out

    def dispatch(self, state: int, shares: FloatArray) -> int:
        """The best dispatch at one s_g and shares [z], the first of equals."""
        return int(np.argmax(self.worth(state, shares)))

    def dispatches(self, states: IntArray, shares: FloatArray) -> IntArray:
        """The same at many [point] and [point, z]."""
        return dispatches(self.lookahead, states, shares)


@njit(cache=True, nogil=True)
def dispatch_worth(
    point: FloatArray,
    ahead: FloatArray,
    begins: IntArray,
    factor: float,
    dispatch_reward: FloatArray,
    row_of: IntArray,
    row_next: IntArray,
    row_weight: FloatArray,
    out: FloatArray,
) -> None:
    """out[a] = r_g[a] + factor · Σ_s' P_g[a, s'] max over `ahead` of s' of point·α. Overwrites `out`.

    Only global states that some dispatch leads to are looked at. Arguments as in `Lookahead`, for one global state.
    """
    best = np.full(len(begins) - 1, -np.inf)
    known = np.zeros(len(begins) - 1, dtype=np.bool_)
    for a in range(len(row_of)):
        row, total = row_of[a], 0.0
        for e in range(row_next.shape[1]):
            state = row_next[row, e]
            if row_weight[row, e] > 0:
                if not known[state]:
                    known[state] = True
                    for g in range(begins[state], begins[state + 1]):
                        value = 0.0
                        for z in range(len(point)):
                            value += point[z] * ahead[g, z]
                        best[state] = max(best[state], value)
                total += row_weight[row, e] * best[state]
        out[a] = dispatch_reward[a] + factor * total
