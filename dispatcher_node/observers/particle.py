"""Bayes by particles over count vectors of the whole fleet.

    predict    every robot of every particle moves by P̃[s_g]: one multinomial draw per zone
    update     weight ← weight · Π_z C(c_z, x_z) / C(n, k)        x: histogram of k robots polled without replacement
               weight ← weight · Π_z (c_z/n)^{w_z}                if the sampling design makes robots count w ≠ 1

A sample that is m ticks old weighs a particle by where its own forebear was then, which is exact. When the effective
number of particles, 1/Σ weight², falls below half, particles are drawn again (systematically), and each is offered
another move from its forebear, accepted by Metropolis' rule for this tick's likelihood: that leaves the law
of a particle given its past as it is, so twins part without a bias. If no particle explains the samples, the belief
starts anew from the prior given these samples.

ρ < 1 is another model of the world, not another rule of inference: with probability 1 − ρ per tick something that
the model does not know puts the whole fleet where the prior would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.solver.bundle.filtering import Deciding, FilterModel, surprise
from meanfleet.solver.interpolation import interpolate

from .packing import pack, unpack
from .protocol import HISTORY, Sample, finite

PARTICLES = 1000
CERTAIN = 1e9  # effective robots of a belief whose particles all agree


class ParticleObserver:
    """Fleets c [particle, zone] of n robots with their weights.

    Args:
        step: P̃, float64 [s_g, z, z'].
        prior: the fleet's first distribution is Dirichlet(prior) [zone].
        robots: n.
        rho: see above; 1 for Bayes under the model alone.
        particles: how many.
        seed: of all draws.
    """

    def __init__(
        self,
        step: FloatArray,
        prior: FloatArray,
        robots: int,
        rho: float = 1.0,
        particles: int = PARTICLES,
        seed: int = 0,
    ) -> None:
        self._step, self._prior, self.robots, self.rho = step / step.sum(axis=2, keepdims=True), prior, robots, rho
        self._rng = np.random.default_rng(np.random.SeedSequence([seed, 7]))
        self._logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, robots + 1)))])  # log m!
        self.fleets = self._from_prior(particles)
        self.weights: FloatArray = np.full(particles, 1 / particles)
        self.surprise = 0.0
        self._past: list[IntArray] = []  # forebears [particle, zone], the newest last
        self._priorities: list[int] = []  # under which they moved on

    @property
    def reach(self) -> int:
        """Ticks back at which every particle's forebear is known."""
        return len(self._past)

    @property
    def effective_particles(self) -> float:
        """1/Σ weight²."""
        return float(1 / np.sum(self.weights**2))

    @property
    def mean(self) -> FloatArray:
        """Expected share of the fleet per zone [zone]."""
        return np.asarray(self.weights @ self.fleets / self.robots)

    @property
    def alpha(self) -> FloatArray:
        """The Dirichlet law with the particles' mean and total variance [zone]."""
        mean = self.mean
        spread = float(np.sum(self.weights @ (self.fleets / self.robots - mean) ** 2))
        total = float(np.sum(mean * (1 - mean))) / spread - 1 if spread > 0 else CERTAIN
        return mean * min(max(total, 1 / CERTAIN), CERTAIN)

    def quantiles(self, levels: ArrayLike) -> IntArray:
        """Smallest counts that reach the given probabilities [level]: int64 [level, zone]."""
        wanted = np.atleast_1d(np.asarray(levels, dtype=np.float64))
        found = np.empty((len(wanted), self.fleets.shape[1]), dtype=np.int64)
        for zone, counts in enumerate(self.fleets.T):
            law = np.bincount(counts, self.weights, self.robots + 1).cumsum()
            found[:, zone] = np.minimum(np.searchsorted(law, wanted * law[-1] * (1 - 1e-12)), self.robots)
        return found

    def update(self, samples: Sequence[Sample]) -> None:
        """Weigh the particles, and draw them again if too few are left that count."""
        counts = sum((sample.counts for sample in samples if sample.age == 0), np.zeros(len(self._prior), np.int64))
        self.surprise = surprise(np.maximum(self.alpha, 1e-12), counts)
        if not samples:
            return
        with np.errstate(divide="ignore"):
            logs = np.log(self.weights)
        for sample in samples:
            fleets = self.fleets if sample.age == 0 else self._past[len(self._past) - sample.age]
            logs = logs + self._likelihood(fleets, sample)
        if not np.isfinite(logs.max()):
            self._restart(samples)
            return
        weights = np.exp(logs - logs.max())
        self.weights = weights / weights.sum()
        if self.effective_particles < len(self.weights) / 2:
            self._resample()
            self._rejuvenate([sample for sample in samples if sample.age == 0])

    def predict(self, priority: int) -> None:
        """Every robot of every particle moves."""
        self._past = [*self._past, self.fleets][-HISTORY:]
        self._priorities = [*self._priorities, priority][-HISTORY:]
        self.fleets = self._moved(self.fleets, priority)

    def values(self, model: FilterModel, priority: int, deciding: Deciding) -> FloatArray:
        """Worth of every dispatch [a_g]; "posterior" is Q_κ averaged over the particles themselves."""
        if deciding != "posterior":
            return model.values(priority, self.mean, deciding)
        fleets, kind = np.unique(self.fleets, axis=0, return_inverse=True)
        weights = np.bincount(kind.ravel(), self.weights, len(fleets))
        return np.asarray(weights @ interpolate(model.q[priority], fleets * (model.kappa / self.robots), model.kappa))

    def _likelihood(self, fleets: IntArray, sample: Sample) -> FloatArray:
        """log p(sample | fleet) [particle], up to what is the same for all."""
        if not np.array_equal(sample.weights, sample.counts):
            told = sample.weights > 0
            with np.errstate(divide="ignore"):
                return np.asarray(np.log(fleets[:, told] / self.robots) @ sample.weights[told])
        left = fleets - sample.counts
        terms = self._logs[fleets] - self._logs[np.maximum(left, 0)]
        return np.asarray(np.where((left < 0).any(axis=1), -np.inf, terms.sum(axis=1)))

    def _from_prior(self, count: int) -> IntArray:
        return self._from_law(self._prior, count)

    def _from_law(self, alpha: FloatArray, count: int) -> IntArray:
        return np.asarray(self._rng.multinomial(self.robots, self._rng.dirichlet(alpha, count)), dtype=np.int64)

    def _moved(self, fleets: IntArray, priority: int) -> IntArray:
        law = self._step[priority]
        moved = np.zeros_like(fleets)
        for zone in range(fleets.shape[1]):
            moved += self._rng.multinomial(fleets[:, zone], law[zone])
        if self.rho < 1:
            lost = np.flatnonzero(self._rng.random(len(fleets)) >= self.rho)
            moved[lost] = self._from_prior(len(lost))
        return moved

    def _resample(self) -> None:
        count = len(self.weights)
        points = (self._rng.random() + np.arange(count)) / count
        chosen = np.minimum(np.searchsorted(np.cumsum(self.weights), points, "right"), count - 1)
        self.fleets, self._past = self.fleets[chosen], [fleets[chosen] for fleets in self._past]
        self.weights = np.full(count, 1 / count)

    def _rejuvenate(self, samples: Sequence[Sample]) -> None:
        count = len(self.weights)
        offered = self._moved(self._past[-1], self._priorities[-1]) if self._past else self._from_prior(count)
        gain = np.zeros(count)
        for sample in samples:
            gain += self._likelihood(offered, sample) - self._likelihood(self.fleets, sample)
        accepted = np.log(1 - self._rng.random(count)) < gain
        self.fleets = np.where(accepted[:, None], offered, self.fleets)

    def _restart(self, samples: Sequence[Sample]) -> None:
        """The prior given this tick's samples: conjugate, the robots not polled are Dirichlet–multinomial."""
        seen = sum((sample.counts for sample in samples if sample.age == 0), np.zeros(len(self._prior), np.int64))
        shares = self._rng.dirichlet(self._prior + seen, len(self.weights))
        self.fleets = seen + self._rng.multinomial(self.robots - int(seen.sum()), shares)
        self.weights = np.full(len(shares), 1 / len(shares))
        self._past, self._priorities = [], []

    def state(self) -> dict[str, Any]:
        """Particles with their forebears, their weights, and the stream of draws.

        Arrays are packed: layers newest first, by zone, without the last zone, which holds the rest of the n robots.
        """
        layers = np.stack([self.fleets, *reversed(self._past)])
        return {
            "fleets": pack(layers.transpose(0, 2, 1)[:, :-1]),
            "weights": pack(self.weights),
            "priorities": self._priorities,
            "stream": self._rng.bit_generator.state,
        }

    def believing(self, alpha: FloatArray) -> ParticleObserver:
        """A new observer whose fleets are drawn from Dirichlet(alpha) [zone], on the stream of this one."""
        new = ParticleObserver(self._step, self._prior, self.robots, self.rho, len(self.weights))
        new._rng = self._rng
        new.fleets = new._from_law(np.maximum(alpha, 1e-9), len(self.weights))
        return new

    def restored(self, state: Mapping[str, Any]) -> ParticleObserver:
        """A new observer that goes on from `state`."""
        new = ParticleObserver(self._step, self._prior, self.robots, self.rho, len(self.weights))
        new._priorities = [int(priority) for priority in state["priorities"]]
        layers = self._layers(state["fleets"], len(new._priorities) + 1)
        new.fleets, new._past = layers[0], list(reversed(layers[1:]))
        new.weights = finite(unpack(state["weights"], self.weights.shape), self.weights.shape)
        new._rng.bit_generator.state = state["stream"]
        fits = len(new._priorities) <= HISTORY and abs(new.weights.sum() - 1) < 1e-6
        if not fits or not all(0 <= priority < len(self._step) for priority in new._priorities):
            raise ValueError("out of range")
        return new

    def _layers(self, packed: Mapping[str, Any], count: int) -> list[IntArray]:
        """Fleets [particle, zone] out of `state`; raises ValueError unless all are of n robots."""
        particles, zones = self.fleets.shape
        known = unpack(packed, (count, zones - 1, particles))
        rest = self.robots - known.sum(axis=1, keepdims=True)
        if (known < 0).any() or (rest < 0).any():
            raise ValueError(f"particles that are not of {self.robots} robots")
        layers = np.concatenate([known, rest], axis=1).transpose(0, 2, 1)
        return [np.ascontiguousarray(layer, dtype=np.int64) for layer in layers]
