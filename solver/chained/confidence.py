"""What n observations say about a probability, and the best and worst law within (Dann & Brunskill 2015).

With p the frequency of a successor in n visits, L = ln(6/δ₁) and c the confidence scale (1 in the theory), p' lies with
high probability in

    | √(p'(1−p')) − √(p(1−p)) | ≤ c √(2L/(n−1))
    | p' − p | ≤ c min( √(L/(2n)),  √(2 p(1−p) L/n) + 7L/(3(n−1)) )

The first condition may cut the middle out of the interval; its convex hull is kept, which suffices for the theory.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray


@njit(cache=True)
def interval(p: float, n: int, log_term: float, scale: float) -> tuple[float, float]:
    """Least and largest p' in the hull of the confidence set. With n ≤ 1 nothing is known."""
    if n <= 1:
        return 0.0, 1.0
    deviation = np.sqrt(p * (1 - p))
    hoeffding = np.sqrt(log_term / (2 * n))
    bernstein = deviation * np.sqrt(2 * log_term / n) + 7 * log_term / (3 * (n - 1))
    radius = scale * min(hoeffding, bernstein)
    low, high = max(0.0, p - radius), min(1.0, p + radius)
    slack = scale * np.sqrt(2 * log_term / (n - 1))
    if deviation > slack:  # p' may not be too close to 0 or 1
        outer = np.sqrt(max(0.25 - (deviation - slack) ** 2, 0.0))
        low, high = max(low, 0.5 - outer), min(high, 0.5 + outer)
    if deviation + slack < 0.5:  # nor too close to 1/2
        inner = np.sqrt(0.25 - (deviation + slack) ** 2)
        if low > 0.5 - inner:
            low = max(low, 0.5 + inner)
        if high < 0.5 + inner:
            high = min(high, 0.5 - inner)
    return min(low, p), max(high, p)


@njit(cache=True)
def extreme(values: FloatArray, ends: IntArray, low: FloatArray, high: FloatArray, best: bool) -> float:
    """Largest (or least) Σ p'(i) values[ends[i]] over laws p' with low ≤ p' ≤ high. Mutates nothing.

    The lower ends are given out first; what is left goes to the successors in the order of their values.
    """
    order = np.argsort(values[ends])
    left, total = 1.0, 0.0
    for i in range(len(ends)):
        left -= low[i]
        total += low[i] * values[ends[i]]
    for place in range(len(ends)):
        i = order[len(ends) - 1 - place] if best else order[place]
        extra = max(0.0, min(left, high[i] - low[i]))
        left -= extra
        total += extra * values[ends[i]]
    return total
