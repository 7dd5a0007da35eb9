"""Tables for k polled robots derived from a larger system of κ robots (math.md §7).

    a(s_g, h) = argmax_a E[ Q_κ(s_g, fleet, a) | s_g, h ]

The fleet is never seen, so what h says of it depends on the law of the fleet given s_g, and that on the table itself.
Laws are simulated: states of n robots under some table, drawn with the weights γ^t of the return. Iterating table →
law → table may cycle; here each round takes the law of the best table known, and what comes out has to prove itself in
rollouts like every other candidate.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from math import ceil

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from ..game import Game
from ..global_learning import first_best, learn_exact
from ..histograms import count_histograms, enumerate_histograms
from ..interpolation import interpolate
from ..surrogate import KRobotSystem
from .counts import Fleet, Seed, discounted_horizon
from .posterior import posterior_mean

FLEETS = 1000  # per s_g
ROLLOUTS, TICKS = 1000, 500_000  # to draw them from: so many rollouts, so many ticks in all, at most
HISTOGRAMS = 25_000  # of κ robots at most: seconds of exact backups
SLOTS = 100  # states kept per rollout
PRECISION = 1e-4  # of Q_κ, in units of the largest reward of a tick


@dataclass(frozen=True, eq=False)
class Reference:
    """The dispatcher's best response with κ robots, all of them seen.

    Attributes:
        kappa: κ.
        q: Q_κ, float64 [s_g, h, a_g].
        local_policy: π_l that it answers.
    """

    kappa: int
    q: FloatArray
    local_policy: FloatArray

    def table(self, k: int) -> IntArray:
        """Greedy table [s_g, h] of a dispatcher that takes k polled robots for the fleet."""
        return first_best(np.stack([self.at(s, self._histograms(k)) for s in range(len(self.q))]))

    def at(self, s: int, fleets: IntArray) -> FloatArray:
        """Q_κ(s, fleet, ·) at fleets [j, zone] of any size: [j, a_g]."""
        n = int(fleets[0].sum()) if len(fleets) else 1
        return interpolate(self.q[s], fleets * (self.kappa / n), self.kappa)

    def derived(self, k: int, fleets: list[IntArray]) -> IntArray:
        """Table [s_g, h] that is greedy to the posterior mean of Q_κ, given fleets [j, zone] for every s_g."""
        histograms = self._histograms(k)
        table = np.empty((len(self.q), len(histograms)), dtype=np.int64)
        for s, seen in enumerate(fleets):
            mean = posterior_mean(histograms, seen, self.at(s, seen), self.at(s, histograms))
            table[s] = first_best(mean[None])[0]
        return table

    def _histograms(self, k: int) -> IntArray:
        return enumerate_histograms(k, self.local_policy.shape[0])


def reference(game: Game, local_policy: FloatArray, kappa: int) -> Reference | None:
    """Q_κ for about the largest κ ≤ `kappa` within reach of the exact backup, None for kappa = 0."""
    while kappa > 0:
        if count_histograms(kappa, game.zones) <= HISTOGRAMS:
            with suppress(UserError):  # out of reach
                best = learn_exact(KRobotSystem(game, kappa).under(local_policy), PRECISION * game.reward_range)
                return Reference(kappa, best.q, local_policy)
        kappa -= ceil(kappa / 5)
    return None


def visited_fleets(fleet: Fleet, table: IntArray, local_policy: FloatArray, seed: Seed) -> list[IntArray]:
    """Fleets [j, zone] for every s_g, drawn from the discounted on-policy law of the fleet given s_g.

    At most FLEETS of each, fewer where s_g is rarely seen.
    """
    discount = fleet.game.discount
    horizon = discounted_horizon(discount)
    rollouts = max(2, min(ROLLOUTS, TICKS // horizon))
    stride = ceil(horizon / SLOTS)
    priority, counts = fleet.visits(table, local_policy, rollouts, horizon, seed, stride)
    weights = np.tile(float(discount) ** (stride * np.arange(priority.shape[1])), rollouts)
    rng = np.random.default_rng(seed)
    drawn = []
    for s in range(fleet.game.priorities):
        here = np.flatnonzero((priority.ravel() == s) & (weights > 0))
        if len(here):
            chance = weights[here] / weights[here].sum()
            here = rng.choice(here, size=min(FLEETS, len(here)), replace=True, p=chance)
        drawn.append(counts.reshape(-1, fleet.game.zones)[here])
    return drawn
