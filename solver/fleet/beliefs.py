"""Compiled beliefs about the fleet: what `solver.bundle.filtering` decides, for rollouts by the million (math.md §7).

A belief is a Dirichlet law with weights α per zone. Values are the same as those of `FilterModel.values` and
`filtering.forgetting` up to the order of sums.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray

from ..bundle.filtering import HEAD, KEEP, TINY
from ..interpolation import SNAP

NEAREST, INTERPOLATED, POSTERIOR = range(3)


class Memory(NamedTuple):
    """What a dispatcher that remembers decides with.

    Attributes:
        kappa: κ.
        q: Q_κ, float64 [s_g, h, a_g].
        ranks: `counting_table(κ, zones)`.
        histograms: all of κ robots, int64 [h, zone]; only deciding by the posterior reads them.
        prior: α [zone] before the first sample.
        drift: P̃ that the belief is predicted with, float64 [s_g, z, z'].
        rhos: ρ of every rival [rival], the setting's own first; a ρ that does not adapt has no other.
        deciding: NEAREST, INTERPOLATED or POSTERIOR.
        informed: whether it sees the whole fleet instead of a sample, and so needs no belief.
    """

    kappa: int
    q: FloatArray
    ranks: IntArray
    histograms: IntArray
    prior: FloatArray
    drift: FloatArray
    rhos: FloatArray
    deciding: int
    informed: bool


@njit(cache=True, nogil=True)
def decide(memory: Memory, s: int, alpha: FloatArray, values: FloatArray, scratch: FloatArray) -> int:
    """The best dispatch at s_g = s for a belief α [zone], of equal ones the first.

    Mutates `values` [a_g] (the worth of every dispatch) and `scratch` [3, zone].
    """
    mean = scratch[0]
    for z in range(alpha.shape[0]):
        mean[z] = memory.kappa * alpha[z] / alpha.sum()
    values[:] = 0.0
    if memory.deciding == NEAREST:
        values[:] = memory.q[s, _nearest(mean, memory.ranks, scratch[1])]
    elif memory.deciding == INTERPOLATED:
        _interpolate(memory.q[s], mean, memory.ranks, scratch[1], scratch[2], values)
    else:
        _posterior(memory.q[s], memory.histograms, alpha, memory.kappa, values)
    return first_best(values)


@njit(cache=True, nogil=True)
def first_best(values: FloatArray) -> int:
    """`filtering.first_best`."""
    best = values.max() - 1e-12 * max(1.0, np.abs(values).max())
    a = 0
    while values[a] < best:
        a += 1
    return a


@njit(cache=True, nogil=True)
def decide_by_fleets(
    memory: Memory, s: int, fleets: IntArray, weights: FloatArray, values: FloatArray, scratch: FloatArray
) -> int:
    """The best dispatch by the mean of Q_κ over fleets [j, zone] with weights [j]: "posterior" for particles.

    Mutates `values` [a_g] and `scratch` [3, zone].
    """
    values[:] = 0.0
    one = np.empty_like(values)
    for j in range(fleets.shape[0]):
        n = fleets[j].sum()
        for z in range(fleets.shape[1]):
            scratch[0, z] = fleets[j, z] * (memory.kappa / n)
        one[:] = 0.0
        _interpolate(memory.q[s], scratch[0], memory.ranks, scratch[1], scratch[2], one)
        for a in range(values.shape[0]):
            values[a] += weights[j] * one[a]
    return first_best(values)


@njit(cache=True, nogil=True)
def _nearest(mean: FloatArray, ranks: IntArray, part: FloatArray) -> int:
    """Index of the histogram nearest to real counts: largest remainders, first zones first. Mutates both vectors."""
    zones = mean.shape[0]
    total, missing = round(mean.sum()), round(mean.sum())
    for z in range(zones):
        low = math.floor(mean[z] + 1e-12)
        part[z] = mean[z] - low
        mean[z] = low
        missing -= low
    for _ in range(missing):
        z = int(np.argmax(part))
        mean[z] += 1
        part[z] = -1.0
    rest, h = total, 0
    for z in range(zones - 1):
        rest -= int(mean[z])
        h += ranks[rest, zones - z]
    return h


@njit(cache=True, nogil=True)
def _interpolate(
    q: FloatArray, mean: FloatArray, ranks: IntArray, part: FloatArray, low: FloatArray, values: FloatArray
) -> None:
    """Add Q [h, a] at real counts `mean` [zone] to `values` [a], as `interpolation` does. Mutates `part` and `low`."""
    zones, kappa = mean.shape[0], ranks.shape[0] - 1
    total, h = 0.0, 0
    for z in range(zones - 1):
        total += mean[z]
        x = min(max(total, 0.0), float(kappa))
        whole = np.rint(x)
        if abs(x - whole) < SNAP:
            x = whole
        low[z] = math.floor(x)
        part[z] = x - low[z]
        h += ranks[kappa - int(low[z]), zones - z]
    before = 1.0
    for _ in range(zones - 1):
        largest = 0
        for z in range(1, zones - 1):
            if part[z] >= part[largest]:  # of equal parts the later zone first
                largest = z
        here = part[largest]
        if here <= 0.0:
            break
        for a in range(values.shape[0]):
            values[a] += (before - here) * q[h, a]
        left = kappa - int(low[largest])
        h += ranks[left - 1, zones - largest] - ranks[left, zones - largest]
        before, part[largest] = here, -1.0
    for a in range(values.shape[0]):
        values[a] += before * q[h, a]


@njit(cache=True, nogil=True)
def _posterior(q: FloatArray, histograms: IntArray, alpha: FloatArray, kappa: int, values: FloatArray) -> None:
    """Add the Dirichlet–multinomial mean of Q [h, a] to `values` [a]; neighbours share the products of first zones."""
    zones = alpha.shape[0]
    terms, product = np.ones((zones, kappa + 1)), np.ones(zones + 1)
    scale = kappa / (math.e * alpha.sum())  # any would do: it only keeps the numbers near 1
    for z in range(zones):
        for c in range(kappa):
            terms[z, c + 1] = terms[z, c] * (alpha[z] + c) / (c + 1) * scale
    counted, law = np.full(zones, -1), np.empty(histograms.shape[0])
    for h in range(histograms.shape[0]):
        zone = 0
        while zone < zones and counted[zone] == histograms[h, zone]:
            zone += 1
        for z in range(zone, zones):
            counted[z] = histograms[h, z]
            product[z + 1] = product[z] * terms[z, counted[z]]
        law[h] = product[zones]
    values += np.dot(law, q) / law.sum()


@njit(cache=True, nogil=True)
def begin(memory: Memory, alpha: FloatArray, rivals: FloatArray, scores: FloatArray) -> None:
    """Believe the prior. Mutates `alpha` [zone], `rivals` [rival, zone] and `scores` [rival]."""
    alpha[:] = memory.prior
    rivals[:] = memory.prior
    scores[:] = -HEAD
    scores[0] = 0.0


@njit(cache=True, nogil=True)
def learn(memory: Memory, alpha: FloatArray, rivals: FloatArray, scores: FloatArray, sample: IntArray) -> float:
    """Take a sample [zone] in, and return this tick's ρ. Mutates `alpha`, and where ρ adapts `rivals` and `scores`."""
    alpha += sample
    if memory.rhos.shape[0] == 1:
        return float(memory.rhos[0])
    rho = forgetting(memory.rhos, scores, rivals, sample)
    for b in range(rivals.shape[0]):
        rivals[b] += sample
    return rho


@njit(cache=True, nogil=True)
def drift_on(memory: Memory, s: int, rho: float, alpha: FloatArray, rivals: FloatArray, scratch: FloatArray) -> None:
    """Let the fleet move under s_g = s. Mutates `alpha`, `scratch` [zone], and where ρ adapts `rivals`."""
    predict(alpha, memory.drift[s], rho, scratch)
    if memory.rhos.shape[0] > 1:
        for b in range(rivals.shape[0]):
            predict(rivals[b], memory.drift[s], memory.rhos[b], scratch)


@njit(cache=True, nogil=True)
def forgetting(rhos: FloatArray, scores: FloatArray, beliefs: FloatArray, sample: IntArray) -> float:
    """The ρ of `filtering.forgetting`. Mutates `scores` [rival]."""
    k = sample.sum()
    if k > 0:
        for b in range(rhos.shape[0]):
            total, missed = beliefs[b].sum(), 0.0
            for z in range(sample.shape[0]):
                missed += (beliefs[b, z] / total - sample[z] / k) ** 2
            scores[b] = KEEP * scores[b] - k * missed
    best, mean, mass = scores.max(), 0.0, 0.0
    for b in range(rhos.shape[0]):
        weight = math.exp(scores[b] - best)
        mean += weight * rhos[b]
        mass += weight
    return mean / mass


@njit(cache=True, nogil=True)
def predict(alpha: FloatArray, drift: FloatArray, rho: float, scratch: FloatArray) -> None:
    """α ← ρ · α P̃ with P̃ [z, z'], in all never below TINY. Mutates `alpha` and `scratch` [zone]."""
    scratch[:] = 0.0
    for z in range(alpha.shape[0]):
        for y in range(alpha.shape[0]):
            scratch[y] += alpha[z] * drift[z, y]
    for z in range(alpha.shape[0]):
        alpha[z] = max(rho * scratch[z], TINY / alpha.shape[0])
