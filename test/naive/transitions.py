"""Transition matrices that try a factorisation: plain, sticky, with zeros, permutations, equal rows, small pivots."""

from __future__ import annotations

import numpy as np

KINDS = ("dense", "sticky", "zeros", "permutation", "equal rows", "small pivot", "absorbing")


def transition(seed: int, zones: int, kind: str) -> np.ndarray:
    """A row-stochastic P [z, z'] of the named kind."""
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.ones(zones), size=zones)
    if kind == "sticky":
        P = 0.8 * np.eye(zones) + 0.2 * P
    elif kind == "zeros":
        P = np.where(rng.random((zones, zones)) < 0.5, 0.0, P)
        P[np.arange(zones), rng.integers(zones, size=zones)] += 0.1
    elif kind == "permutation":
        P = np.eye(zones)[rng.permutation(zones)]
    elif kind == "equal rows":
        P[-1] = P[0]
    elif kind == "small pivot":
        P[0, 0] = 1e-12
        P[-1, -1] = 0.0 if zones > 1 else 1.0
    elif kind == "absorbing":
        P[:] = 0.0
        P[:, int(rng.integers(zones))] = 1.0
    return P / P.sum(axis=1, keepdims=True)
