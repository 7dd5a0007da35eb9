"""Policies as small networks: two tanh layers and a linear one, forward in numpy (training is in `learning/`).

The dispatcher's sees the shares of its sample per bin; the robots' sees (s_g, s_i).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.arrays import FloatArray, IntArray

from .rollouts import Decide, Robots

Layers = Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]]
"""Weights [in, out] and biases [out] of every layer."""
ROWS = 8192  # at once: their hidden units stay in the cache


def logits(layers: Layers, inputs: NDArray[np.floating]) -> NDArray[np.floating]:
    """Outputs [row, out] for inputs [row, in], in the precision of the layers."""
    last = len(layers) - 1
    result = np.empty((len(inputs), layers[last][1].shape[0]), dtype=layers[0][0].dtype)
    for first in range(0, len(inputs), ROWS):
        x = inputs[first : first + ROWS].astype(layers[0][0].dtype, copy=False)
        for index, (weights, biases) in enumerate(layers):
            x = x @ weights
            x += biases
            if index < last:
                np.tanh(x, out=x)
        result[first : first + ROWS] = x
    return result


def shares(sample: IntArray) -> FloatArray:
    """What the dispatcher's network sees of a sample [fleet, bin]."""
    return np.asarray(sample / np.maximum(sample.sum(axis=1, keepdims=True), 1))


def robot_view(places: FloatArray, priority: FloatArray) -> FloatArray:
    """What the robots' network sees, (s_g, s_i) [robot of any fleet, 2]."""
    view = np.empty((places.size, 2))
    view[:, 0] = np.repeat(priority, places.shape[1])
    view[:, 1] = places.ravel()
    return view


@dataclass(frozen=True, eq=False)
class NetworkDispatcher:
    """Steers to the bin that the network rates highest; remembers nothing."""

    layers: Layers
    k: int

    def begin(self, fleets: int, rng: np.random.Generator) -> Decide:
        """See `Dispatcher`."""
        return lambda priority, sample: np.asarray(logits(self.layers, shares(sample)).argmax(axis=1))


def greedy(layers: Layers) -> Robots:
    """Robots that make the move which the network rates highest."""

    def move(places: FloatArray, priority: FloatArray, rng: np.random.Generator) -> NDArray[np.integer]:
        rated = logits(layers, robot_view(places, priority))
        return np.asarray(rated.argmax(axis=1), dtype=np.int8).reshape(places.shape)

    return move


def drawing(layers: Layers) -> Robots:
    """Robots that draw their move from the network's probabilities."""

    def move(places: FloatArray, priority: FloatArray, rng: np.random.Generator) -> NDArray[np.integer]:
        rated = logits(layers, robot_view(places, priority))
        weight = np.cumsum(np.exp(rated - rated.max(axis=1, keepdims=True)), axis=1)
        draw = rng.random((len(weight), 1)) * weight[:, -1:]
        return np.asarray((draw >= weight[:, :-1]).sum(axis=1), dtype=np.int8).reshape(places.shape)

    return move


def fast(layers: Layers) -> Layers:
    """The same network in float32: half the time over millions of robots."""
    return [(weights.astype(np.float32), biases.astype(np.float32)) for weights, biases in layers]
