"""What k polled robots say of the whole fleet: posterior means over sampled fleets (math.md §7).

With fleets c_j ~ law of the fleet given s_g, each of n robots, the chance that k of them show the histogram h is
multivariate hypergeometric, Π_z C(c_jz, h_z) / C(n, k). So, of any value q of the fleet,

    E[q | h] ≈ Σ_j w_j(h) q(c_j) / Σ_j w_j(h),        w_j(h) = Π_z C(c_jz, h_z) · (k/(e·n))^h_z

(the power only keeps the numbers near 1). Every n ≥ k works, n = k included, where only the fleet equal to h is left.
A histogram that none of the sampled fleets explains has to be taken at its word: one more fleet, in the proportions of
h itself, joins every sum with a small weight.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray

from ..threads import run_all

DOUBT = 1e-3  # weight of the fleet that looks like the sample, in units of all sampled fleets
ROWS = 20_000  # histograms per piece of work


def posterior_mean(
    histograms: IntArray,
    fleets: IntArray,
    values: FloatArray,
    at_word: FloatArray,
    prior: FloatArray | None = None,
    doubt: float = DOUBT,
) -> FloatArray:
    """E[value | h] for every histogram [h, zone] of k robots, float64 [h, a].

    Args:
        histograms: int64 [h, zone], in lexicographic order for speed; any order is right.
        fleets: int64 [j, zone], each of n robots.
        values: float64 [j, a], of each fleet.
        at_word: float64 [h, a], of a fleet that looks just like the histogram.
        prior: weight of each fleet [j], summing to 1; equal by default.
        doubt: weight of `at_word` beside that 1. With 0, a histogram that no fleet explains gives nan.
    """
    k = int(histograms[0].sum())
    likelihoods = _likelihoods(fleets, k)
    weight = np.full(len(fleets), 1 / max(len(fleets), 1)) if prior is None else np.array(prior, dtype=float)
    own = doubt * np.prod(_own_likelihoods(k)[histograms], axis=1)
    by_action = np.array(values.T, dtype=float, order="C")
    mean = np.empty(at_word.shape)

    def run(part: slice) -> None:
        _means(likelihoods, weight, by_action, histograms[part], own[part], at_word[part], mean[part])

    run_all(partial(run, slice(begin, begin + ROWS)) for begin in range(0, len(histograms), ROWS))
    return mean


def _likelihoods(fleets: IntArray, k: int) -> FloatArray:
    """C(c, m) (k/(e·n))^m, float64 [zone, m, j] for m = 0…k."""
    n = int(fleets[0].sum()) if len(fleets) else 1
    table = np.ones((fleets.shape[1], k + 1, len(fleets)))
    for m in range(k):
        table[:, m + 1] = table[:, m] * (np.maximum(fleets.T - m, 0) / n * (k / ((m + 1) * np.e)))
    return table


def _own_likelihoods(k: int) -> FloatArray:
    """The same for a zone that holds the share m/k of a very large fleet: (m/e)^m / m!, float64 [m]."""
    m = np.arange(k + 1, dtype=float)
    terms = np.where(m[:, None] > m[None, :], m[:, None] / (np.e * (m[None, :] + 1)), 1.0)
    return np.asarray(terms.prod(axis=1))


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _means(
    likelihoods: FloatArray,
    prior: FloatArray,
    values: FloatArray,
    histograms: IntArray,
    own: FloatArray,
    at_word: FloatArray,
    mean: FloatArray,
) -> None:
    """Fill mean [h, a]; values are [a, j]. Mutates `mean` only.

    Neighbouring histograms share their first counts, so the products over the first zones are kept.
    """
    zones, fleets = likelihoods.shape[0], likelihoods.shape[2]
    product = np.empty((zones + 1, fleets))
    product[0] = prior
    counted = np.full(zones, -1)
    for h in range(histograms.shape[0]):
        zone = 0
        while zone < zones and counted[zone] == histograms[h, zone]:
            zone += 1
        for z in range(zone, zones):
            counted[z] = histograms[h, z]
            for j in range(fleets):
                product[z + 1, j] = product[z, j] * likelihoods[z, counted[z], j]
        weight = product[zones]
        mass = own[h]
        for j in range(fleets):
            mass += weight[j]
        for a in range(values.shape[0]):
            total = own[h] * at_word[h, a]
            for j in range(fleets):
                total += weight[j] * values[a, j]
            mean[h, a] = total / mass if mass > 0.0 else np.nan
