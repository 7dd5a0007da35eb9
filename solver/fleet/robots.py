"""The robots' best policy under a rule that asks nobody.

When the dispatch depends on s_g alone, robots do not meet: every robot faces the same Markov decision process with
state (s_g, z), and its optimal policy is the best shared π_l for a fleet of any size, exactly.
"""

from __future__ import annotations

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray

from ..bounds import fixed_point
from ..game import Game
from ..policies import best_moves, pure
from .candidates import blind_rules


def best_robots(game: Game, dispatch: IntArray, tolerance: float = 1e-9) -> tuple[FloatArray, float]:
    """The best π_l [z, s_g, a] under dispatches [s_g], and J of the pair at the start law, whatever n."""
    s = np.arange(game.priorities)
    steering = game.P_g[s, dispatch]  # [s_g, s_g']
    reward = game.r_g[s, dispatch][:, None] + game.r_l.transpose(2, 1, 0)  # [a, s_g, z]

    def q_values(values: FloatArray) -> FloatArray:
        ahead = steering @ values  # [s_g, z']
        return np.asarray(reward + game.discount * np.einsum("zsay,sy->asz", game.P_l, ahead))

    value = fixed_point(
        lambda values: np.asarray(q_values(values).max(axis=0)),
        np.zeros((game.priorities, game.zones)),
        game.discount,
        tolerance * game.reward_range,
    )
    q = q_values(value.middle)
    near = q >= q.max(axis=0) - 1e-8 * game.reward_range  # [a, s_g, z]
    moves = best_moves(game, near.transpose(2, 1, 0))
    zones = game.start_concentration / game.start_concentration.sum()
    return pure(moves, game.moves), float(game.start_priority @ value.middle @ zones)


def best_blind(game: Game) -> tuple[str, FloatArray]:
    """The rule that asks nobody with the highest J, robots at their best, and these robots' π_l: name and policy.

    Of rules that are equal but for rounding, the first.
    """
    rated = {name: best_robots(game, dispatch) for name, dispatch in blind_rules(game).items()}
    top = max(value for _, value in rated.values())
    name = next(name for name, (_, value) in rated.items() if value >= top - 1e-6 * game.reward_range)
    return name, rated[name][0]
