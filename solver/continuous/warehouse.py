"""The continuous warehouse of arXiv 2603.03759, Appendix G.2, for thousands of fleets at once.

A line [−L, L]; s_g is where the priority is, s_i where robot i is, τ the dispatcher's targets, δ the robots' moves:

    s_g' = clip(s_g + 0.6 (τ[a_g] − s_g) + N(0, 0.08²))            s_i' = clip(s_i + δ[a_i] + N(0, 0.04²))
    r_g  = 5 exp(−(s_g − τ[a_g])² / (2·0.30²))                     r_l  = 10 exp(−(s_i − s_g)² / (2·0.20²)) − 5 |δ[a_i]|

The dispatcher sees s_g and the histogram of k robots, drawn without replacement, over as many equal bins as there are
targets. At the start s_g is uniform, and two different targets, drawn at random, have a cluster of robots each: exactly
⌊share·n⌋ of them around the first. Both rewards of a tick belong to the places before its step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError


@dataclass(frozen=True)
class ContinuousWarehouse:
    """The model; lengths in the units of the line, all rewards per tick.

    Attributes:
        robots: n.
        discount: γ.
        limit: L; places are clipped to [−L, L].
        targets: τ, ascending, where the dispatcher can steer the priority to.
        moves: δ, how far a robot means to go in a tick; move 0 stays.
        steering: share of the way to the target that the priority goes in a tick.
        steering_noise: standard deviation of the priority's step.
        robot_noise: standard deviation of a robot's step.
        commitment: r_g at the target.
        commitment_width: distance from it at which r_g has fallen to 61 %.
        alignment: r_l at the priority.
        alignment_width: distance from it at which r_l has fallen to 61 %.
        effort: cost of a robot's move per length.
        majority: share of the robots in the first cluster.
        cluster_width: standard deviation of a cluster.
        start_range: the first s_g is uniform within ± this.

    Raises:
        UserError: there is no fleet or no choice, targets do not ascend within the line, or move 0 moves.
    """

    robots: int = 500
    discount: float = 0.95
    limit: float = 2.0
    targets: tuple[float, ...] = (-1.6, -0.8, 0.0, 0.8, 1.6)
    moves: tuple[float, ...] = (0.0, 0.05, -0.05)
    steering: float = 0.6
    steering_noise: float = 0.08
    robot_noise: float = 0.04
    commitment: float = 5.0
    commitment_width: float = 0.3
    alignment: float = 10.0
    alignment_width: float = 0.2
    effort: float = 5.0
    majority: float = 0.55
    cluster_width: float = 0.18
    start_range: float = 1.0

    def __post_init__(self) -> None:
        targets = np.asarray(self.targets)
        if self.robots < 1 or len(targets) < 2:
            raise UserError("continuous warehouse: expected at least one robot and two targets")
        if (np.diff(targets) <= 0).any() or np.abs(targets).max() > self.limit:
            raise UserError(f"continuous warehouse: targets {self.targets} must ascend within ±{self.limit:g}")
        if self.moves[0] != 0:
            raise UserError("continuous warehouse: move 0 must stay")

    @property
    def bins(self) -> int:
        """Bins of the histogram: as many as targets, of equal width."""
        return len(self.targets)

    @cached_property
    def edges(self) -> FloatArray:
        """Of the bins [bin + 1]."""
        return np.linspace(-self.limit, self.limit, self.bins + 1)

    @cached_property
    def tau(self) -> FloatArray:
        """τ [a_g]."""
        return np.asarray(self.targets)

    @cached_property
    def delta(self) -> FloatArray:
        """δ [a_l]."""
        return np.asarray(self.moves)

    def start(self, fleets: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """First s_g [fleet] and places of robots [fleet, robot]; those of the larger cluster come first."""
        priority = rng.uniform(-self.start_range, self.start_range, fleets)
        first = rng.integers(self.bins, size=fleets)
        second = (first + rng.integers(1, self.bins, size=fleets)) % self.bins
        places = rng.normal(0.0, self.cluster_width, (fleets, self.robots))
        many = int(self.majority * self.robots)
        places[:, :many] += self.tau[first][:, None]
        places[:, many:] += self.tau[second][:, None]
        return priority, np.clip(places, -self.limit, self.limit, out=places)

    def steer(self, priority: FloatArray, dispatch: IntArray, rng: np.random.Generator) -> FloatArray:
        """Next s_g [fleet] under a_g [fleet]."""
        meant = priority + self.steering * (self.tau[dispatch] - priority)
        return np.clip(meant + rng.normal(0.0, self.steering_noise, len(priority)), -self.limit, self.limit)

    def drive(self, places: FloatArray, moves: NDArray[np.integer], rng: np.random.Generator) -> FloatArray:
        """Next places [fleet, robot] under a_l [fleet, robot]."""
        after = rng.standard_normal(places.shape)
        after *= self.robot_noise
        after += places
        after += self.delta[moves]
        return np.clip(after, -self.limit, self.limit, out=after)

    def dispatch_reward(self, priority: FloatArray, dispatch: IntArray) -> FloatArray:
        """r_g [fleet]."""
        off = (priority - self.tau[dispatch]) / self.commitment_width
        return np.asarray(self.commitment * np.exp(-0.5 * off**2))

    def robot_reward(self, places: FloatArray, priority: FloatArray, moves: NDArray[np.integer]) -> FloatArray:
        """r_l [fleet, robot]."""
        off = (places - priority[:, None]) / self.alignment_width
        off *= off
        off *= -0.5
        reward = np.exp(off, out=off)
        reward *= self.alignment
        reward -= self.effort * np.abs(self.delta)[moves]
        return reward

    def bin_of(self, places: FloatArray) -> IntArray:
        """Which bin a place lies in: edges between bins belong to the upper one, the ends to the outer ones."""
        scaled = (places + self.limit) * (self.bins / (2 * self.limit))
        return np.minimum(scaled.astype(np.int64), self.bins - 1)

    def histogram(self, places: FloatArray) -> IntArray:
        """Robots per bin [fleet, bin] of places [fleet, robot]."""
        cells = self.bin_of(places)
        cells += self.bins * np.arange(len(places))[:, None]
        return np.bincount(cells.ravel(), minlength=self.bins * len(places)).reshape(len(places), self.bins)

    def poll(self, counts: IntArray, k: int, rng: np.random.Generator) -> IntArray:
        """Histograms [fleet, bin] of k robots drawn without replacement from fleets with `counts` [fleet, bin].

        Bin after bin, given the bins before: each is hypergeometric.
        """
        sample = np.zeros_like(counts)
        rest, left = counts.sum(axis=1), np.full(len(counts), k)
        for b in range(counts.shape[1] - 1):
            rest = rest - counts[:, b]
            sample[:, b] = rng.hypergeometric(counts[:, b], rest, left)
            left = left - sample[:, b]
        sample[:, -1] = left
        return sample
