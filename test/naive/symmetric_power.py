"""The dense symmetric power of a transition matrix: T_k[μ, ν], one robot added after the other, in plain loops."""

from __future__ import annotations

import numpy as np

from .surrogate import histograms


def dense_power(P: np.ndarray, k: int) -> np.ndarray:
    """Law of the next histogram [μ, ν] of k robots that each move by P [z, z'], in the order of `histograms`."""
    zones = len(P)
    laws: dict[tuple[int, ...], dict[tuple[int, ...], float]] = {(0,) * zones: {(0,) * zones: 1.0}}
    for m in range(1, k + 1):
        fewer, laws = laws, {}
        for mu in histograms(m, zones):
            z = next(i for i in range(zones) if mu[i] > 0)
            law: dict[tuple[int, ...], float] = {}
            for nu, chance in fewer[_changed(mu, z, -1)].items():
                for j in range(zones):
                    after = _changed(nu, j, 1)
                    law[after] = law.get(after, 0.0) + chance * P[z, j]
            laws[mu] = law
    every = histograms(k, zones)
    return np.array([[laws[mu].get(nu, 0.0) for nu in every] for mu in every])


def _changed(mu: tuple[int, ...], zone: int, by: int) -> tuple[int, ...]:
    return (*mu[:zone], mu[zone] + by, *mu[zone + 1 :])
