"""Where the robots are when a run begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from meanfleet.solver import Game
from meanfleet.solver.types import draw_shares


def start_zones(game: Game, n: int, seed: int, kinds: Sequence[int] = ()) -> NDArray[np.int64]:
    """Zones of n robots drawn i.i.d. from p ~ Dirichlet(start_concentration), int64 [robot] (math.md §1).

    With several types each type has a p of its own; `kinds` [robot] are the robots' types.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))
    if game.types > 1:
        shares = draw_shares(game, rng).reshape(game.types, -1)
        laws = shares / shares.sum(axis=1, keepdims=True)
        return np.array([rng.choice(len(laws[kind]), p=laws[kind]) for kind in kinds], dtype=np.int64)
    return rng.choice(game.zones, size=n, p=rng.dirichlet(game.start_concentration))
