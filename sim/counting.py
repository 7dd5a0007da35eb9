"""Counting P_l in a world: transitions per tick under uniformly random moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from meanfleet.space.zone_graph import ZoneGraph

from .backends.protocol import Backend


def count_transitions(
    world: Backend,
    zones: int,
    tick: float,
    ticks: int,
    seed: int,
    warm_up: int = 5,
    keep: int = 1,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.int64]:
    """Drive all robots of a ring at random for `ticks` ticks of `tick` seconds; returns counts [zone, move, next zone].

    The first `warm_up` ticks are not counted: the robots still stand in their start slots. A robot keeps a move for
    `keep` ticks, as it does under a priority that lasts; with ticks much shorter than a drive, moves drawn anew every
    tick would lead nowhere.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 3]))
    graph = ZoneGraph.ring(zones)
    counts = np.zeros((graph.zones, graph.moves, graph.zones), dtype=np.int64)
    robots = np.arange(len(world.zones))
    moves = rng.integers(graph.moves, size=len(robots))
    for number in range(warm_up + ticks):
        before = world.zones
        if number:  # every tick another share of the robots, so that ticks are alike
            due = robots % keep == number % keep
            moves[due] = rng.integers(graph.moves, size=int(due.sum()))
        world.send(robots, graph.targets[before, moves])
        world.advance(tick)
        if number >= warm_up:
            np.add.at(counts, (before, moves, world.zones), 1)
        if progress is not None:
            progress(number + 1)
    return counts
