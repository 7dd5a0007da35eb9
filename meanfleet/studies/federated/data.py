"""Scikit-learn's digits, split over clients that each hold few of the ten labels.

The split is that of McMahan et al. (2017, arXiv 1602.05629): sort by label, cut into clients·shards pieces of nearly
equal size, deal each client `shards` of them at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

LABELS = 10
BRIGHTEST = 16.0  # of a pixel in scikit-learn's digits


@dataclass(frozen=True, eq=False)
class Clients:
    """The data of all clients, padded to the largest.

    Attributes:
        x: float64 [client, sample, feature], the last feature is 1; 0 where padded.
        y: float64 [client, sample, label], one-hot; 0 where padded.
        weight: float64 [client, sample], 1/size of the client; 0 where padded. Rows sum to 1.
        size: int64 [client], samples.
    """

    x: FloatArray
    y: FloatArray
    weight: FloatArray
    size: IntArray


@dataclass(frozen=True, eq=False)
class Split:
    """Clients, and the server's test set: features float64 [sample, feature], labels int64 [sample]."""

    clients: Clients
    test_x: FloatArray
    test_y: IntArray


def digits() -> tuple[FloatArray, IntArray]:
    """All 1797 digits: features [sample, 65] with pixels in [0, 1] and a last feature 1, labels [sample].

    Raises:
        UserError: scikit-learn, whose package holds the data, is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise UserError("the digits come with scikit-learn: pip install 'meanfleet[federated]'") from None
    pixels, labels = load_digits(return_X_y=True)
    return with_constant(np.asarray(pixels, dtype=np.float64) / BRIGHTEST), np.asarray(labels, dtype=np.int64)


def with_constant(features: FloatArray) -> FloatArray:
    """A column of ones appended to [sample, feature]."""
    return np.column_stack([features, np.ones(len(features))])


def deal(labels: IntArray, clients: int, shards: int, rng: np.random.Generator) -> list[IntArray]:
    """Indices of the samples of every client; together a partition of all samples.

    Raises:
        UserError: fewer samples than shards, so that some client would be left without.
    """
    pieces = clients * shards
    if len(labels) < pieces:
        raise UserError(
            f"{clients} clients with {shards} shards each need {pieces} samples, but there are {len(labels)}: "
            "lower federated.clients or federated.shards"
        )
    shuffled = rng.permutation(len(labels))  # among equal labels, chance decides
    cut = np.array_split(shuffled[np.argsort(labels[shuffled], kind="stable")], pieces)
    hands = rng.permutation(pieces).reshape(clients, shards)
    return [np.concatenate([cut[piece] for piece in hand]) for hand in hands]


def split(
    x: FloatArray, labels: IntArray, clients: int, shards: int, test_share: float, rng: np.random.Generator
) -> Split:
    """A random test set for the server, the rest dealt to the clients.

    Raises:
        UserError: too few samples for so many clients.
    """
    order = rng.permutation(len(labels))
    held = round(test_share * len(labels))
    test, train = order[:held], order[held:]
    hands = [train[hand] for hand in deal(labels[train], clients, shards, rng)]
    return Split(gathered(x, labels, hands), x[test], labels[test])


def gathered(x: FloatArray, labels: IntArray, hands: list[IntArray]) -> Clients:
    """Samples of every client as padded arrays."""
    size = np.array([len(hand) for hand in hands], dtype=np.int64)
    shape = (len(hands), int(size.max()))
    features, targets, weight = np.zeros((*shape, x.shape[1])), np.zeros((*shape, LABELS)), np.zeros(shape)
    for i, hand in enumerate(hands):
        features[i, : len(hand)] = x[hand]
        targets[i, np.arange(len(hand)), labels[hand]] = 1.0
        weight[i, : len(hand)] = 1 / len(hand)
    return Clients(features, targets, weight, size)
