"""The warehouse as a game of learners: the dispatcher and k robots that share one table (math.md §2, §9).

The dispatcher sees (s_g, histogram of the k robots), a robot sees its zone and s_g. All robots act by the same table,
which learns from every robot's experience, averaged: on average the same as from one representative robot's. Since the
robots are alike, the state is (s_g, histogram), and the drift is exact without writing down joint moves:

    ρ                 stationary law of M[(s, μ), (s', μ')] = Σ_a π_g(a|s, μ) P_g(s'|s, a) · K_s(μ, μ')
    dispatcher        E[r + γ v_g(s', μ')] under P_g and K_s
    robot in (z, s)   weight ρ(s, μ) μ_z/k; next zone by P_l and next priority by π_g at μ, independent

K_s is the law of the next histogram of k robots that follow π_l under s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from ..game import Game
from ..histograms import count_histograms, enumerate_histograms, rank
from ..surrogate import KRobotSystem
from . import fleet_kernels, kernels
from .learners import COUNTERFACTUAL, Layout, Learner
from .stationary import StationaryLaw

STATES = 2000  # (s_g, histogram): beyond, one drift takes a second
DISPATCHER, ROBOTS = 0, 1


class FleetDynamics:
    """A dispatcher and k robots that learn (a `LearningSystem`): players DISPATCHER and ROBOTS.

    The dispatcher's observations are (s_g, h) in the order of `histograms`, s_g first; a robot's are (z, s_g), z first.

    Args:
        game: the game.
        k: robots.
        learners: of the dispatcher and of the robots.
        common: robots learn from the game's reward; otherwise from their own r_l.

    Raises:
        UserError: k out of range, a game in which a priority or a zone can no longer be reached, or a counterfactual
            learner, who would have to know the others' moves.
    """

    def __init__(self, game: Game, k: int, learners: Sequence[Learner], common: bool = True) -> None:
        size = count_histograms(k, game.zones) if k > 0 else 0
        if not 0 < size * game.priorities <= STATES:
            raise UserError(
                f"k = {k}: {size * game.priorities} states; learning dynamics need 1 to {STATES}, so choose another k"
            )
        if len(learners) != 2:
            raise UserError(f"{len(learners)} learners: give one for the dispatcher and one for the robots")
        _check_mixing(game)
        self.game, self.k, self.common = game, k, common
        self.histograms = enumerate_histograms(k, game.zones)
        seen = (game.priorities * size, game.zones * game.priorities)
        self.layout = Layout(learners, seen, (game.dispatches, game.moves))
        if (self.layout.shapes[:, 0] == COUNTERFACTUAL).any():
            raise UserError("a counterfactual learner would have to know the others' moves: choose q, sarsa, …")
        self._steps = [_steps(m, game.zones) for m in range(1, k + 1)]
        self._stationary = StationaryLaw()

    def policies(self, x: FloatArray) -> FloatArray:
        """π of both players at x, laid out by `layout.policy`."""
        return self._act(x)[0]

    def dispatcher_policy(self, pi: FloatArray) -> FloatArray:
        """π_g [s_g, h, a_g]: a view."""
        return self.layout.policy(pi, DISPATCHER).reshape(self.game.priorities, -1, self.game.dispatches)

    def robot_policy(self, pi: FloatArray) -> FloatArray:
        """π_l [z, s_g, a_l]: a view."""
        return self.layout.policy(pi, ROBOTS).reshape(self.game.zones, self.game.priorities, self.game.moves)

    def drift(self, x: FloatArray) -> FloatArray:
        """dx/dt [parameter]."""
        game, layout = self.game, self.layout
        pi, values = self._act(x)
        policy, local = self.dispatcher_policy(pi), self.robot_policy(pi)
        moves, steered = self._moves(local), self._steered(policy)
        law = self._law(moves, steered)
        tilde_reward = np.einsum("zsa,zsa->zs", local, game.r_l)
        fleet_reward = np.ascontiguousarray((self.histograms @ tilde_reward).T / self.k)
        occupancy, target = np.empty(layout.value_size), np.empty(layout.policy_size)
        cut = layout.observations[DISPATCHER]
        fleet_kernels.dispatcher_targets(
            law, moves, values[:cut].reshape(law.shape), fleet_reward, game.P_g, game.r_g,
            layout.learners[DISPATCHER].discount, self.dispatcher_policy(target),
        )  # fmt: skip
        occupancy[:cut] = law.ravel()
        by_zone = (game.zones, game.priorities)
        fleet_kernels.robot_targets(
            law, self.histograms, policy, steered, values[cut:].reshape(by_zone), tilde_reward, fleet_reward,
            game.P_l, game.r_g, game.r_l, layout.learners[ROBOTS].discount, self.common,
            occupancy[cut:].reshape(by_zone), self.robot_policy(target),
        )  # fmt: skip
        out = np.empty(layout.size)
        kernels.expected_updates(x, pi, occupancy, target, layout.shapes, layout.numbers, out)
        return out

    def state_law(self, x: FloatArray) -> FloatArray:
        """Stationary law of the states at x [(s_g, h)]."""
        pi = self.policies(x)
        moves, steered = self._moves(self.robot_policy(pi)), self._steered(self.dispatcher_policy(pi))
        return self._law(moves, steered).ravel()

    def action_shares(self, x: FloatArray) -> list[FloatArray]:
        """How often each dispatch and each move is chosen in the long run at x."""
        pi = self.policies(x)
        law = self.state_law(x)
        by_zone = (law.reshape(self.game.priorities, -1) @ self.histograms).T / self.k
        return [
            law @ self.layout.policy(pi, DISPATCHER),
            np.asarray(np.einsum("zs,zsa->a", by_zone, self.robot_policy(pi)), dtype=np.float64),
        ]

    def expected_return(self, pi: FloatArray) -> float:
        """J of the policies in the k-robot system, from the game's start: exact, for any stochastic policies."""
        game = self.game
        policy, local = self.dispatcher_policy(pi), self.robot_policy(pi)
        reward = np.einsum("sha,sa->sh", policy, game.r_g)
        reward = reward + (self.histograms @ np.einsum("zsa,zsa->zs", local, game.r_l)).T / self.k
        matrix = self._chain(self._moves(local), self._steered(policy))
        values = np.linalg.solve(np.eye(len(matrix)) - game.discount * matrix, reward.ravel())
        return float(KRobotSystem(game, self.k).start.ravel() @ values)

    def greedy(self, x: FloatArray) -> FloatArray:
        """Policies that always take the best action of x, laid out like those of `policies`."""
        pi = np.zeros(self.layout.policy_size)
        for player in (DISPATCHER, ROBOTS):
            table = self.layout.table(x, player)
            self.layout.policy(pi, player)[np.arange(len(table)), table.argmax(axis=1)] = 1.0
        return pi

    def packed(self, dispatch: ArrayLike, local_policy: ArrayLike) -> FloatArray:
        """A dispatch table [s_g, h] and π_l [z, s_g, a] as policies of `layout`."""
        pi = np.zeros(self.layout.policy_size)
        self.dispatcher_policy(pi)[...] = np.eye(self.game.dispatches)[np.asarray(dispatch)]
        self.robot_policy(pi)[...] = local_policy
        return pi

    def _act(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        pi, values = np.empty(self.layout.policy_size), np.empty(self.layout.value_size)
        kernels.policies(np.ascontiguousarray(x), self.layout.shapes, self.layout.numbers, pi, values)
        return pi, values

    def _moves(self, local: FloatArray) -> FloatArray:
        """K_s(μ, μ') [s, h, h']."""
        tilde = np.einsum("zsa,zsay->szy", local, self.game.P_l)
        size = len(self.histograms)
        result = np.empty((self.game.priorities, size, size))
        for s in range(self.game.priorities):
            law = np.zeros((2, size, size))
            law[0, 0, 0] = 1.0
            for first, fewer, more in self._steps:
                fleet_kernels.next_histograms(tilde[s], first, fewer, more, law)
                law = law[::-1]
            result[s] = law[0]
        return result

    def _steered(self, policy: FloatArray) -> FloatArray:
        out = np.empty((*policy.shape[:2], self.game.priorities))
        fleet_kernels.steering(policy, self.game.P_g, out)
        return out

    def _chain(self, moves: FloatArray, steered: FloatArray) -> FloatArray:
        states = steered.shape[0] * steered.shape[1]
        out = np.empty((states, states))
        fleet_kernels.chain(moves, steered, out)
        return out

    def _law(self, moves: FloatArray, steered: FloatArray) -> FloatArray:
        return self._stationary.of(self._chain(moves, steered)).reshape(steered.shape[:2])


def _steps(m: int, zones: int) -> tuple[IntArray, IntArray, IntArray]:
    """How histograms of m robots come from those of m − 1: see `fleet_kernels.next_histograms`."""
    full, less = enumerate_histograms(m, zones), enumerate_histograms(m - 1, zones)
    first = np.argmax(full > 0, axis=1).astype(np.int64)
    unit = np.eye(zones, dtype=np.int64)
    return first, rank(full - unit[first]), rank(less[:, None, :] + unit)


def _check_mixing(game: Game) -> None:
    """Refuse games in which some law is 0 where it must not be: then (s_g, histogram) may not be ergodic."""
    steer, move = game.P_g.max(axis=1) > 0, game.P_l.max(axis=2) > 0
    reach = np.linalg.matrix_power(steer.astype(float), game.priorities) > 0
    if not reach.all():
        s, t = (int(i) for i in np.argwhere(~reach)[0])
        raise UserError(f"the game is not ergodic: priority {t} is not reached from {s} in {game.priorities} ticks")
    for s in range(game.priorities):
        reach = np.linalg.matrix_power(move[:, s].astype(float), game.zones) > 0
        if not reach.all():
            z, y = (int(i) for i in np.argwhere(~reach)[0])
            raise UserError(
                f"the game is not ergodic: under priority {s} no robot comes from zone {z} to zone {y} in "
                f"{game.zones} ticks"
            )
