"""Compiled particles over count vectors of the whole fleet, for rollouts by the thousand.

The same rule of inference as `meanfleet.dispatcher_node.observers.particle`, and where every zone can be reached the
same random numbers in the same order, so that both believe the same, draw by draw. Samples are of the tick they arrive
in, and every robot counts 1.

    predict    every robot of every particle moves by P̃[s_g]; with probability 1 − ρ a particle starts anew
    update     weight ← weight · Π_z c_z! / (c_z − x_z)!;     1/Σ weight² < half of the particles: draw them again,
               then offer each another move from its forebear, accepted by Metropolis' rule
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray

from .kernels import scatter


class Cloud(NamedTuple):
    """Particles, with room to work in.

    Attributes:
        fleets: robots per zone, int64 [particle, zone].
        past: the same one tick ago.
        offered: scratch [particle, zone].
        shares: scratch, float64 [particle, zone].
        weights: float64 [particle], summing to 1.
        scores: scratch [particle].
    """

    fleets: IntArray
    past: IntArray
    offered: IntArray
    shares: FloatArray
    weights: FloatArray
    scores: FloatArray


def log_factorials(n: int) -> FloatArray:
    """log m!, float64 [m] for m = 0…n."""
    return np.asarray(np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))]))


@njit(cache=True, nogil=True)
def new_cloud(particles: int, zones: int) -> Cloud:
    """Room for particles; `restart` fills it."""
    return Cloud(
        np.zeros((particles, zones), np.int64),
        np.zeros((particles, zones), np.int64),
        np.zeros((particles, zones), np.int64),
        np.zeros((particles, zones)),
        np.zeros(particles),
        np.zeros(particles),
    )


@njit(cache=True, nogil=True)
def restart(cloud: Cloud, n: int, prior: FloatArray, sample: IntArray, rng: np.random.Generator) -> None:
    """The prior [zone] given a sample [zone], which may be empty. Mutates the cloud and `rng`."""
    _anew(cloud.fleets, cloud.fleets.shape[0], n, prior, sample, cloud.shares, rng)
    cloud.weights[:] = 1 / cloud.weights.shape[0]


@njit(cache=True, nogil=True)
def _anew(
    out: IntArray,
    count: int,
    n: int,
    prior: FloatArray,
    sample: IntArray,
    shares: FloatArray,
    rng: np.random.Generator,
) -> None:
    """Fill the first `count` rows of `out`: a sample, and the rest of n robots Dirichlet–multinomial.

    Mutates `out`, `shares` and `rng`.
    """
    zones = prior.shape[0]
    for p in range(count):
        total = 0.0
        for z in range(zones):
            shares[p, z] = rng.standard_gamma(prior[z] + sample[z])
            total += shares[p, z]
        scale = 1 / total if total > 0.0 else 0.0
        for z in range(zones):
            shares[p, z] *= scale
    for p in range(count):
        out[p] = sample
        scatter(n - sample.sum(), shares[p], rng, out[p])


@njit(cache=True, nogil=True)
def _moved(
    source: IntArray,
    drift: FloatArray,
    rho: float,
    n: int,
    prior: FloatArray,
    cloud: Cloud,
    rng: np.random.Generator,
    out: IntArray,
) -> None:
    """Fill `out` [particle, zone] with `source` one tick later under P̃ [z, z'].

    Mutates `out`, `rng`, and `shares` and `scores` of the cloud; `out` must not be `source`.
    """
    particles, zones = source.shape
    out[:] = 0
    for z in range(zones):
        for p in range(particles):
            scatter(source[p, z], drift[z], rng, out[p])
    if rho >= 1.0:
        return
    lost = 0
    for p in range(particles):
        if rng.random() >= rho:
            cloud.scores[lost] = p
            lost += 1
    none, fresh = np.zeros(zones, np.int64), np.empty((lost, zones), np.int64)
    _anew(fresh, lost, n, prior, none, cloud.shares, rng)
    for i in range(lost):
        out[int(cloud.scores[i])] = fresh[i]


@njit(cache=True, nogil=True)
def predict_particles(
    cloud: Cloud, drift: FloatArray, rho: float, n: int, prior: FloatArray, rng: np.random.Generator
) -> None:
    """One tick under P̃ [z, z']. Mutates the cloud and `rng`."""
    cloud.past[:] = cloud.fleets
    _moved(cloud.past, drift, rho, n, prior, cloud, rng, cloud.fleets)


@njit(cache=True, nogil=True)
def _likelihood(fleet: IntArray, sample: IntArray, logs: FloatArray) -> float:
    """log Π_z c_z! / (c_z − x_z)!, −∞ for an impossible sample."""
    total = 0.0
    for z in range(fleet.shape[0]):
        if fleet[z] < sample[z]:
            return -np.inf
        total += logs[fleet[z]] - logs[fleet[z] - sample[z]]
    return total


@njit(cache=True, nogil=True)
def update_particles(
    cloud: Cloud,
    sample: IntArray,
    logs: FloatArray,
    known: bool,
    drift: FloatArray,
    rho: float,
    n: int,
    prior: FloatArray,
    rng: np.random.Generator,
) -> bool:
    """Take a sample [zone] in. Mutates the cloud and `rng`.

    Args:
        logs: `log_factorials(n)`.
        known: whether the particles have forebears, who moved by `drift` P̃ [z, z'].

    Returns:
        The new `known`: False if no particle explained the sample, so that the belief began anew.
    """
    if sample.sum() == 0:
        return known
    particles, best, total = cloud.weights.shape[0], -np.inf, 0.0
    for p in range(particles):
        own = math.log(cloud.weights[p]) if cloud.weights[p] > 0.0 else -np.inf
        cloud.scores[p] = own + _likelihood(cloud.fleets[p], sample, logs)
        best = max(best, cloud.scores[p])
    if best == -np.inf:
        restart(cloud, n, prior, sample, rng)
        return False
    for p in range(particles):
        cloud.weights[p] = math.exp(cloud.scores[p] - best)
        total += cloud.weights[p]
    squares = 0.0
    for p in range(particles):
        cloud.weights[p] /= total
        squares += cloud.weights[p] ** 2
    if 1 / squares < particles / 2:
        _resample(cloud, rng)
        _rejuvenate(cloud, sample, logs, known, drift, rho, n, prior, rng)
    return known


@njit(cache=True, nogil=True)
def _resample(cloud: Cloud, rng: np.random.Generator) -> None:
    """Draw the particles again, systematically, with their forebears. Mutates the cloud and `rng`."""
    particles, source, reached = cloud.weights.shape[0], 0, cloud.weights[0]
    start = rng.random()
    for p in range(particles):
        while source < particles - 1 and reached <= (start + p) / particles:
            source += 1
            reached += cloud.weights[source]
        cloud.offered[p] = cloud.fleets[source]
        cloud.scores[p] = source
    cloud.fleets[:] = cloud.offered
    for p in range(particles):
        cloud.offered[p] = cloud.past[int(cloud.scores[p])]
    cloud.past[:] = cloud.offered
    cloud.weights[:] = 1 / particles


@njit(cache=True, nogil=True)
def _rejuvenate(
    cloud: Cloud,
    sample: IntArray,
    logs: FloatArray,
    known: bool,
    drift: FloatArray,
    rho: float,
    n: int,
    prior: FloatArray,
    rng: np.random.Generator,
) -> None:
    """Offer each particle another move from its forebear, or another draw from the prior. Mutates cloud and `rng`."""
    particles = cloud.weights.shape[0]
    if known:
        _moved(cloud.past, drift, rho, n, prior, cloud, rng, cloud.offered)
    else:
        _anew(cloud.offered, particles, n, prior, np.zeros_like(sample), cloud.shares, rng)
    for p in range(particles):
        gain = _likelihood(cloud.offered[p], sample, logs) - _likelihood(cloud.fleets[p], sample, logs)
        if math.log(1 - rng.random()) < gain:
            cloud.fleets[p] = cloud.offered[p]


@njit(cache=True, nogil=True)
def mean_fleet(cloud: Cloud, mean: FloatArray) -> None:
    """Expected robots per zone. Mutates `mean` [zone]."""
    mean[:] = 0.0
    for p in range(cloud.weights.shape[0]):
        for z in range(mean.shape[0]):
            mean[z] += cloud.weights[p] * cloud.fleets[p, z]
