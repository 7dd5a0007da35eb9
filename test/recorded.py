"""What the tests of a replay share: a small game with both dispatchers, and fleets recorded in its model world."""

from __future__ import annotations

from typing import Any

import numpy as np

from meanfleet.sim.bags.log import UNKNOWN, FleetLog
from meanfleet.solver import Game
from meanfleet.solver.bundle.filtering import FilterModel, FilterSetting
from meanfleet.solver.bundle.policy import PolicyBundle, Table
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.surrogate import KRobotSystem
from naive.surrogate import random_arrays, random_policy

ZONES, KAPPA, TICKS = 3, 6, 60
NAMES = ("north", "east", "south")
GAME = Game(**random_arrays(51, ZONES, ZONES, ZONES, 3, 0.9))
POLICY = random_policy(52, ZONES, ZONES, 3)


def bundle(deciding: Any = "interpolated", ks: tuple[int, ...] = (1, 2, 5)) -> PolicyBundle:
    q = learn_exact(KRobotSystem(GAME, KAPPA).under(POLICY)).q.astype(np.float32)
    settings = {
        1: FilterSetting(0.9, deciding, {}),
        4: FilterSetting(0.8, deciding, {}, adaptive=False),
        5: FilterSetting(0.98, deciding, {}),
    }
    tables = tuple(Table(k, learn_exact(KRobotSystem(GAME, k).under(POLICY)).table, {}) for k in ks)
    return PolicyBundle(GAME, POLICY, tables, {}, FilterModel(KAPPA, q, np.full(ZONES, 0.3), settings))


def recorded(
    robots: int = 20, ticks: int = TICKS, seed: int = 0, silent: float = 0.0, game: Game = GAME, **changes: Any
) -> FleetLog:
    """A fleet of the game under random dispatches, a share of its zones unknown."""
    rng = np.random.default_rng(seed)
    zones, moves = np.empty((ticks, robots), dtype=np.int64), np.empty((ticks, robots), dtype=np.int64)
    priority = np.empty(ticks, dtype=np.int64)
    policy = random_policy(52, game.zones, game.priorities, game.moves)
    where, s, dispatches = rng.integers(game.zones, size=robots), int(rng.integers(game.priorities)), []
    for t in range(ticks):
        zones[t], priority[t] = where, s
        moves[t] = [rng.choice(game.moves, p=policy[z, s]) for z in where]
        where = np.array([rng.choice(game.zones, p=game.P_l[z, s, a]) for z, a in zip(where, moves[t], strict=True)])
        dispatches.append(int(rng.integers(game.dispatches)))
        s = int(rng.choice(game.priorities, p=game.P_g[s, dispatches[-1]]))
    zones[rng.random(zones.shape) < silent] = UNKNOWN
    names = tuple(NAMES[: game.zones]) if game.zones <= len(NAMES) else tuple(f"z{i}" for i in range(game.zones))
    whole: dict[str, Any] = {
        "robots": tuple(f"r{i:02d}" for i in range(robots)),
        "zone_names": names,
        "stamps": np.arange(ticks, dtype=np.float64),
        "zones": zones,
        "priority": priority,
        "moves": moves,
        "messages": robots * ticks,
        "bytes": robots * ticks * 23,
        "source": "recorded",
        "sha256": "0" * 64,
        "counts": {},
        "ticks": [
            {"tick": t, "priority": names[priority[t] % len(names)], "dispatch": names[a % len(names)]}
            for t, a in enumerate(dispatches)
        ],
    }
    return FleetLog(**whole | changes)
