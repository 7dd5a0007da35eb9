"""The sampled backup and stochastic rewards in plain loops, robot by robot; games as in `naive.surrogate`."""

from __future__ import annotations

import numpy as np

from .fleet import draw
from .surrogate import Arrays, histogram_of


def next_state(
    game: Arrays, local_policy: np.ndarray, s: int, robots: tuple[int, ...], a_g: int, rng: np.random.Generator
) -> tuple[int, tuple[int, ...]]:
    """One draw of (s_g', histogram'): every robot draws its move, then its zone."""
    zones = len(local_policy)
    after = []
    for z in robots:
        move = draw(local_policy[z, s], rng)
        after.append(draw(game["P_l"][z, s, move], rng))
    return draw(game["P_g"][s, a_g], rng), histogram_of(tuple(after), zones)


def next_state_law(
    game: Arrays, local_policy: np.ndarray, s: int, robots: tuple[int, ...], a_g: int
) -> dict[tuple[int, tuple[int, ...]], float]:
    """Law of (s_g', histogram'), adding one robot after the other."""
    zones = len(local_policy)
    law = {(0,) * zones: 1.0}
    for z in robots:
        longer: dict[tuple[int, ...], float] = {}
        for histogram, chance in law.items():
            for to in range(zones):
                step = sum(local_policy[z, s, a] * game["P_l"][z, s, a, to] for a in range(local_policy.shape[2]))
                key = tuple(count + (zone == to) for zone, count in enumerate(histogram))
                longer[key] = longer.get(key, 0.0) + chance * step
        law = longer
    return {(t, h): p * game["P_g"][s, a_g, t] for t in range(len(game["P_g"])) for h, p in law.items()}


def reward_law(g: list[tuple[float, float]], robots: list[list[tuple[float, float]]], draws: int) -> dict[float, float]:
    """Law of the mean of `draws` draws of G + (1/k) Σ L_i, by convolution; distributions as (value, probability)."""
    total = {0.0: 1.0}
    parts = [[(value / draws, chance) for value, chance in g]] * draws
    for robot in robots:
        parts += [[(value / draws / len(robots), chance) for value, chance in robot]] * draws
    for part in parts:
        longer: dict[float, float] = {}
        for value, chance in total.items():
            for step, p in part:
                key = round(value + step, 12)
                longer[key] = longer.get(key, 0.0) + chance * p
        total = longer
    return total
