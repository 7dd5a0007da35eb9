"""A cooperative fleet robot by robot: every joint move tried in every joint state, and samples drawn one by one.

A game is a mapping of arrays as in `naive.surrogate`; `bonus(s_g, zones, moves)` is what robots are paid together.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .fleet import draw

Arrays = Mapping[str, Any]
Bonus = Callable[[int, tuple[int, ...], tuple[int, ...]], float]
Plan = Callable[[int, tuple[int, ...], int], np.ndarray]
"""(s_g, histogram of the sample, zone) -> robots of that zone by move."""


def nothing(s: int, zones: tuple[int, ...], moves: tuple[int, ...]) -> float:
    """No common pay."""
    return 0.0


def squeeze(effort: np.ndarray, target: np.ndarray, width: float, scale: float) -> Bonus:
    """scale · x·exp(−(x − m)²/σ²), x the mean effort."""

    def pay(s: int, zones: tuple[int, ...], moves: tuple[int, ...]) -> float:
        x = sum(effort[z, a] for z, a in zip(zones, moves, strict=True)) / len(zones)
        return float(scale * x * np.exp(-((x - target[s]) ** 2) / width**2))

    return pay


def backup(game: Arrays, values: np.ndarray, n: int, bonus: Bonus = nothing) -> np.ndarray:
    """One Bellman backup of the joint game: V and T V are [s_g, z_1, …, z_n]."""
    zones, priorities, moves = np.shape(game["r_l"])
    dispatches = np.shape(game["r_g"])[1]
    states = list(itertools.product(range(zones), repeat=n))
    result = np.full(values.shape, -np.inf)
    for s in range(priorities):
        for joint in itertools.product(range(moves), repeat=n):
            ahead = values
            for robot, a in enumerate(joint):  # one robot's zone after the other is averaged over
                ahead = np.moveaxis(np.tensordot(game["P_l"][:, s, a], ahead, axes=(1, robot + 1)), 0, robot + 1)
            paid = sum(
                game["r_l"][:, s, a].reshape([-1 if i == robot else 1 for i in range(n)])
                for robot, a in enumerate(joint)
            )
            reward = np.broadcast_to(np.asarray(paid) / n, (zones,) * n)
            if bonus is not nothing:
                reward = reward + np.reshape([bonus(s, state, joint) for state in states], (zones,) * n)
            for a_g in range(dispatches):
                future = np.tensordot(game["P_g"][s, a_g], ahead, axes=(0, 0))
                result[s] = np.maximum(result[s], game["r_g"][s, a_g] + reward + game["discount"] * future)
    return result


def by_tuple(values: np.ndarray, histograms: np.ndarray, n: int) -> np.ndarray:
    """Values [s_g, h] laid out by joint states [s_g, z_1, …, z_n]."""
    zones = histograms.shape[1]
    order = {tuple(row): i for i, row in enumerate(histograms.tolist())}
    states = itertools.product(range(zones), repeat=n)
    index = [order[tuple(state.count(z) for z in range(zones))] for state in states]
    return values[:, index].reshape(-1, *(zones,) * n)


def rollout(
    game: Arrays,
    dispatch: Callable[[int, tuple[int, ...]], int],
    plan: Plan,
    k: int,
    n: int,
    ticks: int,
    rng: np.random.Generator,
    by_name: bool,
    bonus: Bonus = nothing,
) -> float:
    """Discounted return of one fleet whose robots each sample k − 1 others."""
    zones = len(game["r_l"])
    s = draw(game["start_priority"], rng)
    shares = rng.dirichlet(game["start_concentration"])
    robots = [draw(shares, rng) for _ in range(n)]
    total = 0.0
    for t in range(ticks):
        polled = [robots[i] for i in rng.permutation(n)[:k]]
        a_g = dispatch(s, tuple(polled.count(z) for z in range(zones)))
        moves = []
        for i in range(n):
            sample = [i, *rng.permutation([j for j in range(n) if j != i])[: k - 1].tolist()]
            seen = [robots[j] for j in sample]
            row = plan(s, tuple(seen.count(z) for z in range(zones)), robots[i])
            mates = sorted(j for j in sample if robots[j] == robots[i])
            orders = [a for a, many in enumerate(row) for _ in range(many)]
            moves.append(orders[mates.index(i)] if by_name else orders[rng.integers(len(orders))])
        reward = sum(game["r_l"][z, s, a] for z, a in zip(robots, moves, strict=True)) / n
        reward += game["r_g"][s, a_g] + bonus(s, tuple(robots), tuple(moves))
        total += game["discount"] ** t * reward
        robots = [draw(game["P_l"][z, s, a], rng) for z, a in zip(robots, moves, strict=True)]
        s = draw(game["P_g"][s, a_g], rng)
    return total
