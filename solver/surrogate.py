"""The k-robot system (math.md §2): the game with n = k, whose state (s_g, histogram of k robots) is fully observed.

For a fixed π_l the robots are averaged out,

    P̃[s_g][z, z'] = Σ_a π_l(a|z, s_g) P_l(z'|z, s_g, a)        r̃[z, s_g] = Σ_a π_l(a|z, s_g) r_l(z, s_g, a)

and what remains is a Markov decision process of the dispatcher alone. Values are float64 [s_g, h], h the
histogram's index; dispatch tables are int64 [s_g, h].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numba import njit
from scipy.special import gammaln

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from .game import Game
from .histograms import count_histograms, enumerate_histograms
from .next_law import NextLaw, OutOfReachError, next_law
from .threads import run_all
from .types import log_start

HISTOGRAMS = 5_000_000  # more are beyond the exact backup
SERIAL = 20_000  # values below which threads cost more than they save
ACCURACY = 1e-9  # accepted rounding error of values, relative to r_max/(1 − γ)


class KRobotSystem:
    """What does not depend on the policies: histograms, index tables, the start law."""

    def __init__(self, game: Game, k: int) -> None:
        if k < 1:
            raise UserError(f"k = {k}: at least one robot must be polled")
        size = count_histograms(k, game.zones)
        if size > HISTOGRAMS:
            raise OutOfReachError(
                f"k = {k}: the exact backup over {size} histograms is out of reach; lower k or use the sampled backup"
            )
        self.game, self.k = game, k
        self.histograms = enumerate_histograms(k, game.zones)
        self.loss = ACCURACY / 4 * (1 - game.discount)  # a backup's error counts up to 2/(1 − γ) times in a value

    @cached_property
    def start(self) -> FloatArray:
        """Law of (s_g, h) at the start [s_g, h]: s_g independent of a Dirichlet–multinomial histogram."""
        alpha, mu = self.game.start_concentration, self.histograms
        log_law = (
            log_start(self.game, mu)
            if self.game.types > 1
            else (
                gammaln(alpha.sum())
                + gammaln(self.k + 1)
                - gammaln(self.k + alpha.sum())
                + np.sum(gammaln(mu + alpha) - gammaln(alpha) - gammaln(mu + 1), axis=1)
            )
        )
        law = np.exp(log_law)
        return np.asarray(self.game.start_priority[:, None] * (law / law.sum()), dtype=np.float64)

    def under(self, local_policy: FloatArray) -> Surrogate:
        """The dispatcher's decision process when all robots follow π_l [z, s_g, a]."""
        game = self.game
        tilde = np.einsum("zsa,zsay->szy", local_policy, game.P_l)
        reward = np.einsum("zsa,zsa->zs", local_policy, game.r_l)
        return Surrogate(
            system=self,
            local_policy=local_policy,
            tilde=tilde,
            law=tuple(next_law(P, self.k, self.loss) for P in tilde),
            fleet_reward=np.asarray((self.histograms @ reward).T / self.k),
        )


@dataclass(frozen=True, eq=False)
class Surrogate:
    """The k-robot system under a fixed π_l.

    Attributes:
        tilde: P̃ [s_g, z, z'].
        law: per s_g, the law of the next histogram of k robots.
        fleet_reward: Σ_z (μ_z/k) r̃[z, s_g], float64 [s_g, h].
    """

    system: KRobotSystem
    local_policy: FloatArray
    tilde: FloatArray
    law: tuple[NextLaw, ...]
    fleet_reward: FloatArray

    def fewer(self, s: int) -> NextLaw:
        """The law of the next histogram of k − 1 robots under s_g = s."""
        return next_law(self.tilde[s], self.system.k - 1, self.system.loss)

    @property
    def rounding(self) -> float:
        """Bound of the rounding error of a backup of V, relative to max |V|."""
        game = self.system.game
        sums = np.finfo(np.float64).eps * (game.priorities + 4)
        return max(law.error for law in self.law) + float(sums)

    def changed(self, cell: tuple[int, int], row: FloatArray) -> Surrogate:
        """The same with π_l(·|z, s_g) = row at cell (z, s_g): only that s_g is built again."""
        zone, s = cell
        policy, tilde = self.local_policy.copy(), self.tilde.copy()
        policy[zone, s] = row
        game = self.system.game
        tilde[s] = np.einsum("za,zay->zy", policy[:, s], game.P_l[:, s])
        law = next_law(tilde[s], self.system.k, self.system.loss)
        reward = self.fleet_reward.copy()
        reward[s] = self.system.histograms @ np.sum(policy[:, s] * game.r_l[:, s], axis=1) / self.system.k
        return Surrogate(self.system, policy, tilde, (*self.law[:s], law, *self.law[s + 1 :]), reward)

    def expected(self, values: FloatArray) -> FloatArray:
        """E[V(s', μ') | s_g, μ] for every s' [s_g, h, s']: shared by all dispatches."""
        result = np.empty((len(self.law), values.shape[1], values.shape[0]))

        def fill(s: int, columns: slice) -> None:
            result[s, :, columns] = self.law[s].expect(np.ascontiguousarray(values[columns].T))

        self._in_parts(fill)
        return result

    def q_values(self, values: FloatArray) -> FloatArray:
        """(T V)(s_g, h, a_g) = r + γ Σ_s' P_g(s'|s_g, a_g) E[V(s', μ')], float64 [s_g, h, a_g]."""
        game = self.system.game
        future = np.einsum("sht,sat->sha", self.expected(values), game.P_g, optimize=True)
        return np.asarray(game.r_g[:, None, :] + self.fleet_reward[:, :, None] + game.discount * future)

    def backup_optimal(self, values: FloatArray) -> FloatArray:
        """max_a (T V)(·, a)."""
        game, ahead = self.system.game, self.expected(values)
        result = np.empty_like(values)

        def fill(s: int) -> None:
            _best_dispatch(ahead[s], game.discount * game.P_g[s], game.r_g[s], self.fleet_reward[s], result[s])

        run_all(partial(fill, s) for s in range(len(self.law)))
        return result

    def policy_operator(self, table: IntArray) -> Callable[[FloatArray], FloatArray]:
        """V ↦ E[V(s', μ') | s_g, μ] under a dispatch table [s_g, h], both float64 [s_g, h]."""
        game = self.system.game

        def ahead(values: FloatArray) -> FloatArray:
            result = np.empty_like(values)
            for s, expected in enumerate(self.expected(values)):
                _steered(expected, game.P_g[s], table[s], result[s])
            return result

        return ahead

    def policy_reward(self, table: IntArray) -> FloatArray:
        """Reward of a tick under a dispatch table [s_g, h]: float64 [s_g, h]."""
        return np.asarray(np.take_along_axis(self.system.game.r_g, table, axis=1) + self.fleet_reward)

    def push(self, law: FloatArray, table: IntArray) -> FloatArray:
        """Law of (s_g, h) one tick later [s_g, h], given the law now and the dispatch table."""
        game = self.system.game
        parts = np.empty((len(self.law), *law.T.shape))

        def fill(s: int, columns: slice) -> None:
            weights = law[s][:, None] * game.P_g[s][:, columns][table[s]]
            parts[s, :, columns] = self.law[s].push(weights)

        self._in_parts(fill)
        return np.ascontiguousarray(parts.sum(axis=0).T)

    def _in_parts(self, fill: Callable[[int, slice], None]) -> None:
        """Call fill(s_g, columns) for every s_g and all columns s', on several threads where it pays."""
        priorities = len(self.law)
        if self.fleet_reward.size < SERIAL:
            for s in range(priorities):
                fill(s, slice(0, priorities))
            return
        half = (priorities + 1) // 2  # the larger halves first: the threads end at nearly the same time
        halves = [slice(0, half)] + ([slice(half, priorities)] if priorities > 1 else [])
        run_all(partial(fill, s, columns) for columns in halves for s in range(priorities))


@njit(cache=True, nogil=True)
def _best_dispatch(
    ahead: FloatArray, steering: FloatArray, dispatch_reward: FloatArray, fleet_reward: FloatArray, out: FloatArray
) -> None:
    """out[h] = max_a (r_g[a] + Σ_s' γ P_g[a, s'] ahead[h, s']) + fleet_reward[h]. Overwrites `out`."""
    for h in range(ahead.shape[0]):
        best = -np.inf
        for a in range(steering.shape[0]):
            total = dispatch_reward[a]
            for t in range(steering.shape[1]):
                total += steering[a, t] * ahead[h, t]
            best = max(best, total)
        out[h] = best + fleet_reward[h]


@njit(cache=True, nogil=True)
def _steered(ahead: FloatArray, steering: FloatArray, table: IntArray, out: FloatArray) -> None:
    """out[h] = Σ_s' P_g[table[h], s'] ahead[h, s']. Overwrites `out`."""
    for h in range(ahead.shape[0]):
        total = 0.0
        for t in range(steering.shape[1]):
            total += steering[table[h], t] * ahead[h, t]
        out[h] = total
