"""Policies of the robots, π_l: float64 [z, s_g, a], rows sum to 1, and 0 for moves that a zone does not have."""

from __future__ import annotations

import numpy as np

from meanfleet.base.arrays import FloatArray

from .game import Game


def uniform(game: Game) -> FloatArray:
    """Every move of the zone with the same probability."""
    row = game.allowed / game.allowed.sum(axis=1, keepdims=True)
    return np.repeat(row[:, None], game.priorities, axis=1)


def shortest_way(game: Game) -> FloatArray:
    """Move a shortest way to the priority zone, and stay there; of several ways the first neighbour's.

    Without a graph, or with priorities that are no zones: the move whose next zone is most likely the priority's.
    """
    if game.graph is not None and game.priorities * game.types == game.zones:
        z = np.arange(game.zones)
        goals = (z - z % game.priorities)[:, None] + np.arange(game.priorities)  # in the copy of the robot's own type
        moves = game.graph.towards[z[:, None], goals]
    else:
        targets = np.arange(game.priorities) % game.zones
        moves = np.stack([np.argmax(game.P_l[:, s, :, targets[s]], axis=1) for s in range(game.priorities)], axis=1)
    return pure(moves, game.moves)


def random_pure(game: Game, rng: np.random.Generator) -> FloatArray:
    """One move per cell (z, s_g), drawn uniformly from those of the zone."""
    moves = rng.integers(game.moves, size=(game.zones, game.priorities))
    zone = np.arange(game.zones)[:, None]
    while (missing := ~game.allowed[zone, moves]).any():
        moves[missing] = rng.integers(game.moves, size=int(missing.sum()))
    return pure(moves, game.moves)


def pure(moves: np.ndarray, count: int) -> FloatArray:
    """The policy that always makes moves[z, s_g]."""
    return np.asarray(np.eye(count)[moves], dtype=np.float64)


def best_moves(game: Game, gains: FloatArray) -> np.ndarray:
    """The first of the best moves in every cell, int64 [z, s_g], among those of the zone; gains are [z, s_g, a]."""
    return np.asarray(np.argmax(np.where(game.allowed[:, None], gains, -np.inf), axis=2), dtype=np.int64)
