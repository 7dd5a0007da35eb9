"""What Γ proves at the start law: E max_α m·α over s_g and m ~ Dirichlet (math.md §10).

Every vector is the return of a plan, so for any shares the best of them is a floor, for every number of robots. Its
mean over the start law is reported twice:

    proven     an exact sum over the histograms h of k robots: with E[m | h] = (κ + h)/(Σκ + k), convexity gives
               E max_α m·α ≥ Σ_h P(h) max_α E[m | h]·α; no draws, no error but rounding, which is taken off
    estimate   by draws of m, with its standard error; weights are calibrated to the known means of m_z and m_z², which
               takes most of the noise away
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import gammaln

from meanfleet.base.arrays import FloatArray

from ..histograms import count_histograms, enumerate_histograms
from .alphas import Alphas
from .backups import Lookahead, for_states
from .model import MeanField
from .points import start_shares, start_states

LARGEST = 400_000  # histograms of the exact sum
WORK = 4e10  # multiplications of it
PAIRS = 20_000  # draws of (s_g, m) at which a tick of lookahead is tried


@dataclass(frozen=True)
class Floor:
    """Floors at the start law, of J without end, for any number of robots.

    Attributes:
        proven: true beyond doubt, but not the best that Γ gives.
        robots: k of the exact sum behind it.
        estimate: mean over draws of what the plans in Γ, and those of one tick before them, earn.
        error: its standard error.
        vectors: estimate by Γ alone, without the tick before it.
    """

    proven: float
    robots: int
    estimate: float
    error: float
    vectors: float


class StartDraws:
    """Draws of m from the start law with weights that make the means of m_z and m_z² exact.

    Args:
        model: the fleet.
        count: draws; at least ten per zone are taken.
        seed: of the draws.
    """

    def __init__(self, model: MeanField, count: int, seed: int) -> None:
        self.model, self.count = model, max(count, 10 * model.zones)
        self.shares = start_shares(model, self.count, np.random.default_rng([seed, 17]))

    @cached_property
    def _features(self) -> FloatArray:
        """1, and m_z and m_z² less their means [draw, feature]."""
        kappa = self.model.start_concentration
        total, shares = kappa.sum(), self.shares
        squares = kappa * (kappa + 1) / (total * (total + 1))
        return np.column_stack([np.ones(self.count), shares[:, 1:] - (kappa / total)[1:], shares**2 - squares])

    @cached_property
    def weights(self) -> FloatArray:
        """Of every draw, none negative, Σ = 1 [draw]: so the estimate rises where values rise."""
        calibrated = np.linalg.pinv(self._features, rcond=1e-10)[0]
        return np.asarray(calibrated if (calibrated >= 0).all() else np.full(self.count, 1 / self.count))

    def mean(self, values: FloatArray) -> tuple[float, float]:
        """Mean over the start law of values [draw] and its standard error."""
        fit, *_ = np.linalg.lstsq(self._features, values, rcond=1e-10)
        residual = values - (self._features @ fit if np.ptp(self.weights) > 0 else values.mean())
        spread = float(np.sqrt((residual**2).sum() / (self.count - len(fit))))
        return float(self.weights @ values), spread / float(np.sqrt(self.count))

    def values(self, alphas: Alphas) -> FloatArray:
        """E over s_g of max over Γ_s of m·α [draw]."""
        per_state = np.empty((self.model.states, self.count))

        def fill(state: int) -> None:
            per_state[state] = alphas.values(state, self.shares)

        for_states(self.model.states, fill)
        return np.asarray(self.model.start_priority @ per_state)

    def floor(self, alphas: Alphas) -> float:
        """The estimate by Γ alone."""
        return float(self.weights @ self.values(alphas))


def floor_of(model: MeanField, alphas: Alphas, draws: int = 4000, seed: int = 0) -> Floor:
    """Both floors of Γ at the start law."""
    sample = StartDraws(model, draws, seed)
    plain, error = sample.mean(sample.values(alphas))
    gain, spread = lookahead_gain(model, alphas, seed)
    robots = _reach(model, alphas)
    return Floor(
        proven=proven_floor(model, alphas, robots),
        robots=robots,
        estimate=plain + gain,
        error=float(np.hypot(error, spread)),
        vectors=plain,
    )


def lookahead_gain(model: MeanField, alphas: Alphas, seed: int, pairs: int = PAIRS) -> tuple[float, float]:
    """What one tick more adds to max over Γ_s of m·α, never below 0: mean over the start law, standard error."""
    rng, lookahead = np.random.default_rng([seed, 18]), Lookahead(model, alphas)
    states, shares = start_states(model, pairs, rng), start_shares(model, pairs, rng)
    gains = np.zeros(pairs)
    lookahead.prepare()

    def fill(state: int) -> None:
        here = np.flatnonzero(states == state)
        if len(here):
            after = lookahead.backed_up(state, lookahead.choices(state, shares[here]))
            gains[here] = np.maximum((after * shares[here]).sum(axis=1) - alphas.values(state, shares[here]), 0)

    for_states(model.states, fill)
    return float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(pairs))


def _reach(model: MeanField, alphas: Alphas) -> int:
    """Robots of the largest exact sum within reach."""
    robots = 0
    while robots < 60:
        size = count_histograms(robots + 1, model.zones)
        if size > LARGEST or size * alphas.vectors.size > WORK:
            break
        robots += 1
    return robots


def proven_floor(model: MeanField, alphas: Alphas, robots: int) -> float:
    """Σ_s,h P(s) P(h) max_α E[m | h]·α over the histograms of so many robots, rounding taken off."""
    kappa, histograms = model.start_concentration, enumerate_histograms(robots, model.zones)
    law, shares = histogram_law(kappa, robots), (kappa + histograms) / (kappa.sum() + robots)
    per_state = np.empty(model.states)

    def fill(state: int) -> None:
        parts = np.array_split(np.arange(len(law)), 1 + len(law) * len(alphas.of(state)) // (1 << 22))
        per_state[state] = sum(float(law[part] @ alphas.values(state, shares[part])) for part in parts)

    for_states(model.states, fill)
    return float(model.start_priority @ per_state) - rounding(model, alphas)


def histogram_law(kappa: FloatArray, robots: int) -> FloatArray:
    """Dirichlet–multinomial law of the histogram of so many robots [h]."""
    mu = enumerate_histograms(robots, len(kappa))
    log_law = (
        gammaln(kappa.sum())
        + gammaln(robots + 1)
        - gammaln(robots + kappa.sum())
        + np.sum(gammaln(mu + kappa) - gammaln(kappa) - gammaln(mu + 1), axis=1)
    )
    law = np.exp(log_law)
    return np.asarray(law / law.sum())


def rounding(model: MeanField, alphas: Alphas) -> float:
    """Bound of what rounding adds to a vector over all its backups, each an average over zones and ends."""
    terms = model.zones + model.row_next.shape[1] + 8
    return float(np.finfo(np.float64).eps * terms * np.abs(alphas.vectors).max() / (1 - model.discount))
