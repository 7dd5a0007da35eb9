"""The least proven ceiling of J that a budget of work allows, for the robots' side of a certificate (math.md §5).

The relaxations of `bound` against the pair's own table, the tighter one where its work allows; beyond, as many robots
as the budget allows with the dispatch in their hands; at the very end a single robot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray

from ..bounds import ValueInterval
from ..game import Game
from ..surrogate import KRobotSystem
from .at_once import at_once, at_once_values
from .bound import chained_bound, chained_states, joint_bound, one_by_one, slices

STATES = 8_000_000  # values per backup against a table: k = 12 with 5 zones, 5 priorities, 5 dispatches
WORK = 1_000_000_000  # values in all, some ten seconds, before the bound reached so far is taken
MOMENT = 1_000_000_000  # values in all for the ceiling of any pair, a second or two
BACKUPS = 2_000
AT_ONCE = "upper bound: robots that see the full state"
CHAINED = "upper bound: chained MDP"
NEGLIGIBLE = 0.01  # an interval this much narrower than the gap it leaves is narrow enough


@dataclass(frozen=True)
class Ceiling:
    """No behaviour of the robots takes J above `value`.

    Attributes:
        value: upper bound of J at the start law.
        kind: how it is known.
    """

    value: float
    kind: str


def ceiling(
    system: KRobotSystem,
    table: IntArray,
    known: float,
    first: FloatArray | None = None,
    tolerance: float = 1e-6,
    states: int = STATES,
) -> Ceiling:
    """Ceiling of J for robots against a dispatch table [s_g, h].

    Args:
        system: the k-robot system.
        table: dispatch int64 [s_g, h].
        known: J of the pair; the bound is worked out to a small part of its distance from it.
        first: the pair's values [s_g, h], to begin from.
        tolerance: width of the bound that is never undercut.
        states: values per backup allowed.
    """
    game, k = system.game, system.k
    pairs = slices(game, table)
    near = _until_negligible(system.start, known)
    walked = at_once_values(game, k) * pairs
    if walked <= states:
        # A single robot's zone is all there is to see, so nothing is relaxed: known to the tolerance, it is exact.
        enough = None if k == 1 else near
        bound = chained_bound(game, table, k, at_once, tolerance, first, enough, _backups(walked))
        exact = k == 1 and 2 * bound.half <= tolerance
        return Ceiling(bound.mean(system.start)[1], "exact" if exact else AT_ONCE)
    chained = chained_states(k, game.zones) * pairs
    if chained <= states:
        bound = chained_bound(game, table, k, one_by_one, tolerance, first, near, _backups(chained))
        return Ceiling(bound.mean(system.start)[1], CHAINED)
    size = affordable(game, k, states)
    start = KRobotSystem(game, size).start
    backups = _backups(_joint_states(game, size))
    bound = joint_bound(game, size, one_by_one, tolerance, _until_negligible(start, known), backups)
    why = f"the chained MDP of k = {k} has {chained:.1e} states"
    return Ceiling(bound.mean(start)[1], f"upper bound, loose: {robots_that_choose(size)}; {why}")


def pair_ceiling(game: Game, k: int, known: float) -> Ceiling:
    """Ceiling of J for every pair of policies of k robots, whatever the dispatcher does and the robots know.

    The joint bound of as many robots, k at most, as are worked out in a moment: it holds for k of them too.

    Args:
        game: the game.
        k: robots of the system that the pair is of.
        known: J of the pair; the bound is worked out to a small part of its distance from it.
    """
    horizon = np.log(NEGLIGIBLE) / np.log(game.discount) if game.discount > 0 else 1.0
    size = affordable(game, k, int(MOMENT / max(horizon, 1.0)))
    start = KRobotSystem(game, size).start
    bound = joint_bound(game, size, one_by_one, 1e-9 * game.reward_range, _until_negligible(start, known), BACKUPS)
    return Ceiling(bound.mean(start)[1], f"upper bound: {robots_that_choose(size)}")


def robots_that_choose(size: int) -> str:
    """Whose value a joint bound is."""
    who = "one robot that sees all and chooses" if size == 1 else f"{size} robots that see all and choose"
    return f"{who} the dispatch"


def affordable(game: Game, k: int, states: int = STATES) -> int:
    """The most robots, k at most and 1 at least, whose joint bound stays within the budget."""
    return max((m for m in range(1, k + 1) if _joint_states(game, m) <= states), default=1)


def _joint_states(game: Game, k: int) -> int:
    return chained_states(k, game.zones) * slices(game, None)


def _backups(cost: int) -> int:
    return int(min(BACKUPS, max(20, WORK // cost)))


def _until_negligible(law: FloatArray, known: float) -> Callable[[ValueInterval], bool]:
    def enough(interval: ValueInterval) -> bool:
        return 2 * interval.half <= NEGLIGIBLE * (interval.mean(law)[1] - known)

    return enough
