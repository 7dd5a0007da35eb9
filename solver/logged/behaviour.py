"""Behaviour policies: float64 [s_g, h, a_g], rows sum to 1, every dispatch possible (Assumption E.1)."""

from __future__ import annotations

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from ..game import ROW_SUM_TOLERANCE, Game
from ..histograms import count_histograms
from ..surrogate import Surrogate

PASSES = 100_000


def uniform_behaviour(game: Game, k: int) -> FloatArray:
    """Every dispatch with the same probability."""
    return np.full((game.priorities, count_histograms(k, game.zones), game.dispatches), 1 / game.dispatches)


def epsilon_greedy(table: IntArray, dispatches: int, epsilon: float) -> FloatArray:
    """The dispatch of the table [s_g, h], and with probability `epsilon` any dispatch.

    Raises:
        UserError: `epsilon` is not in (0, 1].
    """
    if not 0 < epsilon <= 1:
        raise UserError(
            f"epsilon = {epsilon:g}: expected a number above 0 and at most 1, so that every dispatch is tried"
        )
    return np.asarray((1 - epsilon) * np.eye(dispatches)[table] + epsilon / dispatches)


def check_behaviour(behaviour: FloatArray, game: Game, k: int) -> None:
    """Refuse what is no policy with full support.

    Raises:
        UserError: another shape, rows that do not sum to 1, or a dispatch with probability 0; the index is named.
    """
    expected = (game.priorities, count_histograms(k, game.zones), game.dispatches)
    if behaviour.shape != expected:
        raise UserError(f"the behaviour policy has shape {behaviour.shape}: expected [s_g, h, a_g] = {expected}")
    if not (behaviour > 0).all():
        at = [int(i) for i in np.argwhere(~(behaviour > 0))[0]]
        raise UserError(f"the behaviour policy has no full support: [s_g, h, a_g] = {at} has probability 0 or none")
    off = np.abs(behaviour.sum(axis=2) - 1) > ROW_SUM_TOLERANCE
    if off.any():
        at = [int(i) for i in np.argwhere(off)[0]]
        raise UserError(
            f"the behaviour policy sums to {behaviour[tuple(at)].sum():.12g} at [s_g, h] = {at}, expected 1"
        )


def smallest_visit_rate(surrogate: Surrogate, behaviour: FloatArray) -> float:
    """μ_min: the stationary probability of the rarest (s_g, h, a_g) under the behaviour policy, from the model.

    Irreducibility (Assumption E.1) is taken for granted: of several closed classes, the start law decides the weights.

    Raises:
        UserError: the behaviour policy is none, or some state is left for good.
    """
    game, k = surrogate.system.game, surrogate.system.k
    check_behaviour(behaviour, game, k)
    law = surrogate.system.start
    for _ in range(PASSES):
        after = np.zeros_like(law)
        for a in range(game.dispatches):
            after += surrogate.push(law * behaviour[:, :, a], np.full(law.shape, a, dtype=np.int64))
        # Half a step: the same stationary law, and periodic chains settle too.
        change = float(np.abs(after - law).sum())
        law = (law + after) / 2
        if change <= 1e-14 * game.priorities:
            break
    rate = float((law[:, :, None] * behaviour).min())
    if rate <= 1e-14:
        raise UserError("under this behaviour policy some state of the k robots is not visited again and again")
    return rate
