"""The tuple parameterization: the k-robot system over ordered states (z_1, …, z_k), |S_l|^k of them (math.md §2).

Robots are exchangeable, so the fixed point is that of the histograms, which are never more: C(k+|S_l|−1, |S_l|−1).
It is there by name, as the paper has it and as an oracle. Tuples are numbered with the first robot as the leading
digit, Σ_i z_i |S_l|^{k−i}. Given s_g the robots move independently, the law of the next tuple is P̃ ⊗ … ⊗ P̃, and

    E[V(s', z') | s_g, z] = Σ_{z'_1} P̃[z_1, z'_1] ⋯ Σ_{z'_k} P̃[z_k, z'_k] V(s', z'_1, …, z'_k)

is evaluated robot by robot: k |S_l|^{k+1} products, no matrix.
"""

from __future__ import annotations

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray, Progress
from meanfleet.base.errors import UserError

from .bounds import ValueInterval, fixed_point
from .game import Game
from .global_learning import BestDispatch, first_best
from .histograms import rank

TUPLES = 1_000_000  # more are refused: the histograms are there for them


def check_tuples(k: int, zones: int) -> None:
    """Refuse more ordered states than fit.

    Raises:
        UserError: k < 1, or there are more than `TUPLES`.
    """
    if k < 1:
        raise UserError(f"k = {k}: at least one robot must be polled")
    if zones ** min(k, 64) > TUPLES:  # 2^64 is beyond it already
        raise UserError(
            f"k = {k}: {zones}^{k} ordered states are out of reach of the tuple parameterization (at most {TUPLES}); "
            "lower k or use the histogram parameterization"
        )


def enumerate_tuples(k: int, zones: int) -> IntArray:
    """All ordered states [tuple, robot].

    Raises:
        UserError: see `check_tuples`.
    """
    check_tuples(k, zones)
    codes = np.arange(zones**k)
    return np.stack([codes // zones ** (k - 1 - robot) % zones for robot in range(k)], axis=1)


def counts_of(tuples: IntArray, zones: int) -> IntArray:
    """Histogram of every tuple [tuple, zone]."""
    return np.stack([np.sum(tuples == z, axis=1) for z in range(zones)], axis=1)


def mean_over_orderings(values: FloatArray, histogram: IntArray) -> FloatArray:
    """Mean of values [s_g, tuple, ...] over the orderings of each histogram [s_g, h, ...].

    The k robots are polled in random order: this is what a dispatcher that sees ordered states expects of a histogram.
    `histogram` is the index of every tuple's histogram [tuple].
    """
    order = np.argsort(histogram, kind="stable")
    sizes = np.bincount(histogram)
    begins = np.cumsum(sizes) - sizes
    sums = np.add.reduceat(values[:, order], begins, axis=1)
    return np.asarray(sums / sizes.reshape(-1, *(1,) * (values.ndim - 2)))


class TupleSystem:
    """The k-robot system under a fixed π_l over ordered states; values are float64 [s_g, tuple].

    Attributes:
        tuples: ordered states int64 [tuple, robot].
        histogram: index of each tuple's histogram, int64 [tuple].
        tilde: P̃, float64 [s_g, z, z'].
        reward: r_g + (1/k) Σ_i r̃[z_i, s_g], float64 [s_g, tuple, a_g].
    """

    def __init__(self, game: Game, local_policy: FloatArray, k: int) -> None:
        self.game, self.k = game, k
        self.tuples = enumerate_tuples(k, game.zones)
        self.histogram = rank(counts_of(self.tuples, game.zones))
        self.tilde = np.einsum("zsa,zsay->szy", local_policy, game.P_l)
        per_robot = np.einsum("zsa,zsa->sz", local_policy, game.r_l)
        self.reward = game.r_g[:, None, :] + per_robot[:, self.tuples].mean(axis=2)[:, :, None]

    @property
    def rounding(self) -> float:
        """Bound of the rounding error of a backup of V, relative to max |V|: all weights are non-negative."""
        terms = self.k * (self.game.zones + self.game.moves + 1) + self.game.priorities + 4
        return float(np.finfo(np.float64).eps * terms)

    def expected(self, values: FloatArray) -> FloatArray:
        """E[V(s', z') | s_g, z] for every s' [s_g, tuple, s']."""
        zones, result = self.game.zones, []
        for P in self.tilde:
            ahead = values
            for _ in range(
                self.k
            ):  # the last robot's axis is contracted and becomes the first: k turns restore the order
                ahead = ahead.reshape(len(values), -1, zones) @ P.T
                ahead = ahead.transpose(0, 2, 1).reshape(values.shape)
            result.append(ahead.T)
        return np.stack(result)

    def q_values(self, values: FloatArray) -> FloatArray:
        """(T V)(s_g, z, a_g), float64 [s_g, tuple, a_g]."""
        future = np.einsum("sht,sat->sha", self.expected(values), self.game.P_g, optimize=True)
        return np.asarray(self.reward + self.game.discount * future)

    def by_histogram(self, values: FloatArray) -> FloatArray:
        """Values [s_g, tuple, ...] as [s_g, h, ...]: the mean over orderings."""
        return mean_over_orderings(values, self.histogram)


def learn_exact_tuples(
    game: Game, local_policy: FloatArray, k: int, tolerance: float = 1e-6, progress: Progress | None = None
) -> BestDispatch:
    """`global_learning.learn_exact` over ordered states, its result by histograms.

    The interval is proven tuple by tuple, hence for their mean too.

    Raises:
        UserError: k < 1, or more than `TUPLES` ordered states.
    """
    system = TupleSystem(game, local_policy, k)

    def report(interval: ValueInterval) -> bool:
        if progress is not None:
            progress("backup", 2 * interval.half)
        return False

    first = np.zeros(system.reward.shape[:2])
    optimal = fixed_point(
        lambda v: system.q_values(v).max(axis=2), first, game.discount, tolerance, report, rounding=system.rounding
    )
    q = system.by_histogram(system.q_values(optimal.middle))
    middle = system.by_histogram(optimal.middle)
    return BestDispatch(first_best(q), q, ValueInterval(middle, optimal.half, optimal.backups), exact=True)
