"""Upper bounds of J by robots that see and coordinate everything (math.md §5).

Against a fixed dispatch table no behaviour of the robots, however much it remembers, sees or coordinates, earns more
than the best policy of a relaxation in which the full state (s_g, μ) is known and robots of one zone are free to move
differently. Two of them, with (T V)(s_g, μ) = r_g(s_g, a_g) + W(μ; s_g, a_g) and a_g = table[s_g, μ]:

- at once: all moves are chosen before any robot moves. The least bound of its kind, for few robots (`at_once`);
- one by one: every robot also knows the outcomes of the earlier moves. With ν the robots yet to move, h the histogram
  already built and z the first non-empty zone of ν

      W(0, h; s_g, a_g) = γ Σ_s' P_g(s'|s_g, a_g) V(s', h)
      W(ν, h; s_g, a_g) = max_a [ r_l(z, s_g, a)/k + Σ_z' P_l(z'|z, s_g, a) W(ν − e_z, h + e_z'; s_g, a_g) ]

The chained MDP of math.md §4 also shows the robots the pending s_g' before they move. No robot of the game sees it, so
it is averaged out where the tick ends: the same cost, a smaller bound.

With a_g maximised too, T bounds what any pair earns together; and because robots are exchangeable, κ of them drawn at
random earn on average what the fleet earns, so the bound of κ robots holds for every fleet of k ≥ κ.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from ..bounds import ValueInterval, fixed_point
from ..game import Game
from ..histograms import count_histograms
from .levels import Levels, levels

Tick = Callable[[Game, int, FloatArray, int, int], FloatArray]
"""(game, k, V [s', h], s_g, a_g) -> (T V)(s_g, ·) [h] under that dispatch."""


def chained_states(k: int, zones: int) -> int:
    """Pairs (ν, h) of one tick, Σ_j N(j) N(k − j) = C(k + 2·zones − 1, 2·zones − 1): the work of a backup per slice."""
    return comb(k + 2 * zones - 1, 2 * zones - 1)


def slices(game: Game, table: IntArray | None) -> int:
    """Pairs (s_g, a_g) of one backup: those in use in a dispatch table [s_g, h], or all when the dispatch is free."""
    if table is None:
        return game.priorities * game.dispatches
    return sum(len(np.unique(row)) for row in table)


def one_by_one(game: Game, k: int, values: FloatArray, s: int, a: int) -> FloatArray:
    """r_g(s, a) + W(μ, 0; s, a) for every μ [h]."""
    after = game.discount * (game.P_g[s, a] @ values)
    tables = levels(k, game.zones)
    for level in range(1, k + 1):
        after = _move_one(
            after.reshape(tables.size[level - 1], tables.size[k - level + 1]),
            *_slice(tables, level),
            tables.up[tables.begin[k - level] : tables.begin[k - level] + tables.size[k - level]],
            game.P_l[:, s],
            game.r_l[:, s] / k,
        )
    return np.asarray(game.r_g[s, a] + after[:, 0])


def chained_bound(
    game: Game,
    table: IntArray,
    k: int,
    tick: Tick = one_by_one,
    tolerance: float = 1e-6,
    start: FloatArray | None = None,
    enough: Callable[[ValueInterval], bool] | None = None,
    max_backups: int = 100_000,
) -> ValueInterval:
    """Upper bound of the value of a dispatch table over all behaviours of the robots.

    Args:
        game: the game.
        table: dispatch int64 [s_g, h] over the histograms of k robots.
        k: robots of the k-robot system.
        tick: the relaxation, `one_by_one` or `at_once`.
        tolerance: width to which the relaxation's own value is known.
        start: values [s_g, h] to begin from, such as the pair's; any will do.
        enough: may end the iteration earlier; whenever it ends, `middle + half` is an upper bound.
        max_backups: ends it too.

    Returns:
        The relaxation's optimal value, middle float64 [s_g, h].

    Raises:
        UserError: the table does not belong to this game and k.
    """
    shape = (game.priorities, count_histograms(k, game.zones))
    if table.shape != shape or table.min() < 0 or table.max() >= game.dispatches:
        raise UserError(f"dispatch table has shape {table.shape}: expected {shape} with dispatches of the game")
    used = [(s, int(a), table[s] == a) for s in range(game.priorities) for a in np.unique(table[s])]

    def backup(values: FloatArray) -> FloatArray:
        after = np.empty(shape)
        for s, a, here in used:
            after[s, here] = tick(game, k, values, s, a)[here]
        return after

    first = np.zeros(shape) if start is None else start
    return fixed_point(backup, first, game.discount, tolerance, enough, max_backups, _rounding(game, k))


def joint_bound(
    game: Game,
    k: int,
    tick: Tick = one_by_one,
    tolerance: float = 1e-6,
    enough: Callable[[ValueInterval], bool] | None = None,
    max_backups: int = 100_000,
) -> ValueInterval:
    """Upper bound of the value of every pair whatever, for k robots or more: the dispatch is chosen too."""
    shape = (game.priorities, count_histograms(k, game.zones))

    def backup(values: FloatArray) -> FloatArray:
        rows = [
            np.max([tick(game, k, values, s, a) for a in range(game.dispatches)], axis=0)
            for s in range(game.priorities)
        ]
        return np.stack(rows)

    return fixed_point(backup, np.zeros(shape), game.discount, tolerance, enough, max_backups, _rounding(game, k))


def _slice(tables: Levels, level: int) -> tuple[IntArray, IntArray]:
    rows = slice(tables.begin[level], tables.begin[level] + tables.size[level])
    return tables.first[rows], tables.down[rows]


def _rounding(game: Game, k: int) -> float:
    """Bound of a backup's rounding error relative to max |V|: sums over s' and, for every robot, over z'."""
    return float(np.finfo(np.float64).eps) * (game.priorities + k * (game.zones + 2) + 4)


@njit(cache=True)
def _move_one(
    after: FloatArray, first: IntArray, down: IntArray, up: IntArray, P: FloatArray, reward: FloatArray
) -> FloatArray:
    """W [ν, h] from the level with one robot fewer to move, `after` [ν − e_z, h + e_z']. Mutates nothing.

    P [z, a, z'] and reward [z, a] are those of one robot under the slice's s_g.
    """
    moves, zones = P.shape[1], P.shape[2]
    here = np.empty((len(first), len(up)))
    ahead = np.empty(zones)
    for nu in range(len(first)):
        z = first[nu]
        row = after[down[nu]]
        for h in range(len(up)):
            for j in range(zones):
                ahead[j] = row[up[h, j]]
            best = -np.inf
            for a in range(moves):
                total = reward[z, a]
                for j in range(zones):
                    total += P[z, a, j] * ahead[j]
                best = max(best, total)
            here[nu, h] = best
    return here
