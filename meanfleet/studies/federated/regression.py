"""Multinomial logistic regression of many clients at once.

f_i(w) = −Σ_m weight[i, m] · log softmax(x[i, m] w)[label] + l2/2 · |w|²,     w: float64 [feature, label]
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from meanfleet.base.arrays import FloatArray, IntArray

from .data import Clients


def losses(clients: Clients, who: IntArray, w: FloatArray, l2: float) -> FloatArray:
    """f_i of the clients `who` at one model [feature, label], or at one each [who, feature, label]: float64 [who]."""
    right = (clients.y[who] * log_softmax(clients.x[who] @ w, axis=-1)).sum(axis=-1)
    return np.asarray(-(clients.weight[who] * right).sum(axis=-1) + l2 / 2 * (w**2).sum(axis=(-2, -1)))


def gradients(clients: Clients, who: IntArray, w: FloatArray, l2: float) -> FloatArray:
    """∇f_i of the clients `who` at models as in `losses`: float64 [who, feature, label]."""
    return _slopes(clients.x[who], clients.y[who], clients.weight[who], w, l2)


def descend(
    clients: Clients,
    who: IntArray,
    w: FloatArray,
    steps: IntArray,
    proximal: FloatArray,
    learning_rate: float,
    l2: float,
) -> FloatArray:
    """What gradient descent from w on f_i(v) + μ_i/2·|v − w|² adds to w: [who, feature, label].

    `steps` [who] and `proximal` μ [who] may differ between clients.
    """
    order = np.argsort(-steps, kind="stable")  # those at work are always the first
    own, pull, left = who[order], proximal[order, None, None], steps[order]
    x, y, weight = clients.x[own], clients.y[own], clients.weight[own]
    update = np.zeros((len(who), *w.shape))
    for done in range(int(steps.max())):
        busy = slice(int((left > done).sum()))
        slope = _slopes(x[busy], y[busy], weight[busy], w + update[busy], l2) + pull[busy] * update[busy]
        update[busy] -= learning_rate * slope
    back = np.empty_like(update)
    back[order] = update
    return back


def _slopes(x: FloatArray, y: FloatArray, weight: FloatArray, w: FloatArray, l2: float) -> FloatArray:
    """∇f [client, feature, label] from the clients' own arrays."""
    scores = x @ w
    chance = np.exp(scores - scores.max(axis=-1, keepdims=True))
    chance /= chance.sum(axis=-1, keepdims=True)
    return np.asarray(x.transpose(0, 2, 1) @ (weight[..., None] * (chance - y)) + l2 * w)


def accuracy(x: FloatArray, labels: IntArray, w: FloatArray) -> float:
    """Share of samples whose label has the largest score."""
    return float(((x @ w).argmax(axis=1) == labels).mean())
