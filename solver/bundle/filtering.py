"""Deciding on a belief about the whole fleet instead of this tick's samples alone (math.md §7).

The belief is a Dirichlet law with weights α per zone. A system of κ ≥ k robots that are all seen says what each
dispatch is worth; it is asked at the fleet the belief points to. numpy alone, because dispatchers decide with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfleet.base.arrays import FloatArray
from meanfleet.base.errors import UserError

from ..histograms import count_histograms, enumerate_histograms, rank
from ..interpolation import interpolate

Deciding = Literal["nearest", "interpolated", "posterior"]
DECIDING: tuple[Deciding, ...] = get_args(Deciding)

# Adaptive forgetting: ρ of the rivals, the share of a score that a tick keeps, and the head start of the setting's ρ.
RHOS = (1.0, 0.98, 0.95, 0.9, 0.8, 0.6, 0.3)
KEEP, HEAD = 0.98, 4.0
TINY = 1e-9  # weight of a zone that the belief has ruled out: samples there are a great surprise, not an error


def surprise(alpha: ArrayLike, sample: ArrayLike) -> float:
    """How much less likely the sampled histogram [zone] is than the belief α [zone] expected, in standard units.

    With L the log-probability of the histogram under the belief (Dirichlet–multinomial), this is (E L − L)/√((S−1)/2):
    on average 0 when the belief is right, and for large samples with a deviation of about 1 (a χ²-law with S − 1
    degrees of freedom, halved). L is a sum over zones, so E L follows from every zone's own beta–binomial law.
    """
    weights, counts = np.asarray(alpha, dtype=np.float64), np.asarray(sample)
    k, total, gap = int(counts.sum()), float(weights.sum()), 0.0
    if k == 0 or len(weights) < 2:
        return 0.0
    for own, seen in zip(weights.tolist(), counts.tolist(), strict=True):
        own, other = max(own, TINY), max(total - own, TINY)
        chance, term = 1.0, 0.0  # of c robots here, up to a factor; Γ(α+c)/(Γ(α)c!) as a logarithm
        mass = mean = actual = 0.0
        for c in range(k + 1):
            if c > 0:
                chance *= (k - c + 1) / c * (own + c - 1) / (other + k - c)
                term += math.log((own + c - 1) / c)
            mass += chance
            mean += chance * term
            if c == seen:
                actual = term
        gap += mean / mass - actual
    return gap / math.sqrt((len(weights) - 1) / 2)


def rivals(rho: float, adaptive: bool = True) -> FloatArray:
    """ρ of every belief that is judged, the setting's own first [rival]; one that does not adapt has no other."""
    return np.array([rho, *(other for other in RHOS if adaptive and other != rho)])


def head_start(count: int) -> FloatArray:
    """Scores before the first sample [rival]."""
    return np.array([0.0] + [-HEAD] * (count - 1))


def forgetting(rhos: ArrayLike, scores: ArrayLike, beliefs: ArrayLike, sample: ArrayLike) -> tuple[float, FloatArray]:
    """The ρ of this tick and the new scores [rival].

    A wrong model of the robots is best met by forgetting, a right one by remembering, and which it is only samples
    tell. So beside the dispatcher's belief run rivals α_b [rival, zone] that forget by one fixed ρ_b each. None of them
    depends on the ρ that comes out, so forgetting cannot feed on itself. Each is judged by how well its mean m_b
    predicted where the k polled robots are, by squared error (Brier's score) against their shares x:

        score_b ← KEEP·score_b − k·|m_b − x|²        ρ_t = Σ_b ρ_b·exp(score_b) / Σ_b exp(score_b)

    These are exponential weights with discounted losses; Brier's score is mixable at the rate 1 that is used (Vovk and
    Zhdanov, Prediction with expert advice for the Brier game, 2009). A tick without samples leaves the scores as they
    are.

    Args:
        rhos: ρ_b, see `rivals`.
        scores: before this tick; at first `head_start`.
        beliefs: α_b before this tick's sample is added [rival, zone].
        sample: robots polled now [zone], as they count.
    """
    shares, found = np.asarray(sample, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    k = float(shares.sum())
    if k > 0 and len(found) > 1:
        alphas = np.asarray(beliefs, dtype=np.float64)
        missed = alphas / alphas.sum(axis=1, keepdims=True) - shares / k
        found = KEEP * found - k * (missed**2).sum(axis=1)
    weights = np.exp(found - found.max())
    return float(weights @ np.asarray(rhos, dtype=np.float64) / weights.sum()), found


@dataclass(frozen=True)
class FilterSetting:
    """How a dispatcher with a belief runs best when it polls k robots.

    Attributes:
        rho: share of the belief that survives a tick, in (0, 1].
        deciding: how Q_κ is asked, see `FilterModel.values`.
        fleet: what that earned in the n-robot system: mean, error, rollouts, horizon, n and the like; JSON-ready.
        adaptive: whether ρ follows what samples tell, see `forgetting`; `rho` is then where it starts.
    """

    rho: float
    deciding: Deciding
    fleet: Mapping[str, Any]
    adaptive: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.rho <= 1:
            raise UserError(f"filter: rho = {self.rho}, expected a number above 0 and at most 1")
        if self.deciding not in DECIDING:
            raise UserError(f"filter: deciding {self.deciding!r} is unknown: expected one of {', '.join(DECIDING)}")


@dataclass(frozen=True, eq=False)
class FilterModel:
    """What a dispatcher that remembers decides with.

    Attributes:
        kappa: κ.
        q: Q_κ of the bundle's π_l, floating [s_g, h, a_g], h among the histograms of κ robots.
        prior: α per zone before the first sample.
        settings: by k, the robots polled per tick.
    """

    kappa: int
    q: NDArray[np.floating[Any]]
    prior: FloatArray
    settings: Mapping[int, FilterSetting]

    def __post_init__(self) -> None:
        zones = len(self.prior)
        if self.kappa < 1 or self.q.ndim != 3 or self.q.shape[1] != count_histograms(self.kappa, zones):
            raise UserError(f"filter: Q of κ = {self.kappa} robots over {zones} zones has shape {self.q.shape}")
        if not np.isfinite(self.q).all() or not np.isfinite(self.prior).all() or (self.prior <= 0).any():
            raise UserError("filter: Q holds numbers that are not finite, or a prior weight is not positive")
        if not self.settings or min(self.settings) < 1:
            raise UserError("filter: expected settings for some k ≥ 1")

    def setting_for(self, k: int) -> FilterSetting:
        """The setting of the largest k' ≤ k, or of the smallest there is."""
        return self.settings[max((m for m in self.settings if m <= k), default=min(self.settings))]

    def dispatch(self, priority: int, alpha: ArrayLike, deciding: Deciding) -> int:
        """The best dispatch at s_g = priority for a belief α [zone]; of equal ones the first."""
        return first_best(self.values(priority, alpha, deciding))

    def values(self, priority: int, alpha: ArrayLike, deciding: Deciding) -> FloatArray:
        """Worth of every dispatch [a_g] at s_g = priority for a belief α [zone].

        nearest: Q_κ at the histogram nearest to the mean κ·α/Σα. interpolated: Q_κ at that mean itself. posterior: the
        mean of Q_κ over κ robots drawn from a fleet that is itself drawn from the belief (Dirichlet–multinomial).
        """
        weights = np.asarray(alpha, dtype=np.float64)
        mean = self.kappa * weights / weights.sum()
        table = self.q[priority]
        if deciding == "nearest":
            return np.asarray(table[int(rank(nearest_histogram(mean)))], dtype=np.float64)
        if deciding == "interpolated":
            return np.asarray(interpolate(table, mean[None], self.kappa)[0])
        return np.asarray(self._posterior(weights) @ table, dtype=np.float64)

    def _posterior(self, alpha: FloatArray) -> FloatArray:
        """Dirichlet–multinomial law of the histograms of κ robots, float64 [h]."""
        logs = np.array(
            [[math.lgamma(a + c) - math.lgamma(a) for c in range(self.kappa + 1)] for a in np.maximum(alpha, TINY)]
        )
        total = self._multinomials + logs[np.arange(len(alpha)), self._histograms].sum(axis=1)
        law = np.exp(total - total.max())
        return np.asarray(law / law.sum())

    @cached_property
    def _histograms(self) -> NDArray[np.int64]:
        return enumerate_histograms(self.kappa, len(self.prior))

    @cached_property
    def _multinomials(self) -> FloatArray:
        """−Σ_z log h_z! per histogram."""
        logs = np.array([math.lgamma(c + 1) for c in range(self.kappa + 1)])
        return np.asarray(-logs[self._histograms].sum(axis=1))


def first_best(values: FloatArray) -> int:
    """The best of dispatches' values [a_g]; of those that are equal but for rounding the first."""
    return int(np.argmax(values >= values.max() - 1e-12 * max(1.0, float(np.abs(values).max()))))


def nearest_histogram(mean: FloatArray) -> NDArray[np.int64]:
    """The histogram [zone] nearest to real counts [zone] with a whole sum: largest remainders, first zones first."""
    low = np.floor(mean + 1e-12).astype(np.int64)
    missing = round(float(mean.sum())) - int(low.sum())
    low[np.argsort(-(mean - low), kind="stable")[:missing]] += 1
    return low
