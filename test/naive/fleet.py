"""n robots simulated one by one, in plain loops; a game is a mapping of arrays as in `naive.surrogate`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .surrogate import Arrays, Dispatch, histogram_of


@dataclass(frozen=True)
class Run:
    """Rewards [tick], and priorities and counts per zone before every tick."""

    rewards: list[float]
    priorities: list[int]
    counts: list[tuple[int, ...]]

    def discounted(self, discount: float) -> float:
        """Σ_t γ^t r(t)."""
        return sum(discount**t * reward for t, reward in enumerate(self.rewards))


def draw(law: np.ndarray, rng: np.random.Generator) -> int:
    """One index by its probability."""
    left = rng.random() * float(sum(law))
    for index, chance in enumerate(law):
        left -= chance
        if left < 0:
            return index
    return int(np.flatnonzero(law)[-1])


def robot_by_robot(
    game: Arrays, local_policy: np.ndarray, dispatch: Dispatch, k: int, n: int, ticks: int, rng: np.random.Generator
) -> Run:
    """Every robot has its own zone, draws its own move, jumps by itself; k are polled without replacement."""
    zones = len(local_policy)
    priority = draw(game["start_priority"], rng)
    shares = rng.dirichlet(game["start_concentration"])
    robots = [draw(shares, rng) for _ in range(n)]
    rewards, priorities, counts = [], [], []
    for _ in range(ticks):
        priorities.append(priority)
        counts.append(histogram_of(tuple(robots), zones))
        polled = [robots[i] for i in rng.permutation(n)[:k]]
        a_g = dispatch(priority, histogram_of(tuple(polled), zones))
        moves = [draw(local_policy[z, priority], rng) for z in robots]
        rewards.append(
            game["r_g"][priority, a_g]
            + sum(game["r_l"][z, priority, a] for z, a in zip(robots, moves, strict=True)) / n
        )
        robots = [draw(game["P_l"][z, priority, a], rng) for z, a in zip(robots, moves, strict=True)]
        priority = draw(game["P_g"][priority, a_g], rng)
    return Run(rewards, priorities, counts)


def by_counts(
    game: Arrays, local_policy: np.ndarray, dispatch: Dispatch, k: int, n: int, ticks: int, rng: np.random.Generator
) -> Run:
    """Only counts per zone; balls are taken out of the urn one after the other."""
    zones = len(local_policy)
    priority = draw(game["start_priority"], rng)
    shares = rng.dirichlet(game["start_concentration"])
    fleet = [0] * zones
    for _ in range(n):
        fleet[draw(shares, rng)] += 1
    rewards, priorities, counts = [], [], []
    for _ in range(ticks):
        priorities.append(priority)
        counts.append(tuple(fleet))
        left, polled = list(fleet), [0] * zones
        for _ in range(k):
            z = draw(np.array(left, dtype=float), rng)
            left[z] -= 1
            polled[z] += 1
        a_g = dispatch(priority, tuple(polled))
        reward, after = game["r_g"][priority, a_g], [0] * zones
        for z in range(zones):
            for _ in range(fleet[z]):
                a = draw(local_policy[z, priority], rng)
                reward += game["r_l"][z, priority, a] / n
                after[draw(game["P_l"][z, priority, a], rng)] += 1
        rewards.append(reward)
        fleet, priority = after, draw(game["P_g"][priority, a_g], rng)
    return Run(rewards, priorities, counts)
