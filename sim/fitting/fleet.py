"""A fit of a whole fleet: one part for robots that are alike, or one per type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfleet.config import Config

from ..bags.kinds import of_type
from ..bags.log import FleetLog
from .estimating import Fitted, fit

Parts = dict[str, Fitted]
"""By type; robots that are alike are one part without a name."""


def fit_fleet(log: FleetLog, config: Config, policy: NDArray[np.float64] | None = None, **options: Any) -> Parts:
    """Estimate P_l of every type, and P_g.

    Args:
        log: the recorded fleet over zones.
        config: zones, ways and types.
        policy: π_l [state, s_g, a] that the robots followed.
        options: as `fit` takes them.

    Raises:
        UserError: as `fit`, naming the type.
    """
    graph, zones = config.zone_graph, len(config.zones)
    if not config.types:
        return {"": fit(log, graph=graph, policy=policy, **options)}
    return {
        name: fit(
            of_type(log, config, name),
            graph=graph,
            policy=None if policy is None else policy[i * zones : (i + 1) * zones],
            **options,
        )
        for i, name in enumerate(config.types)
    }


def summary_of(parts: Parts) -> dict[str, Any]:
    """`Fitted.summary` of all parts: as it is for robots that are alike, else under `types`, P_g beside it."""
    if "" in parts:
        return parts[""].summary()
    told = {name: part.summary() for name, part in parts.items()}
    for part in told.values():
        steering = part.pop("steering", None)  # all parts saw the same dispatcher
    return {"types": told} | ({} if steering is None else {"steering": steering})
