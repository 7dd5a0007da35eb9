"""The k-robot system (MATH §2): the game with n = k, whose state (s_g, histogram of k robots) is fully observed.

For a fixed π_l the robots are averaged out,

    P̃[s_g][z, z'] = Σ_a π_l(a|z, s_g) P_l(z'|z, s_g, a)        r̃[z, s_g] = Σ_a π_l(a|z, s_g) r_l(z, s_g, a)

and what remains is a Markov decision process of the dispatcher alone. Values are float64 [s_g, h], h the
histogram's index; dispatch tables are int64 [s_g, h].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from meanfleet.errors import UserError

from .game import FloatArray, Game
from .histograms import count_histograms, enumerate_histograms
from .next_law import NextLaw, NextLaws

IntArray = NDArray[np.int64]
HISTOGRAMS = 5_000_000  # more are beyond the exact backup


class KRobotSystem:
    """What does not depend on the policies: histograms, index tables, the start law."""

    def __init__(self, game: Game, k: int) -> None:
        if k < 1:
            raise UserError(f"k = {k}: at least one robot must be polled")
        size = count_histograms(k, game.zones)
        if size > HISTOGRAMS:
            raise UserError(
                f"k = {k}: the exact backup over {size} histograms is out of reach; lower k or use the sampled backup"
            )
        self.game, self.k = game, k
        self.histograms = enumerate_histograms(k, game.zones)
        self.laws = NextLaws(k, game.zones)

    @cached_property
    def start(self) -> FloatArray:
        """Law of (s_g, h) at the start [s_g, h]: s_g independent of a Dirichlet–multinomial histogram."""
        alpha, mu = self.game.start_concentration, self.histograms
        log_law = (
            gammaln(alpha.sum())
            + gammaln(self.k + 1)
            - gammaln(self.k + alpha.sum())
            + np.sum(gammaln(mu + alpha) - gammaln(alpha) - gammaln(mu + 1), axis=1)
        )
        law = np.exp(log_law)
        return np.asarray(self.game.start_priority[:, None] * (law / law.sum()), dtype=np.float64)

    def under(self, local_policy: FloatArray) -> Surrogate:
        """The dispatcher's decision process when all robots follow π_l [z, s_g, a]."""
        game = self.game
        tilde = np.einsum("zsa,zsay->szy", local_policy, game.P_l)
        reward = np.einsum("zsa,zsa->zs", local_policy, game.r_l)
        pairs = [self.laws.of(tilde[s]) for s in range(game.priorities)]
        return Surrogate(
            system=self,
            local_policy=local_policy,
            fewer=tuple(pair[0] for pair in pairs),
            law=tuple(pair[1] for pair in pairs),
            fleet_reward=np.asarray((self.histograms @ reward).T / self.k),
        )


@dataclass(frozen=True, eq=False)
class Surrogate:
    """The k-robot system under a fixed π_l.

    Attributes:
        fewer: per s_g, the law of the next histogram of k−1 robots.
        law: per s_g, the law of the next histogram of k robots.
        fleet_reward: Σ_z (μ_z/k) r̃[z, s_g], float64 [s_g, h].
    """

    system: KRobotSystem
    local_policy: FloatArray
    fewer: tuple[NextLaw, ...]
    law: tuple[NextLaw, ...]
    fleet_reward: FloatArray

    def changed(self, cell: tuple[int, int], row: FloatArray) -> Surrogate:
        """The same with π_l(·|z, s_g) = row at cell (z, s_g): only that s_g is built again."""
        zone, s = cell
        policy = self.local_policy.copy()
        policy[zone, s] = row
        game = self.system.game
        tilde = np.einsum("za,zay->zy", policy[:, s], game.P_l[:, s])
        fewer, law = self.system.laws.of(tilde)
        reward = self.fleet_reward.copy()
        reward[s] = self.system.histograms @ np.sum(policy[:, s] * game.r_l[:, s], axis=1) / self.system.k
        return Surrogate(
            self.system,
            policy,
            (*self.fewer[:s], fewer, *self.fewer[s + 1 :]),
            (*self.law[:s], law, *self.law[s + 1 :]),
            reward,
        )

    def expected(self, values: FloatArray) -> FloatArray:
        """E[V(s', μ') | s_g, μ] for every s' [s_g, h, s']: shared by all dispatches."""
        return np.stack([law.expect(values.T) for law in self.law])

    def q_values(self, values: FloatArray) -> FloatArray:
        """(T V)(s_g, h, a_g) = r + γ Σ_s' P_g(s'|s_g, a_g) E[V(s', μ')], float64 [s_g, h, a_g]."""
        game = self.system.game
        future = np.einsum("sht,sat->sha", self.expected(values), game.P_g, optimize=True)
        return np.asarray(game.r_g[:, None, :] + self.fleet_reward[:, :, None] + game.discount * future)

    def backup_optimal(self, values: FloatArray) -> FloatArray:
        """max_a (T V)(·, a)."""
        return np.asarray(self.q_values(values).max(axis=2))

    def policy_operator(self, table: IntArray) -> Callable[[FloatArray], FloatArray]:
        """V ↦ E[V(s', μ') | s_g, μ] under a dispatch table [s_g, h], both float64 [s_g, h]."""
        steering = self.system.game.P_g[np.arange(len(table))[:, None], table]  # [s_g, h, s']
        return lambda values: np.asarray(np.sum(self.expected(values) * steering, axis=2))

    def policy_reward(self, table: IntArray) -> FloatArray:
        """Reward of a tick under a dispatch table [s_g, h]: float64 [s_g, h]."""
        return np.asarray(np.take_along_axis(self.system.game.r_g, table, axis=1) + self.fleet_reward)

    def push(self, law: FloatArray, table: IntArray) -> FloatArray:
        """Law of (s_g, h) one tick later [s_g, h], given the law now and the dispatch table."""
        game = self.system.game
        after = np.zeros_like(law)
        for s, kernel in enumerate(self.law):
            weights = law[s][:, None] * game.P_g[s][table[s]]
            after += kernel.push(weights).T
        return after
