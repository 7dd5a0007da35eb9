"""The dispatcher's best responses in the k-robot system, and the certificates of tables played against them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray

from .alternation import Equilibrium
from .certificate import certify
from .evaluation import evaluate
from .game import Game
from .global_learning import BestDispatch, learn_exact
from .next_law import OutOfReachError
from .sampled import Parameterization, learn_sampled
from .surrogate import KRobotSystem, Surrogate
from .tuples import learn_exact_tuples

SEARCHED = 20  # robots: with more, L-LEARN is not run again for the lower end of a table's local gap


class Response(Protocol):
    """The dispatcher's best response to a π_l."""

    @property
    def table(self) -> IntArray: ...

    def certificate(self, table: IntArray) -> dict[str, Any]:
        """What is known of any table with that π_l, JSON-ready."""


@dataclass(frozen=True, eq=False)
class ExactResponse:
    """A best response with its proof.

    Attributes:
        surrogate: the k-robot system under π_l.
        best: the best response in it.
        tolerance: width to which values are proven.
        equilibrium: the pair that L-LEARN has already searched from, if this is its π_l and k.
    """

    surrogate: Surrogate
    best: BestDispatch
    tolerance: float
    equilibrium: Equilibrium | None = None

    @property
    def table(self) -> IntArray:
        """The equilibrium's own table where there is one, the best response otherwise."""
        return self.best.table if self.equilibrium is None else self.equilibrium.table

    def certificate(self, table: IntArray) -> dict[str, Any]:
        """See `Response`."""
        at_equilibrium = self.equilibrium is not None and np.array_equal(table, self.equilibrium.table)
        if self.equilibrium is not None and at_equilibrium:
            value, settled = self.equilibrium.value, self.equilibrium.settled
        else:
            value = evaluate(self.surrogate, table, self.tolerance / 8, self.best.optimal.middle)
            settled = self.surrogate.system.k > SEARCHED  # not so, but 0 is a lower bound of the gap as well
        return certify(self.surrogate, self.best, table, value, self.tolerance, settled).as_dict()


@dataclass(frozen=True, eq=False)
class SampledResponse:
    """A table learned by the paper's sampled backup: nothing is proven of it."""

    k: int
    best: BestDispatch
    samples: int
    reason: str = ""

    @property
    def table(self) -> IntArray:
        """The table learned."""
        return self.best.table

    def certificate(self, table: IntArray) -> dict[str, Any]:
        """See `Response`."""
        kind = f"estimate: sampled backup, {self.samples} draws, {self.best.optimal.backups} backups{self.reason}"
        return {"k": self.k, "global_kind": kind}


@dataclass
class Responses:
    """Best responses by k and π_l, learned when first asked for; those in `exact` with proof, others sampled."""

    game: Game
    equilibrium: Equilibrium
    tolerance: float
    exact: tuple[int, ...]
    samples: int
    seed: int
    parameterization: Parameterization = "histogram"
    _known: dict[tuple[int, bytes], Response] = field(default_factory=dict)

    def to(self, k: int, local_policy: FloatArray) -> Response:
        """The dispatcher's best response to π_l in the k-robot system."""
        key = (k, local_policy.tobytes())
        if key not in self._known:
            self._known = {key: self._learn(k, local_policy)}  # only the last: tables of many robots are large
        return self._known[key]

    def _learn(self, k: int, local_policy: FloatArray) -> Response:
        reason = ""
        if k in self.exact:
            try:
                return self._learn_exact(k, local_policy)
            except OutOfReachError as error:
                reason = f" ({error})"
        best = learn_sampled(
            self.game, local_policy, k, self.samples, seed=self.seed, parameterization=self.parameterization
        )
        return SampledResponse(k, best, self.samples, reason)

    def _learn_exact(self, k: int, local_policy: FloatArray) -> ExactResponse:
        pair, surrogate = self.equilibrium, KRobotSystem(self.game, k).under(local_policy)
        if self.parameterization == "tuple":
            best = learn_exact_tuples(self.game, local_policy, k, self.tolerance)
            return ExactResponse(surrogate, best, self.tolerance)
        if pair.surrogate.system.k == k and np.array_equal(pair.policy, local_policy):
            return ExactResponse(pair.surrogate, pair.best, self.tolerance, pair)
        return ExactResponse(surrogate, learn_exact(surrogate, self.tolerance), self.tolerance)
