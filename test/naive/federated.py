"""Logistic regression sample by sample, and counted transitions one by one: slow, and nothing of the product."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def loss(xs: np.ndarray, labels: Sequence[int], w: np.ndarray, l2: float) -> float:
    """Mean over the samples of log Σ_c exp(x·w_c) − x·w_label, plus l2/2 times the sum of all squared weights."""
    total = 0.0
    for x, label in zip(xs, labels, strict=True):
        scores = [sum(float(a) * float(b) for a, b in zip(x, column, strict=True)) for column in w.T]
        top = max(scores)
        total += top + math.log(sum(math.exp(score - top) for score in scores)) - scores[label]
    return total / len(labels) + l2 / 2 * sum(float(v) ** 2 for v in w.ravel())


def slope(xs: np.ndarray, labels: Sequence[int], w: np.ndarray, l2: float, step: float = 1e-5) -> np.ndarray:
    """Gradient of `loss` by central differences, one weight after the other."""
    gradient = np.zeros_like(w)
    for at in np.ndindex(*w.shape):
        up, down = w.copy(), w.copy()
        up[at] += step
        down[at] -= step
        gradient[at] = (loss(xs, labels, up, l2) - loss(xs, labels, down, l2)) / (2 * step)
    return gradient


def analytic_slope(xs: np.ndarray, labels: Sequence[int], w: np.ndarray, l2: float) -> np.ndarray:
    """Gradient of `loss` in closed form, sample by sample."""
    gradient = l2 * w
    for x, label in zip(xs, labels, strict=True):
        scores = np.exp(x @ w - max(x @ w))
        chance = scores / scores.sum()
        chance[label] -= 1
        gradient = gradient + np.outer(x, chance) / len(labels)
    return gradient


def counted(levels: np.ndarray, broadcasts: Sequence[int], moves: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Transitions [z, s, a, z'] of levels [round, client] under broadcasts [round] and moves [round, client]."""
    found = np.zeros(shape, dtype=np.int64)
    for t in range(len(levels) - 1):
        for i in range(levels.shape[1]):
            found[levels[t, i], broadcasts[t], moves[t, i], levels[t + 1, i]] += 1
    return found
