"""Fleets whose robots differ, without product states: every robot has transitions and rewards of its own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np


def optimal_value(
    P_g: np.ndarray,
    r_g: np.ndarray,
    moves: Sequence[np.ndarray],
    rewards: Sequence[np.ndarray],
    discount: float,
    sweeps: int = 2000,
) -> dict[tuple[int, tuple[int, ...]], float]:
    """Value of the best dispatcher by (s_g, zone of every robot), by plain value iteration.

    `moves[i]` is robot i's law [s_g, zone, next zone] and `rewards[i]` [s_g, zone] what it earns, its policy included.
    """
    zones = moves[0].shape[1]
    states = list(itertools.product(range(zones), repeat=len(moves)))
    value = {(s, state): 0.0 for s in range(len(P_g)) for state in states}
    joint = {
        (s, state): [
            (following, float(np.prod([moves[i][s, state[i], following[i]] for i in range(len(moves))])))
            for following in states
        ]
        for s in range(len(P_g))
        for state in states
    }
    for _ in range(sweeps):
        after = {}
        for (s, state), law in joint.items():
            ahead = [sum(chance * value[to, following] for following, chance in law) for to in range(len(P_g))]
            earned = sum(rewards[i][s, state[i]] for i in range(len(moves))) / len(moves)
            after[s, state] = earned + max(
                r_g[s, a] + discount * sum(P_g[s, a, to] * ahead[to] for to in range(len(P_g)))
                for a in range(r_g.shape[1])
            )
        change = max(abs(after[key] - value[key]) for key in value)
        value = after
        if change < 1e-13:
            break
    return value


def best_alone(
    law: np.ndarray, reward: np.ndarray, allowed: Sequence[Sequence[int]], discount: float, sweeps: int = 2000
) -> list[int]:
    """Best move in every zone for a robot all by itself: law [zone, move, next zone], reward [zone, move]."""
    value = [0.0] * len(reward)
    for _ in range(sweeps):
        worth = {
            (z, a): reward[z, a] + discount * sum(law[z, a, y] * value[y] for y in range(len(value)))
            for z in range(len(value))
            for a in allowed[z]
        }
        value = [max(worth[z, a] for a in allowed[z]) for z in range(len(value))]
    return [max(allowed[z], key=lambda a: worth[z, a]) for z in range(len(value))]


def dealt(shares: Sequence[str], n: int) -> tuple[int, ...]:
    """Robots of every type by largest remainders, from shares as people write them, robot by robot in exact decimals.

    Whoever lacks most of its due, after everybody has the whole part of it, gets the next robot; the first of equals.
    """
    total = sum(map(Fraction, shares))
    due = [n * Fraction(share) / total for share in shares]
    counts = [value.numerator // value.denominator for value in due]
    lacking = [value - count for value, count in zip(due, counts, strict=True)]
    while sum(counts) < n:
        one = lacking.index(max(lacking))
        counts[one] += 1
        lacking[one] -= 1
    return tuple(counts)
