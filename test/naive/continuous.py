"""The continuous warehouse robot by robot, from the formulas (math.md §1), in plain Python."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

TAU = (-1.6, -0.8, 0.0, 0.8, 1.6)
DELTA = (0.0, 0.05, -0.05)
EDGES = (-2.0, -1.2, -0.4, 0.4, 1.2, 2.0)


def clip(x: float) -> float:
    return min(2.0, max(-2.0, x))


def dispatch_reward(s: float, a: int) -> float:
    return 5 * math.exp(-((s - TAU[a]) ** 2) / (2 * 0.30**2))


def robot_reward(x: float, s: float, a: int) -> float:
    return 10 * math.exp(-((x - s) ** 2) / (2 * 0.20**2)) - 5 * abs(DELTA[a])


def histogram(places: Sequence[float]) -> list[int]:
    """A robot on an edge belongs to the bin above it, one at the end of the line to the last."""
    found = [0] * 5
    for x in places:
        found[max(b for b in range(5) if x >= EDGES[b])] += 1
    return found


def start(n: int, rng: random.Random) -> tuple[float, list[float]]:
    first, second = rng.sample(TAU, 2)
    many = (55 * n) // 100
    places = [clip(rng.gauss(first if i < many else second, 0.18)) for i in range(n)]
    return rng.uniform(-1, 1), places


def discounted_return(
    n: int,
    k: int,
    horizon: int,
    dispatch: Callable[[float, list[int]], int],
    move: Callable[[float, float], int],
    rng: random.Random,
) -> float:
    """Of one fleet; `dispatch` sees s_g and the histogram of k robots, `move` a robot's place and s_g."""
    s, places = start(n, rng)
    total = 0.0
    for t in range(horizon):
        a = dispatch(s, histogram(rng.sample(places, k)))
        moves = [move(x, s) for x in places]
        mean = sum(robot_reward(x, s, b) for x, b in zip(places, moves, strict=True)) / n
        total += 0.95**t * (dispatch_reward(s, a) + mean)
        s = clip(s + 0.6 * (TAU[a] - s) + rng.gauss(0, 0.08))
        places = [clip(x + DELTA[b] + rng.gauss(0, 0.04)) for x, b in zip(places, moves, strict=True)]
    return total
