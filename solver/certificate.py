"""What a returned pair is worth and how far it can be from an equilibrium (math.md §5), in the k-robot system."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray

from .bounds import ValueInterval, fixed_point
from .chained.ceiling import Ceiling, ceiling, pair_ceiling
from .game import Game
from .global_learning import BestDispatch
from .local_learning import improve
from .surrogate import Surrogate


@dataclass(frozen=True)
class Certificate:
    """Three gaps, each with its kind, and the pair's value.

    Attributes:
        k: robots in the surrogate.
        value_low, value_high: interval of J at the start law.
        global_gap: no dispatcher does better against π_l by more than this, in any state.
        global_kind: "exact" (proven) or "estimate".
        local_gap_low: rise of J that L-LEARN still found, 0 for an equilibrium.
        local_gap_high: no π_l does better against this dispatcher by more than this.
        local_kind: how `local_gap_high` is known: "exact", "upper bound: …" or "upper bound, loose: …".
        pair_gap: no pair of policies, both changed at once, does better than this one by more than this.
        pair_kind: how it is known.
    """

    k: int
    value_low: float
    value_high: float
    global_gap: float
    global_kind: str
    local_gap_low: float
    local_gap_high: float
    local_kind: str
    pair_gap: float
    pair_kind: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def certify(
    surrogate: Surrogate,
    best: BestDispatch,
    table: IntArray,
    value: ValueInterval,
    tolerance: float,
    settled: bool = False,
) -> Certificate:
    """Certificate of the pair (table, surrogate's π_l) with its value, given the exact best response to that π_l.

    `settled` says that L-LEARN has already searched from this very pair in vain.
    """
    start = surrogate.system.start
    low, high = value.mean(start)
    gap = float(np.max(best.optimal.middle - value.middle)) + best.optimal.half + value.half
    rise = 0.0 if settled else improve(surrogate, table, tolerance).value.mean(start)[0] - high
    top = local_ceiling(surrogate, table, value, tolerance)
    any_pair = pair_ceiling(surrogate.system.game, surrogate.system.k, low)
    return Certificate(
        k=surrogate.system.k,
        value_low=low,
        value_high=high,
        global_gap=max(gap, 0.0),
        global_kind="exact",
        local_gap_low=max(rise, 0.0),
        local_gap_high=max(top.value - low, 0.0),
        local_kind=top.kind,
        pair_gap=max(any_pair.value - low, 0.0),
        pair_kind=any_pair.kind,
    )


def local_ceiling(surrogate: Surrogate, table: IntArray, value: ValueInterval, tolerance: float) -> Ceiling:
    """The smaller of two upper bounds of J against the table: the chained MDP's and the single robot's."""
    system = surrogate.system
    chained = ceiling(system, table, value.mean(system.start)[0], value.middle, tolerance)
    single = single_robot_bound(system.game)
    if single < chained.value and chained.kind != "exact":
        return Ceiling(single, "upper bound, loose: one robot that also chooses the dispatch")
    return chained


def single_robot_bound(game: Game) -> float:
    """Upper bound of J of every pair: one robot that sees all and chooses the dispatch too.

    The reward averages over robots, so no fleet earns more than its best robot would with the dispatcher in its hand.
    """
    reward = game.r_g[:, None, :, None] + game.r_l.transpose(1, 0, 2)[:, :, None, :]  # [s_g, z, a_g, a_l]

    def backup(values: FloatArray) -> FloatArray:
        future = np.einsum("sbt,zsay,ty->szba", game.P_g, game.P_l, values, optimize=True)
        return np.asarray((reward + game.discount * future).max(axis=(2, 3)))

    tolerance = 1e-10 * game.reward_range
    value = fixed_point(backup, np.zeros((game.priorities, game.zones)), game.discount, tolerance)
    law = game.start_priority[:, None] * (game.start_concentration / game.start_concentration.sum())[None, :]
    return value.mean(law)[1]
