"""The fleet in the limit of many robots, under a fixed π_l (math.md §10).

The shares m of the robots per zone, a row vector that sums to 1, move without noise: m' = m P̃[s]. What the solver needs
of a game is here once: P̃ by groups of global states that share it, r̃, r_g, and the laws of the next global state, of
which grids have few different ones with few ends each. Two orders of moves:

    next_tick   robots move and earn under the priority before the step
    at_once     the priority changes first, robots move and earn under the new one
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from ..game import Game

Order = Literal["next_tick", "at_once"]
ORDERS: tuple[Order, ...] = get_args(Order)


@dataclass(frozen=True, eq=False)
class MeanField:
    """A game under a fixed π_l, averaged over robots.

    Attributes:
        steps: the different P̃, float64 [group, z, z'].
        step_of: group of each global state [s_g].
        fleet_reward: r̃, float64 [s_g, z].
        dispatch_reward: r_g, float64 [s_g, a_g].
        row_of: which law of the next global state, int64 [s_g, a_g].
        row_next: global states that a law reaches, int64 [row, end]; shorter laws repeat one with weight 0.
        row_weight: their probabilities, float64 [row, end].
        discount: γ.
        start_priority: law of the first global state [s_g].
        start_concentration: Dirichlet parameters of the first shares [z].
        order: which moves first.
    """

    steps: FloatArray
    step_of: IntArray
    fleet_reward: FloatArray
    dispatch_reward: FloatArray
    row_of: IntArray
    row_next: IntArray
    row_weight: FloatArray
    discount: float
    start_priority: FloatArray
    start_concentration: FloatArray
    order: Order

    @property
    def states(self) -> int:
        """|S_g|."""
        return len(self.step_of)

    @property
    def zones(self) -> int:
        """|S_l|."""
        return int(self.steps.shape[1])

    @property
    def dispatches(self) -> int:
        """|A_g|."""
        return int(self.dispatch_reward.shape[1])

    @property
    def reward_bound(self) -> float:
        """Largest absolute reward of a tick."""
        return float(np.abs(self.dispatch_reward).max() + np.abs(self.fleet_reward).max())

    def step(self, state: int) -> FloatArray:
        """P̃[s_g], float64 [z, z']."""
        return np.asarray(self.steps[self.step_of[state]])

    @classmethod
    def of(cls, game: Game, local_policy: FloatArray, order: Order = "next_tick") -> MeanField:
        """The limit of `game` when all robots follow π_l [z, s_g, a].

        Raises:
            UserError: the order is unknown, or the policy is not one of this game.
        """
        expected = (game.zones, game.priorities, game.moves)
        if np.shape(local_policy) != expected:
            raise UserError(f"the robots' policy has shape {np.shape(local_policy)}, the game wants {expected}")
        tilde = np.einsum("zsa,zsay->szy", local_policy, game.P_l, optimize=True)
        steps, step_of = distinct(tilde)
        rows, row_of = distinct(game.P_g.reshape(-1, game.priorities))
        row_next, row_weight = padded(rows)
        return cls(
            steps=steps,
            step_of=step_of,
            fleet_reward=np.ascontiguousarray(np.einsum("zsa,zsa->sz", local_policy, game.r_l)),
            dispatch_reward=game.r_g,
            row_of=row_of.reshape(game.r_g.shape),
            row_next=row_next,
            row_weight=row_weight,
            discount=game.discount,
            start_priority=game.start_priority,
            start_concentration=game.start_concentration,
            order=checked(order),
        )


def checked(order: str) -> Order:
    """The order of moves, if there is one of that name.

    Raises:
        UserError: there is none.
    """
    for known in ORDERS:
        if order == known:
            return known
    raise UserError(f"order of moves {order!r} is unknown: choose {' or '.join(ORDERS)}")


def distinct(arrays: FloatArray) -> tuple[FloatArray, IntArray]:
    """The different ones among arrays [i, ...], in order of appearance, and which of them each is [i]."""
    found: dict[bytes, int] = {}
    which = [found.setdefault(np.ascontiguousarray(one).tobytes(), len(found)) for one in arrays]
    index = np.array(which, dtype=np.int64)
    first = np.unique(index, return_index=True)[1]
    return np.ascontiguousarray(arrays[first]), index


def padded(rows: FloatArray) -> tuple[IntArray, FloatArray]:
    """Laws [row, s] as their ends and weights [row, end], all as long as the longest."""
    width = int((rows > 0).sum(axis=1).max())
    order = np.argsort(rows <= 0, axis=1, kind="stable")[:, :width]
    weight = np.take_along_axis(rows, order, axis=1)
    ends = np.where(weight > 0, order, order[:, :1])
    return ends.astype(np.int64), np.ascontiguousarray(weight)
