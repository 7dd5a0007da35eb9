"""G-LEARN: the dispatcher's best response to a fixed π_l in the k-robot system (MATH §2).

Exact: value iteration with proven bounds. Sampled: the paper's empirical operator, m draws of (s_g', μ') for every
(s_g, μ, a_g), averaged; its error is estimated, not proven.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from .bounds import ValueInterval, fixed_point
from .game import FloatArray, Game
from .histograms import count_histograms, counting_table, enumerate_histograms
from .interpolation import resampled
from .surrogate import KRobotSystem, Surrogate

IntArray = NDArray[np.int64]
Progress = Callable[[str, float], None]
COARSEST = 5  # robots below which a first guess costs more than it saves


@dataclass(frozen=True, eq=False)
class BestDispatch:
    """A best response of the dispatcher.

    Attributes:
        table: dispatch [s_g, h].
        q: float64 [s_g, h, a_g].
        optimal: interval of the optimal value.
        exact: whether the interval is proven; False for the sampled backup.
    """

    table: IntArray
    q: FloatArray
    optimal: ValueInterval
    exact: bool


def learn_exact(
    surrogate: Surrogate, tolerance: float = 1e-6, start: FloatArray | None = None, progress: Progress | None = None
) -> BestDispatch:
    """Best response to the surrogate's π_l, its value known to `tolerance` in every state."""
    game = surrogate.system.game

    def report(interval: ValueInterval) -> bool:
        if progress is not None:
            progress("backup", 2 * interval.half)
        return False

    first = _from_fewer_robots(surrogate) if start is None else start
    optimal = fixed_point(
        surrogate.backup_optimal, first, game.discount, tolerance, report, rounding=surrogate.rounding
    )
    q = surrogate.q_values(optimal.middle)
    return BestDispatch(first_best(q), q, optimal, exact=True)


def _from_fewer_robots(surrogate: Surrogate) -> FloatArray:
    """A first guess [s_g, h]: the value with half as many robots, at the same shares per zone."""
    system = surrogate.system
    game, fewer = system.game, system.k // 2
    if fewer < COARSEST:
        return np.zeros_like(surrogate.fleet_reward)
    coarse = KRobotSystem(game, fewer).under(surrogate.local_policy)
    accuracy = 1e-4 * game.reward_scale / (1 - game.discount)
    value = fixed_point(coarse.backup_optimal, _from_fewer_robots(coarse), game.discount, accuracy).middle
    return resampled(value, fewer, system.k, game.zones)


def first_best(q: FloatArray) -> IntArray:
    """Greedy dispatch [s_g, h]; ties within rounding go to the smallest index, so that tables are reproducible."""
    top = q.max(axis=2, keepdims=True)
    return np.asarray(np.argmax(q >= top - 1e-12 * np.maximum(1.0, np.abs(top)), axis=2), dtype=np.int64)


def learn_sampled(
    game: Game,
    local_policy: FloatArray,
    k: int,
    samples: int = 30,
    tolerance: float = 0.05,
    max_backups: int = 200,
    seed: int = 0,
    progress: Progress | None = None,
) -> BestDispatch:
    """The paper's G-LEARN: `samples` draws per (s_g, μ, a_g) and backup.

    Ends when the mean value changes by less than `tolerance`·(1−γ) between backups, or after `max_backups`.
    The interval is that of the last empirical backup: an estimate.
    """
    histograms = enumerate_histograms(k, game.zones)
    tilde = np.ascontiguousarray(np.einsum("zsa,zsay->szy", local_policy, game.P_l))
    reward = (histograms @ np.einsum("zsa,zsa->zs", local_policy, game.r_l)).T / k
    base = game.r_g[:, None, :] + reward[:, :, None]
    values = np.zeros((game.priorities, count_histograms(k, game.zones)))
    ranks = counting_table(k, game.zones)
    cumulative = np.cumsum(game.P_g, axis=2)
    seeds = np.random.SeedSequence(seed).generate_state(max_backups).astype(np.int64)
    scale = game.discount / (1 - game.discount)
    for backup in range(max_backups):
        future = np.empty_like(base)
        _sampled_expectation(values, histograms, tilde, cumulative, ranks, samples, seeds[backup], future)
        q = base + game.discount * future
        after = q.max(axis=2)
        change = after - values
        low, high = float(change.min()), float(change.max())
        # Shifting by a constant leaves the greedy policy alone and removes the slow γ^t part of the convergence.
        values = after + scale * float(change.mean())
        interval = ValueInterval(values, scale * (high - low) / 2, backup + 1)
        if progress is not None:
            progress("backup", 2 * interval.half)
        if abs(float(change.mean())) < tolerance * (1 - game.discount) and backup > 0:
            break
    return BestDispatch(first_best(q), q, interval, exact=False)


@njit(cache=True, parallel=True)
def _sampled_expectation(
    values: FloatArray,
    histograms: IntArray,
    tilde: FloatArray,
    cumulative: FloatArray,
    ranks: IntArray,
    samples: int,
    seed: int,
    future: FloatArray,
) -> None:
    """Fill future[s_g, h, a_g] with the mean of V at `samples` draws of (s_g', μ'). Mutates `future` only.

    Every histogram seeds its own stream, so the result does not depend on the number of threads.
    """
    priorities, size, dispatches = future.shape
    zones = histograms.shape[1]
    for h in prange(size):
        np.random.seed((seed + h * 2654435761) % 4294967291)
        after = np.zeros(zones, dtype=np.int64)
        for s in range(priorities):
            for a in range(dispatches):
                total = 0.0
                for _ in range(samples):
                    after[:] = 0
                    _scatter(histograms[h], tilde[s], after)
                    t = min(np.searchsorted(cumulative[s, a], np.random.random(), side="right"), priorities - 1)
                    left, index = after.sum(), 0
                    for z in range(zones - 1):
                        left -= after[z]
                        index += ranks[left, zones - z]
                    total += values[t, index]
                future[s, h, a] = total / samples


@njit(cache=True)
def _scatter(counts: IntArray, P: FloatArray, after: IntArray) -> None:
    """Add to `after` one multinomial draw per zone: where the robots of `counts` go under P. Mutates `after`."""
    zones = len(counts)
    for z in range(zones):
        left, mass = counts[z], 1.0
        for j in range(zones - 1):
            if left == 0:
                break
            share = 1.0 if P[z, j] >= mass else P[z, j] / mass  # rounding can take the ratio above 1
            moved = np.random.binomial(left, share)
            after[j] += moved
            left -= moved
            mass -= P[z, j]
        after[zones - 1] += left
