"""UCFH's confidence sets and optimistic planning, straight from their definitions (Dann & Brunskill 2015)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.optimize import linprog


def inside(q: float, p: float, n: int, log_term: float, scale: float) -> bool:
    """Whether the probability q belongs to the confidence set of a frequency p in n visits."""
    if n <= 1:
        return 0 <= q <= 1
    hoeffding = np.sqrt(log_term / (2 * n))
    bernstein = np.sqrt(2 * p * (1 - p) * log_term / n) + 7 / (3 * (n - 1)) * log_term
    near = abs(p - q) <= scale * min(hoeffding, bernstein)
    spread = abs(np.sqrt(q * (1 - q)) - np.sqrt(p * (1 - p)))
    return bool(0 <= q <= 1 and near and spread <= scale * np.sqrt(2 * log_term / (n - 1)))


def best_mean(values: Sequence[float], low: Sequence[float], high: Sequence[float], sign: int = 1) -> float:
    """Largest (sign 1) or least (sign −1) mean of values over laws between low and high: a linear programme."""
    found = linprog(
        -sign * np.asarray(values), A_eq=[np.ones(len(values))], b_eq=[1.0], bounds=list(zip(low, high, strict=True))
    )
    assert found.status == 0, found.message
    return float(-sign * found.fun)


Box = Mapping[int, tuple[float, float]]
"""successor -> (low, high)."""


def optimistic_value(
    horizon: int,
    reward: Callable[[int, int], float],
    actions: Callable[[int], int],
    box: Callable[[int, int], Box],
    first: int,
) -> float:
    """Best return from a first state over all policies and all models in the boxes, by memoised recursion.

    reward(t, state) is earned in the state at time t; box(state, action) bounds what follows.
    """
    memory: dict[tuple[int, int], float] = {}

    def value(t: int, state: int) -> float:
        if t == horizon:
            return 0.0
        if (t, state) not in memory:
            options = []
            for a in range(actions(state)):
                ends = box(state, a)
                values = [value(t + 1, x) for x in ends]
                low, high = zip(*ends.values(), strict=True)
                options.append(best_mean(values, low, high))
            memory[t, state] = reward(t, state) + max(options)
        return memory[t, state]

    return value(0, first)
