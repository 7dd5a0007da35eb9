"""Q-learning on one logged trajectory (arXiv 2603.03759, Appendix E, equation 38): no expectation in the update,

    Q(s_t, μ_t, a_t) ← (1 − α_t) Q(s_t, μ_t, a_t) + α_t (r_t + γ max_a Q(s_{t+1}, μ_{t+1}, a)),    α_t = h / (t + t₀)

What is proven. Under Assumption E.1 (behaviour policy with full support, its chain irreducible and aperiodic) Q
converges to the exact Q with probability 1 for every h > 0 and t₀ ≥ h: each pair's steps sum to infinity, their squares
do not. How fast depends on μ_min, the stationary probability of the rarest (s_g, μ, a_g): on the common clock t the
expected update contracts by 1 − α_t (1−γ) μ_min only, so with

    h > 1 / ((1−γ) μ_min)

the root mean square of max |Q − Q*| falls as t^(−1/2) up to logarithms (the paper's E.4, after Chen, Maguluri,
Shakkottai and Shanmugam 2021), while a smaller h may not do better than t^(−h (1−γ) μ_min). t₀ ≥ h keeps every α_t at
most 1, so that Q stays within r_max/(1−γ) from the first tick on; a larger t₀ starts more gently, as E.4 asks of chains
that mix slowly.

What is estimated. Without a model μ_min is read off the log, as the least share of ticks that a pair was seen in; with
one, `behaviour.smallest_visit_rate` computes it. Q itself is an estimate: it carries no bound from its data alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from ..global_learning import first_best
from .trajectory import Trajectory


@dataclass(frozen=True)
class StepSize:
    """α_t = h / (t + t0).

    Raises:
        UserError: h is not above 0, or t0 below h, which would take α_0 above 1.
    """

    h: float
    t0: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.h) and np.isfinite(self.t0) and 0 < self.h <= self.t0):
            raise UserError(f"step size {self.h:g}/(t + {self.t0:g}): expected h above 0 and t0 at least h")

    @classmethod
    def for_rate(cls, rate: float, discount: float, margin: float = 2.0) -> StepSize:
        """h = `margin` / ((1−γ) μ_min) and t0 = h; a margin above 1 keeps the rate t^(−1/2).

        Raises:
            UserError: the rate μ_min is not above 0.
        """
        if not 0 < rate <= 1:
            raise UserError(f"smallest visit rate {rate:g}: expected a share above 0 and at most 1")
        h = margin / ((1 - discount) * rate)
        return cls(h, h)

    @classmethod
    def for_log(cls, log: Trajectory, discount: float, margin: float = 2.0) -> StepSize:
        """The same with μ_min estimated from the log.

        Raises:
            UserError: some (s_g, h, a_g) was never seen, so that nothing can be said of μ_min.
        """
        unseen = log.visits == 0
        if unseen.any():
            at = [int(i) for i in np.argwhere(unseen)[0]]
            raise UserError(
                f"{int(unseen.sum())} of {unseen.size} cells were never seen in the log, first [s_g, h, a_g] = {at}: "
                "log for longer, lower k, or state the step size yourself"
            )
        return cls.for_rate(float(log.visits.min()) / log.ticks, discount, margin)


@dataclass(frozen=True, eq=False)
class LoggedLearning:
    """What has been learned so far; hand it to `learn_logged` with further ticks to go on.

    Attributes:
        q: float64 [s_g, h, a_g].
        visits: updates per cell, int64 [s_g, h, a_g]; cells at 0 still hold their first value.
        updates: t, updates in all.
        step: the step sizes.
        discount: γ.
    """

    q: FloatArray
    visits: IntArray
    updates: int
    step: StepSize
    discount: float

    @property
    def table(self) -> IntArray:
        """Greedy dispatch [s_g, h]."""
        return first_best(self.q)

    @property
    def unseen(self) -> int:
        """Cells that no update has reached."""
        return int(np.sum(self.visits == 0))


def learn_logged(
    log: Trajectory,
    discount: float,
    step: StepSize | None = None,
    state: LoggedLearning | None = None,
    first: FloatArray | None = None,
) -> LoggedLearning:
    """One pass of Q-learning over the log, tick by tick.

    Args:
        log: the trajectory.
        discount: γ.
        step: step sizes; by default `StepSize.for_log`.
        state: learning to continue with its step sizes and clock; in parts or at once, the result is the same.
        first: Q at the start, float64 [s_g, h, a_g]; 0 by default.

    Raises:
        UserError: γ outside [0, 1), shapes that do not fit the log, step sizes or γ other than those of `state`, or no
            step size given and cells that the log never visits.
    """
    if not 0 <= discount < 1:
        raise UserError(f"discount is {discount}: expected a number in [0, 1)")
    if state is None:
        q = np.zeros(log.shape) if first is None else np.array(first, dtype=np.float64)
        state = LoggedLearning(
            q, np.zeros(log.shape, dtype=np.int64), 0, step or StepSize.for_log(log, discount), discount
        )
    elif first is not None or discount != state.discount or step not in (None, state.step):
        raise UserError("learning that goes on keeps its first values, its discount and its step sizes")
    if state.q.shape != log.shape:
        raise UserError(f"Q has shape {state.q.shape}, but the log is of [s_g, h, a_g] = {log.shape}")
    q, visits = state.q.copy(), state.visits.copy()
    _learn(
        log.priority,
        log.index,
        log.dispatch,
        log.reward,
        discount,
        state.step.h,
        state.step.t0,
        state.updates,
        q,
        visits,
    )
    return LoggedLearning(q, visits, state.updates + log.ticks, state.step, discount)


@njit(cache=True)
def _learn(
    priority: IntArray,
    index: IntArray,
    dispatch: IntArray,
    reward: FloatArray,
    discount: float,
    h: float,
    t0: float,
    updates: int,
    q: FloatArray,
    visits: IntArray,
) -> None:
    """One update per logged tick, after `updates` earlier ones. Mutates q and visits."""
    for tick in range(len(dispatch)):
        s, mu, a = priority[tick], index[tick], dispatch[tick]
        ahead = q[priority[tick + 1], index[tick + 1]].max()
        alpha = h / (updates + tick + t0)
        q[s, mu, a] += alpha * (reward[tick] + discount * ahead - q[s, mu, a])
        visits[s, mu, a] += 1
