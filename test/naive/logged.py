"""Q-learning on logged rows in a dictionary: one line of arithmetic per row."""

from __future__ import annotations

from collections.abc import Iterable

State = tuple[int, tuple[int, ...]]
Row = tuple[State, int, float, State]
"""((s_g, histogram), a_g, r, (s_g', histogram'))."""


def q_learning(
    rows: Iterable[Row], dispatches: int, discount: float, h: float, t0: float
) -> dict[tuple[State, int], float]:
    """Q of every cell that was updated; all others are 0."""
    q: dict[tuple[State, int], float] = {}
    for t, (state, a, r, after) in enumerate(rows):
        best = max(q.get((after, b), 0.0) for b in range(dispatches))
        alpha = h / (t + t0)
        q[state, a] = (1 - alpha) * q.get((state, a), 0.0) + alpha * (r + discount * best)
    return q
