"""Recording a trajectory: the k-robot system under a behaviour policy, robot moves and rewards drawn as they happen.

A robot's reward belongs to the move it drew, and so does its next zone: r and μ' are not independent given (s_g, μ).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from ..game import Game
from ..histograms import counting_table
from ..rewards import RewardLaws, sum_of_draws
from ..sampled.kernels import pick, scatter
from ..types import draw_shares
from .behaviour import check_behaviour
from .trajectory import Trajectory


def record(
    game: Game,
    local_policy: FloatArray,
    k: int,
    behaviour: FloatArray,
    ticks: int,
    seed: int = 0,
    rewards: RewardLaws | None = None,
    start: tuple[int, IntArray] | None = None,
) -> Trajectory:
    """Let k robots and a dispatcher run for `ticks` ticks.

    Args:
        game: the game.
        local_policy: π_l [z, s_g, a].
        k: robots.
        behaviour: dispatch probabilities [s_g, h, a_g], none of them 0.
        ticks: T.
        seed: same seed, same trajectory.
        rewards: distributions whose means are the game's rewards; without them every (z, s_g, a) pays its mean.
        start: first s_g and histogram; drawn from the game's start law if not given.

    Raises:
        UserError: k or T below 1, a behaviour policy without full support, or `rewards` of another game.
    """
    if k < 1 or ticks < 1:
        raise UserError(f"k = {k}, {ticks} ticks: expected at least 1 of each")
    check_behaviour(behaviour, game, k)
    laws = RewardLaws.certain(game) if rewards is None else rewards
    laws.check(game)
    rng = np.random.default_rng(seed)
    priority = np.empty(ticks + 1, dtype=np.int64)
    histogram = np.empty((ticks + 1, game.zones), dtype=np.int64)
    if start is None:
        shares = draw_shares(game, rng)
        start = int(rng.choice(game.priorities, p=game.start_priority)), rng.multinomial(k, shares)
    priority[0], histogram[0] = start
    if not 0 <= priority[0] < game.priorities or (histogram[0] < 0).any() or histogram[0].sum() != k:
        raise UserError(f"a trajectory of {k} robots cannot start at s_g = {priority[0]}, μ = {histogram[0].tolist()}")
    dispatch, reward = np.empty(ticks, dtype=np.int64), np.empty(ticks)
    _record(
        np.ascontiguousarray(np.cumsum(behaviour, axis=2)),
        np.cumsum(game.P_g, axis=2),
        np.ascontiguousarray(local_policy),
        np.ascontiguousarray(game.P_l),
        np.ascontiguousarray(laws.g_values),
        np.ascontiguousarray(laws.g_law),
        np.ascontiguousarray(laws.l_values),
        np.ascontiguousarray(laws.l_law),
        counting_table(k, game.zones),
        int(rng.integers(2**32)),
        priority,
        histogram,
        dispatch,
        reward,
    )
    return Trajectory(priority, histogram, dispatch, reward, game.priorities, game.dispatches)


@njit(cache=True)
def _record(
    behaviour: FloatArray,
    steering: FloatArray,
    local_policy: FloatArray,
    P_l: FloatArray,
    g_values: FloatArray,
    g_law: FloatArray,
    l_values: FloatArray,
    l_law: FloatArray,
    ranks: IntArray,
    seed: int,
    priority: IntArray,
    histogram: IntArray,
    dispatch: IntArray,
    reward: FloatArray,
) -> None:
    """Fill the log from its first state on. Mutates priority, histogram, dispatch, reward.

    `behaviour` and `steering` (P_g) hold cumulative rows.
    """
    np.random.seed(seed)
    zones, _, moves, _ = P_l.shape
    moved = np.empty(moves, dtype=np.int64)
    k = histogram[0].sum()
    for tick in range(len(dispatch)):
        s, left, h = priority[tick], k, 0
        for z in range(zones - 1):
            left -= histogram[tick, z]
            h += ranks[left, zones - z]
        a = pick(behaviour[s, h])
        fleet = 0.0
        histogram[tick + 1, :] = 0
        for z in range(zones):
            moved[:] = 0
            scatter(histogram[tick, z : z + 1], local_policy[z : z + 1, s], moved)
            for move in range(moves):
                fleet += sum_of_draws(moved[move], l_values[z, s, move], l_law[z, s, move])
            scatter(moved, P_l[z, s], histogram[tick + 1])
        dispatch[tick] = a
        reward[tick] = sum_of_draws(1, g_values[s, a], g_law[s, a]) + fleet / k
        priority[tick + 1] = pick(steering[s, a])
