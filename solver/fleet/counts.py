"""Exact simulation of n robots by their counts (MATH §6).

Robots of one zone are exchangeable, so the counts per zone are a sufficient statistic: the k polled robots are a
multivariate hypergeometric draw, moves and transitions are multinomial per zone. Same law as robot by robot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..game import FloatArray, Game
from ..histograms import rank

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error over `rollouts` independent rollouts."""

    mean: float
    error: float
    rollouts: int
    horizon: int


class CountFleet:
    """Many fleets of n robots at once, as counts.

    Attributes:
        counts: int64 [rollout, zone].
        priority: int64 [rollout].
    """

    def __init__(self, game: Game, n: int, rollouts: int, rng: np.random.Generator) -> None:
        self.game, self.n, self.rng = game, n, rng
        self.priority: IntArray = rng.choice(game.priorities, size=rollouts, p=game.start_priority)
        shares = rng.dirichlet(game.start_concentration, size=rollouts)
        self.counts: IntArray = rng.multinomial(n, shares)

    def polled(self, k: int) -> IntArray:
        """Histograms of k robots drawn without replacement in every fleet, int64 [rollout, zone].

        Zone by zone, so that any n works.
        """
        left, wanted = self.counts.sum(axis=1), np.full(len(self.counts), k)
        sample = np.zeros_like(self.counts)
        for zone in range(self.game.zones):
            left = left - self.counts[:, zone]
            sample[:, zone] = self.rng.hypergeometric(self.counts[:, zone], left, wanted)
            wanted = wanted - sample[:, zone]
        return sample

    def step(self, dispatch: IntArray, local_policy: FloatArray) -> FloatArray:
        """Advance every fleet by one tick under its dispatch [rollout]; returns the rewards [rollout]."""
        game, rng = self.game, self.rng
        reward = game.r_g[self.priority, dispatch].copy()
        after = np.zeros_like(self.counts)
        for zone in range(game.zones):
            moves = rng.multinomial(self.counts[:, zone], local_policy[zone, self.priority])
            reward += np.sum(moves * game.r_l[zone, self.priority], axis=1) / self.n
            for move in range(game.moves):
                after += rng.multinomial(moves[:, move], game.P_l[zone, self.priority, move])
        cumulative = np.cumsum(game.P_g[self.priority, dispatch], axis=1)
        draws = rng.random(len(self.priority))[:, None] * cumulative[:, -1:]
        self.counts, self.priority = after, np.sum(draws >= cumulative, axis=1)
        return np.asarray(reward)


def fleet_return(
    game: Game,
    table: IntArray,
    local_policy: FloatArray,
    k: int,
    n: int,
    rollouts: int = 2000,
    horizon: int = 100,
    seed: int = 0,
) -> Estimate:
    """Mean discounted return of the memoryless dispatcher in the n-robot system."""
    fleet = CountFleet(game, n, rollouts, np.random.default_rng(seed))
    total = np.zeros(rollouts)
    for tick in range(horizon):
        dispatch = table[fleet.priority, rank(fleet.polled(k))]
        total += game.discount**tick * fleet.step(dispatch, local_policy)
    return Estimate(float(total.mean()), float(total.std(ddof=1) / np.sqrt(rollouts)), rollouts, horizon)
