"""Learners in a Markov game, and the drift that they follow on average."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from meanfleet.base.arrays import FloatArray

from . import kernels
from .ergodicity import check_ergodic
from .games import MarkovGame
from .learners import Layout, Learner
from .stationary import StationaryLaw

SMALL = 48  # states up to which elimination in the kernel is faster than kept factors


class Dynamics:
    """A game with one learner per player (a `LearningSystem`); the drift is in closed form.

    Args:
        game: the game.
        learners: one per player.

    Raises:
        UserError: the game is not ergodic, or the number of learners is not that of the players.
    """

    def __init__(self, game: MarkovGame, learners: Sequence[Learner]) -> None:
        check_ergodic(game)
        self.game = game
        self.layout = Layout(learners, game.observations, game.actions)
        T = game.transitions
        self.arrays = (
            self.layout.shapes,
            self.layout.numbers,
            np.ascontiguousarray(game.observation),
            np.ascontiguousarray(game.own_action),
            T.indptr.astype(np.int64),
            T.indices.astype(np.int64),
            np.ascontiguousarray(T.data, dtype=np.float64),
            np.ascontiguousarray(game.rewards),
        )
        size, policies, values = game.states, self.layout.policy_size, self.layout.value_size
        chain = np.zeros((size, size) if size <= SMALL else (0, 0))
        # π, v, occupancy, target, chain, ρ: scratch of the kernels, so that a call allocates nothing but its result.
        self._room = (*(np.zeros(n) for n in (policies, values, values, policies)), chain, np.zeros(size))
        self._stationary = StationaryLaw()

    def drift(self, x: FloatArray) -> FloatArray:
        """dx/dt = Σ_e ν_x(e) f(x, e) [parameter]."""
        out = np.empty(self.layout.size)
        if self.game.states <= SMALL:
            kernels.drift(x, *self.arrays, self._room, out)
            return out
        pi, values, occupancy, target, _, _ = self._room
        shapes, numbers = self.arrays[:2]
        kernels.policies(x, shapes, numbers, pi, values)
        kernels.targets(pi, values, self._law(pi), *self.arrays, occupancy, target)
        kernels.expected_updates(x, pi, occupancy, target, shapes, numbers, out)
        return out

    def policies(self, x: FloatArray) -> FloatArray:
        """π of all players at x, laid out by `layout.policy`."""
        pi, values = np.empty(self.layout.policy_size), np.empty(self.layout.value_size)
        kernels.policies(np.asarray(x, dtype=np.float64), self.layout.shapes, self.layout.numbers, pi, values)
        return pi

    def state_law(self, x: FloatArray) -> FloatArray:
        """Stationary law of the states at x [s]."""
        return self._law(self.policies(x))

    def action_shares(self, x: FloatArray) -> list[FloatArray]:
        """Per player, how often each action is played in the long run at x [b]."""
        pi = self.policies(x)
        law = self._law(pi)
        seen = self.game.observation
        return [law @ self.layout.policy(pi, i)[seen[i]] for i in range(self.game.players)]

    def _law(self, pi: FloatArray) -> FloatArray:
        shapes, _, observation, own, rows, columns, chances, _ = self.arrays
        size = self.game.states
        if size <= SMALL:
            chain, law = np.empty((size, size)), np.empty(size)
            kernels.state_chain(pi, shapes, observation, own, rows, columns, chances, chain)
            kernels.eliminate(chain, law)
            return law
        weights = np.empty(len(chances))
        kernels.chain_weights(pi, shapes, observation, own, rows, weights)
        # A copy of the columns, as summing duplicates sorts them in place.
        entries = (weights * chances, columns.copy(), rows[:: self.game.joint_actions].copy())
        by_state = csr_array(entries, shape=(size, size))
        by_state.sum_duplicates()
        return self._stationary.of(by_state)
