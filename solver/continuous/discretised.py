"""The continuous warehouse as a finite game: bins as zones and as priorities, transitions counted in simulation.

Fleets are simulated under robots of a fixed policy and a dispatcher that steers to a random target and changes it now
and then. What the bins did is counted, P_g[s_g, a_g, s_g'] and P_l[z, s_g, 0, z'], and so are the mean rewards of a
tick in them: a game that the exact solver takes as any other. Its robots have one move, to follow that policy, which
sees places where zones would be too coarse. Bins are no Markov states; what that costs shows in the returns, which are
always those of the continuous warehouse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from ..game import Game
from ..global_learning import learn_exact
from ..histograms import enumerate_histograms
from ..interpolation import interpolate
from ..surrogate import KRobotSystem
from .rollouts import Decide, Robots
from .warehouse import ContinuousWarehouse

COUNTING = 101  # stream apart from those of rollouts: seeds are padded with zeros, so `seed` alone is one of theirs
EVEN = 1e-6  # S Σ p² − 1 from which on a start counts as spread evenly over the bins
TOLERANCE = 1e-3  # of the value of Q_κ: far below what counting leaves open


@dataclass(frozen=True)
class Exploration:
    """How transitions are gathered.

    Attributes:
        fleets: simulated.
        horizon: ticks of each.
        stay: ticks between two changes of the target, on average.
    """

    fleets: int = 400
    horizon: int = 50
    stay: float = 12.0


class Counts:
    """Transitions of bins seen so far, with sums of rewards."""

    def __init__(self, bins: int) -> None:
        self.steering = np.zeros((bins, bins, bins))  # [s_g, a_g, s_g']
        self.driving = np.zeros((bins, bins, bins))  # [z, s_g, z']
        self.dispatch_reward = np.zeros((bins, bins))
        self.robot_reward = np.zeros((bins, bins))

    def note_steering(self, s: IntArray, a: IntArray, after: IntArray, reward: FloatArray) -> None:
        """One tick of the priorities, all [fleet]."""
        np.add.at(self.steering, (s, a, after), 1.0)
        np.add.at(self.dispatch_reward, (s, a), reward)

    def note_driving(self, z: IntArray, s: IntArray, after: IntArray, reward: FloatArray) -> None:
        """One tick of the robots, all [fleet, robot] but s [fleet]."""
        bins = len(self.steering)
        cell = (z * bins + s[:, None]).ravel()
        both = np.bincount(cell * bins + after.ravel(), minlength=bins**3)
        self.driving += both.reshape(self.driving.shape)
        self.robot_reward += np.bincount(cell, reward.ravel(), bins**2).reshape(bins, bins)


def explore(warehouse: ContinuousWarehouse, robots: Robots, how: Exploration, seed: int) -> Counts:
    """Simulate and count."""
    rng = np.random.default_rng([seed, 0, COUNTING])
    counts = Counts(warehouse.bins)
    s, places = warehouse.start(how.fleets, rng)
    a = rng.integers(warehouse.bins, size=how.fleets)
    for _ in range(how.horizon):
        change = rng.random(how.fleets) < 1 / how.stay
        a = np.where(change, rng.integers(warehouse.bins, size=how.fleets), a)
        moves = robots(places, s, rng)
        s_after, after = warehouse.steer(s, a, rng), warehouse.drive(places, moves, rng)
        zone = warehouse.bin_of(s)
        counts.note_steering(zone, a, warehouse.bin_of(s_after), warehouse.dispatch_reward(s, a))
        reward = warehouse.robot_reward(places, s, moves)
        counts.note_driving(warehouse.bin_of(places), zone, warehouse.bin_of(after), reward)
        s, places = s_after, after
    return counts


def estimated_game(warehouse: ContinuousWarehouse, robots: Robots, how: Exploration, seed: int) -> Game:
    """The game of the bins, as counted.

    Raises:
        UserError: a pair of bin and target, or of two bins, was never seen: too little was simulated.
    """
    counts = explore(warehouse, robots, how, seed)
    steered, driven = counts.steering.sum(axis=2), counts.driving.sum(axis=2)
    if not (steered.all() and driven.all()):
        raise UserError("discretise: some bins were never seen together: simulate more fleets or longer")
    return Game(
        P_g=counts.steering / steered[:, :, None],
        P_l=(counts.driving / driven[:, :, None])[:, :, None],
        r_g=counts.dispatch_reward / steered,
        r_l=(counts.robot_reward / driven)[:, :, None],
        discount=warehouse.discount,
        start_priority=_start_priority(warehouse),
        start_concentration=np.full(warehouse.bins, _start_concentration(warehouse)),
    )


def _start_priority(warehouse: ContinuousWarehouse) -> FloatArray:
    """Law of the first priority's bin: a uniform one's share of every bin."""
    edges = np.clip(warehouse.edges, -warehouse.start_range, warehouse.start_range)
    return np.asarray(np.diff(edges) / (2 * warehouse.start_range))


def _start_concentration(warehouse: ContinuousWarehouse) -> float:
    """The symmetric Dirichlet law with the start's mean of Σ p²: that of two bins with the clusters' shares.

    Under Dirichlet(α, …, α) over S bins it is (α + 1)/(S α + 1), 1/S at least: two clusters alike on two bins would
    need α = ∞, and have a large one.
    """
    share, bins = warehouse.majority, warehouse.bins
    squares = share**2 + (1 - share) ** 2
    return (1 - squares) / max(squares * bins - 1, EVEN)


@dataclass(frozen=True, eq=False)
class Solved:
    """Q_κ of the bins' game, and P̃ that beliefs are predicted with."""

    game: Game
    kappa: int
    q: FloatArray
    drift: FloatArray


def solve_bins(game: Game, kappa: int) -> Solved:
    """Exact G-LEARN for κ robots that follow their one policy."""
    policy = np.ones((game.zones, game.priorities, 1))
    surrogate = KRobotSystem(game, kappa).under(policy)
    return Solved(game, kappa, learn_exact(surrogate, TOLERANCE).q, surrogate.tilde)


@dataclass(frozen=True)
class Memoryless:
    """Q_κ asked at this tick's sample."""

    warehouse: ContinuousWarehouse
    solved: Solved
    k: int

    def begin(self, fleets: int, rng: np.random.Generator) -> Decide:
        """See `Dispatcher`."""
        return lambda priority, sample: _best(self.solved, self.warehouse.bin_of(priority), sample.astype(float))


@dataclass(frozen=True)
class Filtering:
    """Q_κ asked at the mean of a Dirichlet belief that is predicted with P̃ (math.md §7)."""

    warehouse: ContinuousWarehouse
    solved: Solved
    k: int
    rho: float = 1.0

    def begin(self, fleets: int, rng: np.random.Generator) -> Decide:
        """See `Dispatcher`."""
        alpha = np.tile(self.solved.game.start_concentration, (fleets, 1))

        def decide(priority: FloatArray, sample: IntArray) -> IntArray:
            s = self.warehouse.bin_of(priority)
            alpha[:] += sample
            a = _best(self.solved, s, alpha)
            alpha[:] = self.rho * np.einsum("fz,fzy->fy", alpha, self.solved.drift[s])
            return a

        return decide


def dispatch_table(solved: Solved, k: int) -> IntArray:
    """What `Memoryless` decides, for every histogram of k robots [s_g, h]."""
    histograms = enumerate_histograms(k, solved.game.zones).astype(float)
    every = [np.full(len(histograms), s) for s in range(solved.game.priorities)]
    return np.stack([_best(solved, s, histograms) for s in every])


def _best(solved: Solved, s: IntArray, weights: FloatArray) -> IntArray:
    """The best dispatch [fleet] in s_g [fleet] for fleets spread as `weights` [fleet, bin]."""
    mean = solved.kappa * weights / weights.sum(axis=1, keepdims=True)
    a = np.empty(len(s), dtype=np.int64)
    for value in np.unique(s):
        rows = s == value
        a[rows] = interpolate(solved.q[value], mean[rows], solved.kappa).argmax(axis=1)
    return a
