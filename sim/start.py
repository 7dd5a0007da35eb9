"""Where the robots are when a run begins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanfleet.solver import Game


def start_zones(game: Game, n: int, seed: int) -> NDArray[np.int64]:
    """Zones of n robots drawn i.i.d. from p ~ Dirichlet(start_concentration), int64 [robot] (MATH §1)."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))
    return rng.choice(game.zones, size=n, p=rng.dirichlet(game.start_concentration))
