"""Policies of robots on a line: solved ones that are quick to make, and networks drawn at random."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from meanfleet.families.line.bundle import ContinuousBundle
from meanfleet.families.line.config import ContinuousConfig
from meanfleet.solver.continuous.discretised import Exploration, estimated_game, solve_bins
from meanfleet.solver.continuous.networks import Layers
from meanfleet.solver.continuous.rules import Toward
from meanfleet.solver.continuous.warehouse import ContinuousWarehouse
from meanfleet.studies.continuous.bundles import bundle_of

SMALL = ContinuousConfig(line={"robots": 60}, polled=(1, 5), bins={"kappa": 6, "fleets": 150})


def solved_bundle(config: ContinuousConfig = SMALL) -> ContinuousBundle:
    """Bins counted and solved, as `meanfleet continuous` does."""
    line = ContinuousWarehouse(**config.line.model_dump())
    how = Exploration(config.bins.fleets, config.bins.horizon, config.bins.stay)
    game = estimated_game(line, Toward(line, config.bins.slack), how, seed=0)
    return bundle_of(config, solve_bins(game, config.bins.kappa), {}, {}, {"seed": 0})


def network(*sizes: int) -> Layers:
    """Of units so many, with weights drawn at random."""
    rng = np.random.default_rng(sizes[0])
    return [(rng.normal(size=(i, o)), rng.normal(size=o)) for i, o in pairwise(sizes)]
