"""Learning: value iteration of the joint k-robot system, with exact expectations or the paper's sampled ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray, Progress
from meanfleet.base.errors import UserError

from ..bounds import ValueInterval, fixed_point
from ..sampled.learning import empirical_fixed_point
from .crowd import Crowd
from .plans import Backup, JointSystem


@dataclass(frozen=True, eq=False)
class JointPolicy:
    """What everybody does, by the sample that it sees.

    Attributes:
        k: robots in a sample; a robot's own is itself and k − 1 others.
        dispatch: a_g [s_g, h] for the dispatcher's sample.
        plan: robots of the sample by zone and move, int64 [s_g, h, z, a].
        value: interval of the optimal value of the joint k-robot system.
        start: (lower, upper) end of its J.
        exact: whether the interval is proven; False for the sampled backup.
    """

    k: int
    dispatch: IntArray
    plan: IntArray
    value: ValueInterval
    start: tuple[float, float]
    exact: bool

    def projected(self, law: FloatArray) -> FloatArray:
        """π_l [z, s_g, a] of a robot that hears nobody: plans averaged over a law of states [s_g, h].

        Where a zone is empty under the law, all moves of the plans are taken as equally likely.
        """
        weight = np.einsum("sh,shza->zsa", law, self.plan)
        weight += 1e-12 * (self.plan.sum(axis=1).transpose(1, 0, 2) > 0)
        return np.asarray(weight / weight.sum(axis=2, keepdims=True))


def learn_joint(crowd: Crowd, k: int, tolerance: float = 1e-6, progress: Progress | None = None) -> JointPolicy:
    """The optimal joint policy of k robots, its value known to `tolerance`; for k = n, that of the fleet itself.

    Raises:
        UserError: k < 1, or (OutOfReachError) too many plans.
    """
    system = JointSystem(crowd, k)

    def report(interval: ValueInterval) -> bool:
        if progress is not None:
            progress("backup", 2 * interval.half)
        return False

    value = fixed_point(
        lambda values: system.exact(values).values,
        np.zeros_like(system.start),
        crowd.game.discount,
        tolerance,
        report,
        rounding=system.rounding,
    )
    return _policy(system, system.exact(value.middle), value, exact=True)


def learn_joint_sampled(
    crowd: Crowd,
    k: int,
    samples: int = 30,
    tolerance: float = 0.05,
    max_backups: int = 200,
    seed: int = 0,
    progress: Progress | None = None,
) -> JointPolicy:
    """The same by the empirical operator, `samples` draws per plan and dispatch; ends as `learn_sampled` does.

    Raises:
        UserError: k or a number of draws below 1, or (OutOfReachError) too many plans.
    """
    if min(samples, max_backups) < 1:
        raise UserError(f"{samples} samples, {max_backups} backups: expected at least 1 of each")
    system = JointSystem(crowd, k, samples)
    last: list[Backup] = []

    def operator(values: FloatArray, backup: int, seed: int) -> FloatArray:
        last[:] = [system.sampled(values, samples, seed)]
        return last[0].values.copy()

    start, discount = np.zeros_like(system.start), crowd.game.discount
    value = empirical_fixed_point(operator, start, discount, tolerance, max_backups, seed, progress)
    return _policy(system, last[0], value, exact=False)


def _policy(system: JointSystem, backup: Backup, value: ValueInterval, exact: bool) -> JointPolicy:
    return JointPolicy(system.k, backup.dispatch, backup.plan, value, value.mean(system.start), exact)
