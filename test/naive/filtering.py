"""Exact Bayes for tiny fleets: the law of the counts per zone, enumerated; and the Dirichlet rule in plain loops."""

from __future__ import annotations

from functools import cache
from math import comb, factorial, gamma

import numpy as np

from .surrogate import histograms

Law = dict[tuple[int, ...], float]


def dirichlet_multinomial(prior: tuple[float, ...], n: int) -> Law:
    """Counts of n robots drawn from shares that are Dirichlet(prior)."""
    total = sum(prior)
    law = {}
    for counts in histograms(n, len(prior)):
        chance = factorial(n) * gamma(total) / gamma(n + total)
        for count, weight in zip(counts, prior, strict=True):
            chance *= gamma(count + weight) / (gamma(weight) * factorial(count))
        law[counts] = chance
    return law


def hypergeometric(fleet: tuple[int, ...], sample: tuple[int, ...]) -> float:
    """Chance that robots polled without replacement out of a fleet show a histogram."""
    ways = 1
    for count, seen in zip(fleet, sample, strict=True):
        ways *= comb(count, seen)
    return ways / comb(sum(fleet), sum(sample))


def updated(law: Law, sample: tuple[int, ...]) -> Law:
    """Bayes' rule."""
    joint = {fleet: chance * hypergeometric(fleet, sample) for fleet, chance in law.items()}
    total = sum(joint.values())
    return {fleet: chance / total for fleet, chance in joint.items()}


class Moves:
    """Law of the next counts under robots that move independently by step[z][z'], added robot by robot."""

    def __init__(self, step: np.ndarray) -> None:
        self.step = step
        self.of = cache(self._of)

    def _of(self, fleet: tuple[int, ...]) -> Law:
        law: Law = {(0,) * len(fleet): 1.0}
        for zone, count in enumerate(fleet):
            for _ in range(count):
                longer: Law = {}
                for counts, chance in law.items():
                    for to in range(len(fleet)):
                        key = tuple(c + (z == to) for z, c in enumerate(counts))
                        longer[key] = longer.get(key, 0.0) + chance * float(self.step[zone, to])
                law = longer
        return law

    def predicted(self, law: Law, rho: float = 1.0, anew: Law | None = None) -> Law:
        """One tick; with probability 1 − rho the fleet is drawn anew."""
        after: Law = {}
        for fleet, chance in law.items():
            for to, step in self.of(fleet).items():
                after[to] = after.get(to, 0.0) + rho * chance * step
        for fleet, chance in (anew or {}).items():
            after[fleet] = after.get(fleet, 0.0) + (1 - rho) * chance
        return after


def mean_shares(law: Law) -> list[float]:
    """Expected share of the fleet per zone."""
    zones = len(next(iter(law)))
    return [sum(chance * fleet[z] / sum(fleet) for fleet, chance in law.items()) for z in range(zones)]


def marginal(law: Law, zone: int) -> dict[int, float]:
    """Law of the count in one zone."""
    found: dict[int, float] = {}
    for fleet, chance in law.items():
        found[fleet[zone]] = found.get(fleet[zone], 0.0) + chance
    return found


def fleet_step(P_l: np.ndarray, local_policy: np.ndarray, s: int) -> np.ndarray:
    """P̃[s] by loops."""
    zones = len(local_policy)
    step = np.zeros((zones, zones))
    for z in range(zones):
        for a in range(local_policy.shape[2]):
            for to in range(zones):
                step[z, to] += local_policy[z, s, a] * P_l[z, s, a, to]
    return step


def carried(alpha: list[float], step: np.ndarray, rho: float) -> list[float]:
    """ρ α P̃ by loops."""
    zones = range(len(alpha))
    return [rho * sum(alpha[z] * float(step[z, to]) for z in zones) for to in zones]
