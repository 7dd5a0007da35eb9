"""Policies of the robots, π_l: float64 [z, s_g, a], rows sum to 1."""

from __future__ import annotations

import numpy as np

from meanfleet.ring import MOVES, moves_between

from .game import FloatArray, Game


def uniform(game: Game) -> FloatArray:
    """Every move with the same probability."""
    return np.full((game.zones, game.priorities, game.moves), 1 / game.moves)


def shortest_way(game: Game) -> FloatArray:
    """Move the shorter way round the ring to the priority zone, and stay there; a tie goes to next.

    Without a ring (other numbers of moves or priorities): the move whose next zone is most likely the priority's.
    """
    if game.moves == MOVES and game.priorities == game.zones:
        zones = np.arange(game.zones)
        moves = moves_between(zones[:, None], zones[None, :], game.zones)
    else:
        targets = np.arange(game.priorities) % game.zones
        moves = np.stack([np.argmax(game.P_l[:, s, :, targets[s]], axis=1) for s in range(game.priorities)], axis=1)
    return pure(moves, game.moves)


def random_pure(game: Game, rng: np.random.Generator) -> FloatArray:
    """One move per cell (z, s_g), drawn uniformly."""
    return pure(rng.integers(game.moves, size=(game.zones, game.priorities)), game.moves)


def pure(moves: np.ndarray, count: int) -> FloatArray:
    """The policy that always makes moves[z, s_g]."""
    return np.asarray(np.eye(count)[moves], dtype=np.float64)
