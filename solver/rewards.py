"""Stochastic rewards (arXiv 2603.03759, Appendix F): r_g and r_l are means of bounded distributions.

    R = G + (1/k) Σ_i L_i,    G ~ 𝒢(s_g, a_g),    L_i ~ ℒ(z_i, s_g, a_i),    a_i ~ π_l(·|z_i, s_g)

Each distribution is a finite one: atoms with their probabilities. The operator averages Ξ draws of R per evaluation of
(s_g, μ, a_g). With [low, high] the range of R, Hoeffding's inequality bounds the error of that average (Lemma F.4):
with probability 1 − δ it is at most (high − low) √(ln(2/δ) / (2Ξ)), so Q is off by at most 1/(1−γ) times that if it
holds at every evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from .game import Game

MEAN_TOLERANCE = 1e-9
TRIALS = 512  # of one binomial draw: older numba loses some of them where (1−p)^n underflows


@dataclass(frozen=True, eq=False)
class RewardLaws:
    """Distributions of the rewards of a game, by atoms.

    Attributes:
        g_values, g_law: values and probabilities of the dispatcher's reward, float64 [s_g, a_g, atom].
        l_values, l_law: those of one robot's reward, float64 [z, s_g, a_l, atom].

    Raises:
        UserError: shapes differ, a value is not finite, or probabilities are negative or do not sum to 1.
    """

    g_values: FloatArray
    g_law: FloatArray
    l_values: FloatArray
    l_law: FloatArray

    def __post_init__(self) -> None:
        for name, axes in (("g", 3), ("l", 4)):
            values, law = getattr(self, f"{name}_values"), getattr(self, f"{name}_law")
            if values.shape != law.shape or values.ndim != axes or 0 in values.shape:
                raise UserError(
                    f"{name}_values has shape {values.shape} and {name}_law {law.shape}: "
                    f"expected the same {axes} axes, none of them 0"
                )
            if not (np.isfinite(values).all() and np.isfinite(law).all()):
                raise UserError(f"{name}_values or {name}_law holds a number that is not finite")
            if (law < 0).any() or (np.abs(law.sum(axis=-1) - 1) > MEAN_TOLERANCE).any():
                raise UserError(f"{name}_law: expected probabilities that sum to 1 over the atoms")

    def check(self, game: Game) -> None:
        """Compare with the game, whose rewards are the means.

        Raises:
            UserError: another shape or another mean, with the index.
        """
        for name, values, law in (("r_g", self.g_values, self.g_law), ("r_l", self.l_values, self.l_law)):
            mean, expected = np.sum(values * law, axis=-1), getattr(game, name)
            if mean.shape != expected.shape:
                raise UserError(f"reward distributions for {mean.shape} cells, but {name} has {expected.shape}")
            off = np.abs(mean - expected) > MEAN_TOLERANCE * max(1.0, float(np.abs(expected).max()))
            if off.any():
                at = tuple(int(i) for i in np.argwhere(off)[0])
                raise UserError(f"{name}{list(at)} is {expected[at]:g}, but its distribution has mean {mean[at]:g}")

    @classmethod
    def two_points(cls, game: Game, spread: float) -> RewardLaws:
        """Every reward is its mean ± `spread`, either with probability 1/2."""
        sides = spread * np.array([-1.0, 1.0])
        own, robots = game.r_g[..., None] + sides, game.r_l[..., None] + sides
        return cls(own, np.full_like(own, 0.5), robots, np.full_like(robots, 0.5))

    @classmethod
    def certain(cls, game: Game) -> RewardLaws:
        """Every reward is its mean; what a robot earns in a tick still depends on the move it draws."""
        own, robots = game.r_g[..., None], game.r_l[..., None]
        return cls(own, np.ones_like(own), robots, np.ones_like(robots))

    @property
    def range(self) -> tuple[float, float]:
        """Least and greatest value of R, over all states and actions."""
        low = float(np.where(self.g_law > 0, self.g_values, np.inf).min())
        low += float(np.where(self.l_law > 0, self.l_values, np.inf).min())
        high = float(np.where(self.g_law > 0, self.g_values, -np.inf).max())
        high += float(np.where(self.l_law > 0, self.l_values, -np.inf).max())
        return low, high

    def deviation(self, draws: int, probability: float) -> float:
        """Hoeffding: the mean of `draws` draws of R is farther from its mean with at most this `probability`."""
        low, high = self.range
        return float((high - low) * np.sqrt(np.log(2 / probability) / (2 * draws)))

    def under(self, local_policy: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Values and probabilities of one robot's reward when its move is drawn from π_l: float64 [s_g, z, atom]."""
        zones, priorities = local_policy.shape[:2]
        weights = (local_policy[..., None] * self.l_law).reshape(zones, priorities, -1)
        values = self.l_values.reshape(zones, priorities, -1)
        return np.ascontiguousarray(values.transpose(1, 0, 2)), np.ascontiguousarray(weights.transpose(1, 0, 2))


class RewardDraws:
    """Means of Ξ draws of R for every (s_g, state, a_g), fresh at every call.

    Args:
        laws: the distributions.
        local_policy: π_l [z, s_g, a].
        counts: histogram of every state, int64 [state, zone].
        draws: Ξ.
    """

    def __init__(self, laws: RewardLaws, local_policy: FloatArray, counts: IntArray, draws: int) -> None:
        if draws < 1:
            raise UserError(f"{draws} reward draws: expected at least 1")
        self.laws, self.counts, self.draws = laws, np.ascontiguousarray(counts), draws
        self._l_values, self._l_law = laws.under(local_policy)

    def mean(self, seed: int) -> FloatArray:
        """One evaluation of every (s_g, state, a_g): float64 [s_g, state, a_g]."""
        priorities, dispatches, _ = self.laws.g_values.shape
        reward = np.empty((priorities, len(self.counts), dispatches))
        g_values, g_law = np.ascontiguousarray(self.laws.g_values), np.ascontiguousarray(self.laws.g_law)
        _mean_rewards(self.counts, g_values, g_law, self._l_values, self._l_law, self.draws, seed, reward)
        return reward


@njit(cache=True, parallel=True)
def _mean_rewards(
    counts: IntArray,
    g_values: FloatArray,
    g_law: FloatArray,
    l_values: FloatArray,
    l_law: FloatArray,
    draws: int,
    seed: int,
    reward: FloatArray,
) -> None:
    """Fill reward[s_g, state, a_g] with the mean of `draws` draws of R. Mutates `reward` only.

    Robots of a zone are alike: `draws` times μ_z of them are one multinomial draw over the atoms.
    """
    priorities, size, dispatches = reward.shape
    zones = counts.shape[1]
    for h in prange(size):
        np.random.seed((seed + h * 2654435761) % 4294967291)
        k = counts[h].sum()
        for s in range(priorities):
            for a in range(dispatches):
                total = sum_of_draws(draws, g_values[s, a], g_law[s, a])
                fleet = 0.0
                for z in range(zones):
                    fleet += sum_of_draws(draws * counts[h, z], l_values[s, z], l_law[s, z])
                reward[s, h, a] = (total + fleet / k) / draws


@njit(cache=True)
def sum_of_draws(trials: int, values: FloatArray, law: FloatArray) -> float:
    """Sum of `trials` independent draws from a finite distribution. Advances numba's random state only."""
    last = len(values) - 1
    left, mass = trials, 1.0
    total = 0.0
    for atom in range(last):
        if left == 0:
            break
        share = 1.0 if law[atom] >= mass else law[atom] / mass  # rounding can take the ratio above 1
        hits = 0
        for begin in range(0, left, TRIALS):
            hits += np.random.binomial(min(TRIALS, left - begin), share)
        total += hits * values[atom]
        left -= hits
        mass -= law[atom]
    total += left * values[last]
    return float(total)
