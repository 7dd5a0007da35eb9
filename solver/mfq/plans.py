"""The k-robot system in which everybody acts together: states (s_g, μ), actions (a_g, ξ), ξ a plan of all k robots.

The paper's Q̂(s_g, s_1, F, a_g, a_1) tags one robot; F counts zones and moves of the other k − 1. Robots are alike, so
it depends on the sum of both alone: Q̂(s_g, ξ, a_g) with ξ = F + (s_1, a_1). The tag is needed to act, not to learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from math import comb

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from ..chained.levels import levels
from ..histograms import count_histograms, counting_table
from ..next_law import OutOfReachError
from ..surrogate import KRobotSystem
from ..threads import run_all
from .crowd import Crowd
from .kernels import TIE, exact_backup, sampled_backup

REACH = 3e10  # multiplications, or random numbers, of one backup: some ten seconds


@dataclass(frozen=True, eq=False)
class Types:
    """What a robot may be and do under one s_g: pairs (zone, move) that differ in anything."""

    zone: IntArray
    move: IntArray
    law: FloatArray
    pay: FloatArray
    effort: FloatArray


@dataclass(frozen=True, eq=False)
class Backup:
    """Values [s_g, h], the best dispatch [s_g, h], and the best plan: robots by zone and move, int64 [s_g, h, z, a]."""

    values: FloatArray
    dispatch: IntArray
    plan: IntArray


def tagged_cells(crowd: Crowd, k: int) -> int:
    """Entries of the paper's table Q̂[s_g, s_1, F, a_g, a_1]."""
    game = crowd.game
    pairs = game.zones * game.moves
    return game.priorities * game.dispatches * pairs * count_histograms(k - 1, pairs)


def joint_cells(crowd: Crowd, k: int) -> int:
    """Entries of Q̂[s_g, ξ, a_g], with plans in the place of tags."""
    game = crowd.game
    return game.priorities * game.dispatches * count_histograms(k, game.zones * game.moves)


class JointSystem:
    """The joint system of k robots of a crowd.

    Raises:
        UserError: k < 1.
        OutOfReachError: more plans than a backup can enumerate.
    """

    def __init__(self, crowd: Crowd, k: int, samples: int | None = None) -> None:
        if k < 1:
            raise UserError(f"k = {k}: at least one robot must be polled")
        self.crowd, self.k = crowd, k
        self.types = [self._types(s) for s in range(crowd.game.priorities)]
        self._check_reach(samples)

    def _types(self, s: int) -> Types:
        """Pairs (zone, move) under s_g = s; of moves of a zone that are the same in all respects, the first."""
        game = self.crowd.game
        effort = self.crowd.effort_terms()[0]
        kept: list[tuple[int, int]] = []
        seen: set[tuple[int, bytes]] = set()
        for z, a in np.argwhere(game.allowed).tolist():
            alike = (z, np.r_[game.P_l[z, s, a], game.r_l[z, s, a], effort[z, a]].tobytes())
            if alike not in seen:
                seen.add(alike)
                kept.append((z, a))
        zone, move = np.array(kept, dtype=np.int64).T.copy()
        law = np.ascontiguousarray(game.P_l[zone, s, move])
        return Types(zone, move, law, game.r_l[zone, s, move].copy(), effort[zone, move].copy())

    def _check_reach(self, samples: int | None) -> None:
        game, k = self.crowd.game, self.k
        for types in self.types:
            pairs = len(types.zone)
            if samples is None:
                # Pairs of a partial plan and a histogram of the robots left, over all levels.
                work = comb(k + pairs + game.zones - 1, k) * game.zones * game.priorities * game.priorities
            else:
                work = count_histograms(k, pairs) * game.dispatches * samples * game.zones * game.priorities
            if work > REACH:
                raise OutOfReachError(
                    f"k = {k}: a backup over all joint plans of {pairs} pairs of zone and move is out of reach; lower k"
                )

    @cached_property
    def start(self) -> FloatArray:
        """Law of (s_g, h) at the start [s_g, h]."""
        return KRobotSystem(self.crowd.game, self.k).start

    @property
    def rounding(self) -> float:
        """Bound of a backup's error relative to max |V|: rounding, and ties between dispatches."""
        game = self.crowd.game
        return float(np.finfo(np.float64).eps * (self.k * (game.zones + 2) + game.priorities + 8)) + TIE

    def exact(self, values: FloatArray) -> Backup:
        """T V: the best plan and dispatch in every state, expectations exact."""
        return self._backup(values, None, 0)

    def sampled(self, values: FloatArray, samples: int, seed: int) -> Backup:
        """T̂ V: the same with means over `samples` draws of the next state."""
        return self._backup(values, samples, seed)

    def _backup(self, values: FloatArray, samples: int | None, seed: int) -> Backup:
        game = self.crowd.game
        ahead = np.array(values.T, order="C")
        best, dispatch = np.empty_like(values), np.zeros(values.shape, np.int64)
        plan = np.zeros((*values.shape, game.zones, game.moves), np.int64)
        run_all(partial(self._under, s, ahead, samples, seed, best, dispatch, plan) for s in range(game.priorities))
        return Backup(best, dispatch, plan)

    def _under(
        self,
        s: int,
        ahead: FloatArray,
        samples: int | None,
        seed: int,
        best: FloatArray,
        dispatch: IntArray,
        plan: IntArray,
    ) -> None:
        """One s_g of a backup. Mutates row s of `best`, `dispatch` and `plan`."""
        game, types = self.crowd.game, self.types[s]
        _, target, width = self.crowd.effort_terms()
        squeeze = np.array([target[s], width, self.crowd.scale])
        moves = np.zeros((ahead.shape[0], len(types.zone)), np.int64)
        pays = (types.zone, types.law, types.pay, types.effort, squeeze, game.r_g[s].copy())
        ranks = np.array(counting_table(self.k, game.zones))
        out = (best[s], dispatch[s], moves)
        if samples is None:
            tables = levels(self.k, game.zones)
            offsets = np.append(tables.begin, tables.begin[-1] + tables.size[-1])
            exact_backup(ahead, *pays, game.P_g[s].copy(), game.discount, tables.up, offsets, ranks, self.k, *out)
        else:
            sums, own = np.cumsum(game.P_g[s], axis=1), int(np.random.SeedSequence([seed, s]).generate_state(1)[0])
            sampled_backup(ahead, *pays, sums, game.discount, ranks, self.k, samples, own, *out)
        plan[s][:, types.zone, types.move] = moves
