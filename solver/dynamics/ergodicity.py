"""Whether a chain forgets where it began: one class of states, without a period.

Policies give every action a positive chance, so which states follow which does not depend on what is learned: one
check holds for all x.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from meanfleet.base.arrays import IntArray
from meanfleet.base.errors import UserError

from .games import MarkovGame


def check_ergodic(game: MarkovGame) -> None:
    """Refuse a game whose states, when all actions are played, have no single, aperiodic law.

    Raises:
        UserError: it says which states, and why the ODE would not describe learning.
    """
    follows = possible_steps(game)
    classes, label = connected_components(follows, directed=True, connection="strong")
    if classes > 1:
        raise UserError(_not_irreducible(follows, label.astype(np.int64), classes))
    period = _period(follows)
    if period > 1:
        raise UserError(
            f"the game is not ergodic: its states recur with period {period} only, so they settle to no law; "
            "give some state a chance to stay"
        )


def possible_steps(game: MarkovGame) -> csr_array:
    """Adjacency [s, s']: whether some joint action leads from s to s'."""
    T = game.transitions.tocoo()
    kept = T.data > 0
    states = game.states
    pairs = (T.row[kept] // game.joint_actions, T.col[kept])
    return csr_array((np.ones(int(kept.sum())), pairs), shape=(states, states))


def _not_irreducible(follows: csr_array, label: IntArray, classes: int) -> str:
    """Which classes are never left, or which states are never seen again."""
    source, target = follows.tocoo().coords
    left = np.unique(label[source][label[source] != label[target]])
    closed = np.setdiff1d(np.arange(classes), left)
    if len(closed) > 1:
        first, second = (int(np.flatnonzero(label == c)[0]) for c in closed[:2])
        return (
            f"the game is not ergodic: {len(closed)} sets of states are never left (one with state {first}, one with "
            f"state {second}), so the long run depends on the start; study each set as a game of its own"
        )
    lost = np.flatnonzero(label != closed[0])
    return (
        f"the game is not ergodic: {len(lost)} of its states are never seen again once left, state {lost[0]} first, "
        "so nothing more is learned there; leave them out"
    )


def _period(follows: csr_array) -> int:
    """Greatest common divisor of the lengths of all cycles of a strongly connected graph."""
    order, before = breadth_first_order(follows, 0, directed=True)
    level = np.zeros(follows.shape[0], dtype=np.int64)
    for state in order[1:]:
        level[state] = level[before[state]] + 1
    source, target = follows.tocoo().coords
    return math.gcd(*(level[source] + 1 - level[target]).tolist())
