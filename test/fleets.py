"""A policy for a fleet file that need not be solved."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from meanfleet.config import Config
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PolicyBundle, Table
from meanfleet.solver.histograms import count_histograms


def hand_made_policy(config: Config, path: Path, seed: int = 0, onward: float = 2 / 3) -> Path:
    """A bundle for the configuration's game with tables for k = 1, 2 and 5, drawn at random.

    Robots go round: the share `onward` of their moves lead to the next zone, the others are drawn. The dispatcher's
    tables name every zone, so that the priority changes.
    """
    game, rng = Game.from_config(config), np.random.default_rng(seed)
    drawn = rng.dirichlet(np.ones(game.moves), size=(game.zones, game.priorities))
    following = np.eye(game.moves)[1]
    shape = game.priorities, game.zones
    tables = tuple(
        Table(k, rng.integers(0, game.dispatches, (shape[0], count_histograms(k, shape[1]))), {}) for k in (1, 2, 5)
    )
    PolicyBundle(game, (1 - onward) * drawn + onward * following, tables, {}).save(path)
    return path
