"""A recorded fleet polled again with k robots per tick, seed by seed.

Seed by seed and tick by tick the decisions are those of `Dispatcher(bundle, robots, k, observer, seed)` that is told
the recorded priority and zones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.dispatcher_node.dispatcher import check_polling
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.solver.fleet.filtered import Observer, drift
from meanfleet.solver.histograms import counting_table
from meanfleet.solver.threads import run_all

from .kernels import replay_memoryless, replay_remembering
from .scene import Scene

OBSERVERS = ("memoryless", "dirichlet")


@dataclass(frozen=True, eq=False)
class Resampled:
    """What the dispatcher did with k robots polled per tick; all arrays are [seed, tick].

    Attributes:
        k: robots polled per tick.
        observer: memoryless or dirichlet.
        dispatch: a_g.
        distance: total variation between the estimated and the true distribution of the fleet over zones.
        asked: robots polled, those that replaced a silent one included.
        heard: answers.
    """

    k: int
    observer: str
    dispatch: IntArray
    distance: FloatArray
    asked: IntArray
    heard: IntArray


def resample(scene: Scene, bundle: PolicyBundle, k: int, observer: str, seeds: Sequence[int]) -> Resampled:
    """Poll k robots of the scene in every tick, once per seed.

    Raises:
        UserError: k exceeds the fleet or has no table, or the bundle holds no filter for the observer.
    """
    check_polling(bundle, len(scene.robots), k, observer, where="the policy")
    shape = (len(seeds), len(scene.zones))
    dispatch, asked, heard = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    gap = np.zeros(shape)
    fixed = _memoryless(bundle, k) if observer == "memoryless" else _remembering(bundle, k)
    kernel: Any = replay_memoryless if observer == "memoryless" else replay_remembering

    def run(i: int) -> None:
        # The first stream of a Dispatcher's seed is the one it draws robots from.
        draws = np.random.default_rng(np.random.SeedSequence(seeds[i]).spawn(3)[0])
        out = (dispatch[i], gap[i], asked[i], heard[i])
        kernel(scene.zones, scene.counts, scene.priority, k, *fixed, bundle.game.dispatches, draws, *out)

    run_all(partial(run, i) for i in range(len(seeds)))
    return Resampled(k, observer, dispatch, gap, asked, heard)


def _memoryless(bundle: PolicyBundle, k: int) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """k' by answers, where each table begins, all tables side by side [s_g, column], ranks."""
    tables = [table for table in bundle.tables if table.k <= k]
    begins = np.zeros(k + 1, dtype=np.int64)
    begin = 0
    for table in tables:
        begins[table.k] = begin
        begin += table.dispatch.shape[1]
    fills = np.array([bundle.table_for(m) or 0 for m in range(k + 1)], dtype=np.int64)
    columns = np.concatenate([table.dispatch for table in tables], axis=1).astype(np.int64)
    return fills, begins, np.ascontiguousarray(columns), np.array(counting_table(k, bundle.game.zones))


def _remembering(bundle: PolicyBundle, k: int) -> tuple[object]:
    """What the belief needs, as `make_observer` sets it up."""
    model = bundle.filtering
    assert model is not None
    return (Observer.of(model, model.setting_for(k), drift(bundle.game, bundle.local_policy)).memory(),)
