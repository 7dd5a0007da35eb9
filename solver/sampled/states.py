"""What the sampled backup runs over: histograms, or ordered tuples by name (math.md §2)."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from ..game import Game
from ..histograms import count_histograms, counting_table, enumerate_histograms, rank
from ..tuples import check_tuples, counts_of, enumerate_tuples, mean_over_orderings
from .kernels import histogram_futures, tuple_futures

Parameterization = Literal["histogram", "tuple"]
MEMORY_BUDGET = 4 * 2**30  # [bytes] for the three arrays [s_g, state, a_g] of a backup


class States(Protocol):
    """States of the k robots; values are float64 [s_g, state].

    Attributes:
        counts: histogram of every state, int64 [state, zone].
    """

    counts: IntArray

    def futures(self, values: FloatArray, samples: int, seed: int) -> FloatArray:
        """Mean of V at `samples` draws of the next state, for every cell: float64 [s_g, state, a_g]."""

    def by_histogram(self, values: FloatArray) -> FloatArray:
        """Values [s_g, state, ...] as [s_g, h, ...]."""


class HistogramStates:
    """States are histograms in the order of `rank`; robots of one zone move by one multinomial draw."""

    def __init__(self, game: Game, local_policy: FloatArray, k: int) -> None:
        _check_size(game, k, count_histograms(k, game.zones))
        self.counts = enumerate_histograms(k, game.zones)
        self._tilde = _tilde(game, local_policy)
        self._cumulative = np.cumsum(game.P_g, axis=2)
        self._ranks = counting_table(k, game.zones)

    def futures(self, values: FloatArray, samples: int, seed: int) -> FloatArray:
        """See `States`."""
        future = _cells(self._cumulative, len(self.counts))
        histogram_futures(values, self.counts, self._tilde, self._cumulative, self._ranks, samples, seed, future)
        return future

    def by_histogram(self, values: FloatArray) -> FloatArray:
        """See `States`."""
        return values


class TupleStates:
    """States are ordered tuples in the order of `enumerate_tuples`; robots move one by one."""

    def __init__(self, game: Game, local_policy: FloatArray, k: int) -> None:
        self._tuples = enumerate_tuples(k, game.zones)
        _check_size(game, k, len(self._tuples))
        self.counts = counts_of(self._tuples, game.zones)
        self._histogram = rank(self.counts)
        self._tilde = np.cumsum(_tilde(game, local_policy), axis=2)
        self._cumulative = np.cumsum(game.P_g, axis=2)

    def futures(self, values: FloatArray, samples: int, seed: int) -> FloatArray:
        """See `States`."""
        future = _cells(self._cumulative, len(self._tuples))
        tuple_futures(values, self._tuples, self._tilde, self._cumulative, samples, seed, future)
        return future

    def by_histogram(self, values: FloatArray) -> FloatArray:
        """See `States`: the mean over orderings."""
        return mean_over_orderings(values, self._histogram)


def parameterization_named(name: str) -> Parameterization:
    """The parameterization of that name.

    Raises:
        UserError: there is none.
    """
    if name == "histogram":
        return "histogram"
    if name == "tuple":
        return "tuple"
    raise UserError(f"parameterization {name!r}: expected histogram or tuple")


def check_states(game: Game, k: int, parameterization: str) -> None:
    """Refuse what `states_of` refuses for its name or its number of ordered states, without building anything.

    Raises:
        UserError: unknown name, k < 1, or too many tuples.
    """
    if parameterization_named(parameterization) == "tuple":
        check_tuples(k, game.zones)


def states_of(game: Game, local_policy: FloatArray, k: int, parameterization: str) -> States:
    """The states by name.

    Raises:
        UserError: unknown name, k < 1, or too many states.
    """
    if k < 1:
        raise UserError(f"k = {k}: at least one robot must be polled")
    if parameterization_named(parameterization) == "tuple":
        return TupleStates(game, local_policy, k)
    return HistogramStates(game, local_policy, k)


def _check_size(game: Game, k: int, size: int) -> None:
    """Refuse a backup whose arrays would not fit `MEMORY_BUDGET`."""
    need = 3 * 8 * game.priorities * game.dispatches * size
    if need > MEMORY_BUDGET:
        raise UserError(f"k = {k}: a sampled backup over {size} states needs {need / 2**30:.0f} GiB; lower k")


def _tilde(game: Game, local_policy: FloatArray) -> FloatArray:
    return np.ascontiguousarray(np.einsum("zsa,zsay->szy", local_policy, game.P_l))


def _cells(cumulative: FloatArray, size: int) -> FloatArray:
    return np.empty((cumulative.shape[0], size, cumulative.shape[1]))
