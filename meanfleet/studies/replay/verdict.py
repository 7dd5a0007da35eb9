"""One k out of the curve: the smallest whose loss is within tolerance, upper ends of its intervals included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MEASURES = {"regret_share": "on the recorded ticks", "rollouts_share": "in rollouts"}


@dataclass(frozen=True)
class Choice:
    """The recommendation.

    Attributes:
        k: robots to poll per tick; None: none of those tried is enough.
        observer: with which dispatcher.
        reason: in words.
    """

    k: int | None
    observer: str | None
    reason: str


def recommend(curve: Sequence[dict[str, Any]], tolerance: float) -> Choice:
    """The smallest k within tolerance, for the observer that needs the fewest; of equals the one without memory.

    The upper end of the 95 % interval counts, of the loss in Q on the recorded ticks and, where there are any, of the
    loss in rollouts.
    """
    fit = [point for point in curve if upper(point) <= tolerance]
    if not fit:
        best = min(curve, key=upper)
        return Choice(
            None,
            None,
            f"no k tried is shown to lose at most {tolerance:.1%}: {best['observer']} with k = {best['k']} comes "
            f"closest, with {_losses(best)}; try a larger k, a longer bag or a wider tolerance",
        )
    order = {"memoryless": 0}
    chosen = min(fit, key=lambda point: (point["k"], order.get(point["observer"], 1)))
    reason = f"{chosen['observer']} with k = {chosen['k']} loses {_losses(chosen)}, within {tolerance:.1%}"
    below = [p for p in curve if p["observer"] == chosen["observer"] and p["k"] < chosen["k"]]
    if below:
        smaller = max(below, key=lambda point: point["k"])
        reason += f"; k = {smaller['k']} {_why_not(smaller, tolerance)}"
    else:
        reason += "; no smaller k was tried"
    return Choice(chosen["k"], chosen["observer"], reason)


def upper(point: dict[str, Any]) -> float:
    """Largest upper end of a point's losses, as a share of the whole fleet's worth."""
    return max(float(point[name]["high"]) for name in MEASURES if name in point)


def _why_not(point: dict[str, Any], tolerance: float) -> str:
    """Whether a k loses more than the tolerance, or is not shown to lose less."""
    surely = any(point[name]["low"] > tolerance for name in MEASURES if name in point)
    return f"loses more (up to {upper(point):.1%})" if surely else f"may lose {upper(point):.1%}"


def _losses(point: dict[str, Any]) -> str:
    return " and ".join(
        f"{point[name]['mean']:.2%} (at most {point[name]['high']:.2%}) {where}"
        for name, where in MEASURES.items()
        if name in point
    )
