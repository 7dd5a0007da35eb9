"""Exact simulation of n robots by their counts (math.md §6).

Robots of one zone are exchangeable, so the counts per zone are a sufficient statistic: the k polled robots are drawn
one by one without replacement, moves and transitions are multinomial per zone. Same law as robot by robot, at a cost
that does not depend on n.

Random numbers are common to all rules with one seed: the starts are the same, and so are the uniform numbers that poll
robots and steer the priority, tick by tick. Differences between rules are therefore known far better than either mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from math import ceil, log

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError
from meanfleet.base.statistics import half_width

from ..bundle.filtering import FilterModel
from ..game import Game
from ..histograms import count_histograms, counting_table
from ..threads import run_all
from ..types import draw_counts, draw_shares
from .filtered import Observer, drift, roll_filtered, roll_particles
from .kernels import roll
from .particles import log_factorials

Seed = int | tuple[int, ...]
Rng = np.random.Generator
Streams = tuple[Rng, Rng, Rng, Rng]  # polls, moves, steering; particles
Work = Callable[[IntArray, IntArray, Streams, slice], None]

CHUNK = 250  # rollouts that share a set of random streams; the result depends on it, but on no number of threads
MOST_BY_PARTICLES = 10_000_000  # robots: particles need a table as long as the fleet
LARGEST = 2**53  # robots: above, float64 no longer tells one from the next
TAIL = 0.01  # share of the discounted reward that comes after `discounted_horizon`
HORIZON = 5000  # ticks at most


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error over `rollouts` independent rollouts."""

    mean: float
    error: float
    rollouts: int
    horizon: int

    @classmethod
    def of(cls, returns: FloatArray, horizon: int) -> Estimate:
        """From returns [rollout], or from the differences of two rules' returns under common random numbers."""
        rollouts = len(returns)
        return cls(float(returns.mean()), float(returns.std(ddof=1) / np.sqrt(rollouts)), rollouts, horizon)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval."""
        half = half_width(self.error, self.rollouts)
        return self.mean - half, self.mean + half

    def as_dict(self) -> dict[str, float]:
        """Plain values for JSON."""
        return asdict(self)


def discounted_horizon(discount: float) -> int:
    """Ticks after which γ^t has fallen to TAIL, never more than HORIZON: how long a rollout for J without end is.

    What comes after them is in the last weights (`endless_weights`).
    """
    return 1 if discount == 0 else min(HORIZON, max(1, ceil(log(TAIL) / log(discount))))


def finite_weights(discount: float, horizon: int) -> FloatArray:
    """γ^t, float64 [tick]."""
    return np.asarray(float(discount) ** np.arange(horizon))


def endless_weights(discount: float, horizon: int) -> FloatArray:
    """Weights [tick] of a rollout that stands for a fleet without end: they sum to 1/(1 − γ), whatever the horizon.

    The later half of the rollout goes on in place of what was not rolled out: with h the tick in the middle,
    J = Σ_{t<h} γ^t r(t) + γ^h J_h, and J_h is taken from ticks h to H, Σ_{t=h}^{H−1} γ^(t−h) r(t) / (1 − γ^(H−h)).
    Exact for a fleet that has settled by then; what is left is γ^H times the change of its worth from h to H.
    """
    weights, middle = finite_weights(discount, horizon), horizon // 2
    weights[middle:] /= -np.expm1((horizon - middle) * np.log(discount)) if discount > 0 else 1.0
    return weights


@dataclass(frozen=True, eq=False)
class Fleet:
    """n robots of a game, k of which are polled per tick.

    With `endless` returns are those of a fleet that runs on for ever (`endless_weights`), else of the ticks rolled out.

    Raises:
        UserError: no robots, more than LARGEST, or fewer than k.
    """

    game: Game
    n: int
    k: int
    endless: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if not 1 <= self.n <= LARGEST:
            raise UserError(f"n = {self.n}: a fleet has between 1 and 2**53 robots")
        if not 0 <= self.k <= self.n:
            raise UserError(f"k = {self.k}: between 0 and all n = {self.n} robots can be polled")

    def returns(
        self,
        table: IntArray,
        local_policy: FloatArray,
        rollouts: int,
        horizon: int,
        seed: Seed = 0,
        first: int = 0,
    ) -> FloatArray:
        """Discounted return of every rollout, float64 [rollout], under a memoryless dispatcher.

        The i-th rollout of a seed is always the same one, so that `first` (a multiple of CHUNK) continues an earlier
        call.

        Args:
            table: dispatch [s_g, h] for histograms of k robots.
            local_policy: π_l [z, s_g, a].
            rollouts: how many.
            horizon: ticks per rollout.
            seed: of all streams.
            first: number of the first rollout.
        """
        return self._roll(table, local_policy, rollouts, horizon, seed, first, 0, 1)[0]

    def visits(
        self, table: IntArray, local_policy: FloatArray, rollouts: int, horizon: int, seed: Seed = 0, stride: int = 1
    ) -> tuple[IntArray, IntArray]:
        """States before every `stride`-th tick: s_g [rollout, tick] and counts [rollout, tick, zone]."""
        seen = self._roll(table, local_policy, rollouts, horizon, seed, 0, ceil(horizon / stride), stride)[1]
        return seen[:, :, 0], seen[:, :, 1:]

    def filtered_returns(
        self,
        observer: Observer,
        local_policy: FloatArray,
        rollouts: int,
        horizon: int,
        seed: Seed = 0,
        first: int = 0,
    ) -> FloatArray:
        """`returns` under a dispatcher that remembers: the same starts, polls and steering for the same seed."""
        return self._roll_filtered(observer, local_policy, rollouts, horizon, seed, first, 0)[0]

    def settled_rates(
        self, observer: Observer, local_policy: FloatArray, rollouts: int, ticks: tuple[int, int], seed: Seed = 0
    ) -> FloatArray:
        """Mean reward per tick of every rollout [rollout] under a dispatcher that remembers, from one tick to before
        another: what a fleet earns that has been running for long."""
        begin, end = ticks
        if not 0 <= begin < end:
            raise UserError(f"ticks {begin} to {end}: expected the first to be 0 or more, and below the last")
        return self._roll_filtered(observer, local_policy, rollouts, end, seed, 0, 0, begin)[0] / (end - begin)

    def informed_returns(
        self,
        model: FilterModel,
        local_policy: FloatArray,
        rollouts: int,
        horizon: int,
        seed: Seed = 0,
        first: int = 0,
    ) -> FloatArray:
        """`returns` under a dispatcher that sees the whole fleet: Q_κ interpolated at its true distribution."""
        observer = Observer(model, drift(self.game, local_policy), informed=True)
        return self._roll_filtered(observer, local_policy, rollouts, horizon, seed, first, 0)[0]

    def filtered_log(
        self, observer: Observer, local_policy: FloatArray, rollouts: int, horizon: int, seed: Seed = 0
    ) -> tuple[FloatArray, IntArray]:
        """Returns [rollout], and s_g, a_g, sample per zone, counts per zone of every tick, int64 [rollout, tick, …]."""
        return self._roll_filtered(observer, local_policy, rollouts, horizon, seed, 0, horizon)

    def _roll_filtered(
        self,
        observer: Observer,
        local_policy: FloatArray,
        rollouts: int,
        horizon: int,
        seed: Seed,
        first: int,
        slots: int,
        settled: int | None = None,
    ) -> tuple[FloatArray, IntArray]:
        """Discounted returns and the log; with `settled` instead sums without discount from that tick on."""
        game, k = self.game, self.k
        expected = (game.priorities, game.zones, game.dispatches)
        actual = (observer.model.q.shape[0], len(observer.model.prior), observer.model.q.shape[2])
        if actual != expected or observer.drift.shape != (game.priorities, game.zones, game.zones):
            raise UserError(f"observer of {actual} priorities, zones and dispatches, expected {expected}")
        returns = np.empty(rollouts)
        log = np.empty((rollouts, slots, 2 + 2 * game.zones), dtype=np.int64)
        memory, world = observer.memory(), self.world(local_policy)
        weights = self.weights(horizon) if settled is None else (np.arange(horizon) >= settled).astype(float)

        def run(counts: IntArray, priority: IntArray, streams: Streams, part: slice) -> None:
            roll_filtered(counts, priority, k, memory, *world, weights, *streams[:3], returns[part], log[part])

        def run_particles(counts: IntArray, priority: IntArray, streams: Streams, part: slice) -> None:
            dispatcher = (k, memory, observer.particles, logs)
            rest = (*dispatcher, *world, weights, *streams, returns[part], log[part])
            roll_particles(counts, priority, *rest)

        if observer.particles and self.n > MOST_BY_PARTICLES:
            raise UserError(f"n = {self.n}: a belief by particles takes at most {MOST_BY_PARTICLES} robots")
        logs = log_factorials(self.n if observer.particles else 0)
        self.in_chunks(run_particles if observer.particles else run, rollouts, horizon, seed, first)
        return returns, log

    def starts(self, rollouts: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """s_g [rollout] and counts [rollout, zone] from the game's start law."""
        game = self.game
        priority = rng.choice(game.priorities, size=rollouts, p=game.start_priority / game.start_priority.sum())
        shares = draw_shares(game, rng, rollouts)
        return priority.astype(np.int64), draw_counts(game, self.n, shares, rng)

    def _roll(
        self,
        table: IntArray,
        local_policy: FloatArray,
        rollouts: int,
        horizon: int,
        seed: Seed,
        first: int,
        slots: int,
        stride: int,
    ) -> tuple[FloatArray, IntArray]:
        game, k = self.game, self.k
        expected = (game.priorities, count_histograms(k, game.zones))
        if np.shape(table) != expected:
            raise UserError(f"dispatch table for k = {k} has shape {np.shape(table)}, expected {expected}")
        returns = np.empty(rollouts)
        seen = np.empty((rollouts, slots, 1 + game.zones), dtype=np.int64)
        dispatch, world = np.array(table, dtype=np.int64, order="C"), self.world(local_policy)
        ranks, weights = np.array(counting_table(k, game.zones)), self.weights(horizon)

        def run(counts: IntArray, priority: IntArray, streams: Streams, part: slice) -> None:
            roll(counts, priority, k, dispatch, ranks, *world, weights, *streams[:3], returns[part], seen[part], stride)

        self.in_chunks(run, rollouts, horizon, seed, first)
        return returns, seen

    def weights(self, horizon: int) -> FloatArray:
        """What a reward counts for in a return, float64 [tick]."""
        return (endless_weights if self.endless else finite_weights)(self.game.discount, horizon)

    def world(self, local_policy: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
        """π_l, P_l, r_l, sums of P_g and r_g: fresh copies, one memory layout and one compiled kernel for all."""
        game = self.game
        policy, P_l, r_l, r_g = (
            np.array(array, dtype=float, order="C") for array in (local_policy, game.P_l, game.r_l, game.r_g)
        )
        return policy, P_l, r_l, np.cumsum(game.P_g, axis=2), r_g

    def in_chunks(self, run: Work, rollouts: int, horizon: int, seed: Seed, first: int) -> None:
        """Call run(counts, priority, streams, slice of rollouts) for every chunk, on all threads."""
        if rollouts < 2 or horizon < 1 or first % CHUNK:
            raise UserError(f"{rollouts} rollouts of {horizon} ticks: at least 2 of at least 1 tick are needed")

        def run_chunk(part: slice) -> None:
            chunk = (first + part.start) // CHUNK
            # A tuple is more entropy; the spawn key keeps chunks apart from children of any other seed.
            children = np.random.SeedSequence(seed, spawn_key=(chunk,)).spawn(5)
            start, *streams = map(np.random.default_rng, children)
            priority, counts = self.starts(CHUNK, start)
            size = part.stop - part.start
            poller, mover, steerer, thinker = streams
            run(counts[:size], priority[:size], (poller, mover, steerer, thinker), part)

        run_all(partial(run_chunk, slice(begin, min(begin + CHUNK, rollouts))) for begin in range(0, rollouts, CHUNK))


def fleet_return(
    game: Game,
    table: IntArray,
    local_policy: FloatArray,
    k: int,
    n: int,
    rollouts: int = 2000,
    horizon: int = 100,
    seed: Seed = 0,
) -> Estimate:
    """Mean discounted return of the memoryless dispatcher in the n-robot system."""
    return Estimate.of(Fleet(game, n, k).returns(table, local_policy, rollouts, horizon, seed), horizon)
