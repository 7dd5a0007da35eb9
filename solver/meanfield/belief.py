"""The mean of a belief about the shares, and one number for how sure it is; cost grows with zones alone (math.md §10).

The belief's covariance is taken to be v·M(m) with M(m) = diag(m) − mᵀm, the shape that multinomial draws have: v = 1/n
when n robots have just moved from known zones, v = 1/(Σκ + 1) for Dirichlet(κ). Then Kalman's gain is one number. With
k of n robots polled without replacement, whose shares x vary about the true ones by (1 − v) M (1/k)(n − k)/(n − 1),

    update     g = v / (v + (1 − v)(1/k)(n − k)/(n − 1)),   m ← m + g (x − m),   v ← (1 − g) v / (1 − g v)
    predict    m' = m P̃,   v' = [ v (Σ_z m_z|P_z|² − |m'|²) + (1/n)(1 − Σ_z m_z|P_z|²) ] / (1 − |m'|²) + drift

where v is taken relative to M at the new mean, whose expectation is (1 − g v) M at the old one. The covariance after a
step has the right trace: what was unsure mixes, and n robots that move by chance add
noise. `drift` stands for what the model does not know. For n → ∞ and a Dirichlet law the update is Bayes' rule.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from meanfleet.base.arrays import FloatArray

LEAST = 1e-12  # of v, and of 1 − |m|²: all robots in one zone


class Belief(NamedTuple):
    """Expected shares per zone [z], and v in (0, 1]."""

    mean: FloatArray
    v: float


def start_belief(kappa: FloatArray, robots: float = math.inf) -> Belief:
    """Of n robots drawn from shares m ~ Dirichlet(κ)."""
    total = float(kappa.sum())
    v = 1 / (total + 1)
    return Belief(np.asarray(kappa / total), v + (1 - v) / robots)


def updated(belief: Belief, counts: FloatArray, robots: float = math.inf) -> Belief:
    """The belief after k of n robots told their zones: counts [z], Σ = k; nobody polled changes nothing."""
    k = float(counts.sum())
    if k <= 0:
        return belief
    left = 1.0 if math.isinf(robots) else max(robots - k, 0.0) / max(robots - 1, 1)
    noise = (1 - belief.v) * left / k
    gain = belief.v / max(belief.v + noise, LEAST)
    mean = belief.mean + gain * (counts / k - belief.mean)
    return Belief(
        np.maximum(mean, 0.0) / np.maximum(mean, 0.0).sum(),
        max((1 - gain) * belief.v / max(1 - gain * belief.v, LEAST), LEAST),
    )


def predicted(belief: Belief, step: FloatArray, robots: float = math.inf, drift: float = 0.0) -> Belief:
    """The belief a tick later, robots having moved by P̃ = step [z, z']."""
    mean = belief.mean @ step
    stays = float(belief.mean @ (step * step).sum(axis=1))
    spread = 1 - float(mean @ mean)
    if spread < LEAST:
        return Belief(mean, min(belief.v + drift, 1.0))
    v = (belief.v * (stays - float(mean @ mean)) + (1 - stays) / robots) / spread
    return Belief(mean, float(np.clip(v + drift, LEAST, 1.0)))
