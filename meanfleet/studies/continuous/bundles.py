"""The bundles that a study of robots on a line leaves: solved bins, and learned networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import meanfleet
from meanfleet.families.line.bundle import ContinuousBundle
from meanfleet.families.line.config import ContinuousConfig
from meanfleet.solver.bundle.filtering import FilterModel, FilterSetting
from meanfleet.solver.bundle.policy import Table
from meanfleet.solver.continuous.discretised import Solved, dispatch_table
from meanfleet.solver.continuous.networks import Layers
from meanfleet.solver.continuous.rollouts import Estimate
from meanfleet.solver.policies import uniform


def bundle_of(
    config: ContinuousConfig,
    solved: Solved,
    memoryless: Mapping[int, Estimate],
    remembering: Mapping[int, Estimate],
    how: Mapping[str, Any],
    dispatcher: Layers | None = None,
    robots: Layers | None = None,
) -> ContinuousBundle:
    """One bundle.

    Args:
        config: line, ρ and slack.
        solved: the bins' game, counted under the robots of this bundle, and its Q_κ.
        memoryless, remembering: by k, what was measured of the tables (of the network, if there is one) and the filter.
        how: seed, versions and the like; JSON-ready.
        dispatcher, robots: networks, if they were learned.
    """
    settings = {
        k: FilterSetting(config.bins.rho, "interpolated", _measured(config, remembering, k), adaptive=False)
        for k in config.polled
    }
    game = solved.game
    # Histograms of many robots are too many for a table: these k are for the filter, or for a network.
    ks = sorted({1} | {k for k in config.polled if k <= solved.kappa})
    return ContinuousBundle(
        game=game,
        local_policy=uniform(game),
        tables=tuple(
            Table(k, dispatch_table(solved, k), {"fleet": found} if (found := _measured(config, memoryless, k)) else {})
            for k in ks
        ),
        how=dict(how) | {"config": config.model_dump(mode="json"), "versions": {"meanfleet": meanfleet.__version__}},
        filtering=FilterModel(solved.kappa, solved.q, game.start_concentration, settings),
        line=config.line,
        slack=config.bins.slack,
        dispatcher=dispatcher,
        robots=robots,
    )


def _measured(config: ContinuousConfig, found: Mapping[int, Estimate], k: int) -> dict[str, Any]:
    if k not in found:
        return {}
    return asdict(found[k]) | {"n": config.line.robots, "horizon": config.evaluation.horizon}
