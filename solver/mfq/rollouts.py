"""Execution: n robots, each of which samples k − 1 others every tick, and a dispatcher that samples k."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from ..fleet.counts import Fleet, Seed, Streams
from ..fleet.particles import log_factorials
from ..histograms import count_histograms, counting_table, enumerate_histograms, rank
from .crowd import Crowd
from .roll_kernels import roll_by_lot, roll_by_name

Sharing = Literal["name", "lot"]


@dataclass(frozen=True, eq=False)
class PeerFleet:
    """n robots of a crowd, each of which sees k of them, itself included.

    Raises:
        UserError: no robots, or fewer than k.
    """

    crowd: Crowd
    n: int
    k: int

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UserError(f"k = {self.k}: at least one robot must be polled")
        self._fleet  # noqa: B018  checks n and k

    @cached_property
    def _fleet(self) -> Fleet:
        return Fleet(self.crowd.game, self.n, self.k)

    @property
    def messages(self) -> int:
        """Samples per tick: k for the dispatcher, k − 1 for every robot."""
        return self.k + self.n * (self.k - 1)

    def returns(
        self,
        dispatch: IntArray,
        plan: IntArray,
        rollouts: int,
        horizon: int,
        seed: Seed = 0,
        *,
        sharing: Sharing = "name",
    ) -> FloatArray:
        """Discounted return of every rollout, float64 [rollout]; starts are those of `Fleet.returns` for the same seed.

        Args:
            dispatch: a_g [s_g, h] for histograms of k robots.
            plan: robots by zone and move, int [s_g, h, z, a].
            rollouts: how many.
            horizon: ticks per rollout.
            seed: of all streams.
            sharing: who of the robots in one zone makes which move of the plan: "name", they line up by number and all
                agree, at n·k draws a tick; "lot", each draws for itself, at a cost that does not depend on n.
        """
        game, k, zones = self.crowd.game, self.k, self.crowd.game.zones
        expected = (game.priorities, count_histograms(k, zones))
        if np.shape(dispatch) != expected or np.shape(plan) != (*expected, zones, game.moves):
            raise UserError(f"dispatch {np.shape(dispatch)} and plan {np.shape(plan)} do not fit k = {k}")
        dispatch, plan = (np.array(one, dtype=np.int64, order="C") for one in (dispatch, plan))
        _, P_l, r_l, steering, r_g = self._fleet.world(np.empty(0))
        effort, target, width = self.crowd.effort_terms()
        squeezes = np.column_stack([target, np.full_like(target, width), np.full_like(target, self.crowd.scale)])
        ranks, found = np.array(counting_table(k, zones)), np.empty(rollouts)
        world = (P_l, r_l, effort, np.ascontiguousarray(squeezes), steering, r_g, game.discount, horizon)
        others = np.array(enumerate_histograms(k - 1, zones))
        seen = rank(others[:, None, :] + np.eye(zones, dtype=np.int64))
        shares = plan / np.maximum(plan.sum(axis=3, keepdims=True), 1)
        logs = log_factorials(self.n if sharing == "lot" else 0)

        def run(counts: IntArray, priority: IntArray, streams: Streams, part: slice) -> None:
            state = (counts, priority, k, dispatch)
            rest: tuple[Any, ...] = (*world, *streams[:3], found[part])
            if sharing == "lot":
                roll_by_lot(*state, shares, others, seen, ranks, logs, *rest)
            else:
                roll_by_name(*state, plan, ranks, *rest)

        self._fleet.in_chunks(run, rollouts, horizon, seed, 0)
        return found
