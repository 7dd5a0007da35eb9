"""What every observer does in a tick, and what it says of its belief.

observer.update([Sample(…), …])              what the polled robots told, now or some ticks ago
observer.values(model, priority, deciding)   what each dispatch is worth under the belief
observer.predict(priority)                   the fleet moves under s_g(t)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.solver import Game
from meanfleet.solver.bundle.filtering import Deciding, FilterModel

HISTORY = 8  # ticks: older samples are dropped


@dataclass(frozen=True, eq=False)
class Sample:
    """Zones of polled robots, all true at the same tick.

    Attributes:
        counts: int64 [zone], robots.
        weights: float64 [zone], what they count after the sampling design's reweighting.
        age: ticks since then; 0 is this tick.
    """

    counts: IntArray
    weights: FloatArray
    age: int = 0

    @classmethod
    def of(cls, counts: ArrayLike, age: int = 0) -> Sample:
        """A sample in which every robot counts 1."""
        whole = np.asarray(counts, dtype=np.int64)
        return cls(whole, whole.astype(np.float64), age)


@dataclass(frozen=True)
class Belief:
    """A belief about the fleet as plain numbers.

    Attributes:
        alpha: Dirichlet weight per zone; for particles the Dirichlet law with their mean and total variance.
        mean: expected share of the fleet per zone.
        entropy: [nats] of the zone of one robot taken at random, −Σ mean·log mean.
        effective: how many robots, all polled now, would say as much: Σ alpha.
        surprise: how much less likely the tick's samples were than expected, in standard units (`filtering.surprise`).
        rho: ρ of this tick.
    """

    alpha: tuple[float, ...]
    mean: tuple[float, ...]
    entropy: float
    effective: float
    surprise: float
    rho: float


class Observer(Protocol):
    """A belief about the counts of robots per zone."""

    @property
    def alpha(self) -> FloatArray:
        """Dirichlet weights of the belief [zone]; a sum of 0 knows nothing."""

    @property
    def surprise(self) -> float:
        """Of the last update; 0 if it brought no sample of its own tick."""

    @property
    def rho(self) -> float:
        """ρ with which the next `predict` forgets."""

    @property
    def reach(self) -> int:
        """Age in ticks of the oldest sample that can still be taken in."""

    def update(self, samples: Sequence[Sample]) -> None:
        """Take in the samples of a tick, none older than `reach`; call it once per tick, with none as well."""

    def predict(self, priority: int) -> None:
        """Let the fleet move for one tick under s_g = priority."""

    def values(self, model: FilterModel, priority: int, deciding: Deciding) -> FloatArray:
        """Worth of every dispatch [a_g] at s_g = priority."""

    def state(self) -> dict[str, Any]:
        """All that the belief is, JSON-ready."""

    def restored(self, state: Mapping[str, Any]) -> Observer:
        """A new observer that goes on from `state`.

        Raises:
            ValueError, KeyError or TypeError: it is no state of such an observer.
        """


def belief_of(observer: Observer) -> Belief:
    """The observer's belief as plain numbers; a belief that knows nothing has equal shares."""
    alpha = observer.alpha
    total = float(alpha.sum())
    mean = alpha / total if total > 0 else np.full(len(alpha), 1 / len(alpha))
    seen = mean[mean > 0]
    entropy = max(float(-(seen * np.log(seen)).sum()), 0.0)
    return Belief(
        tuple(alpha.tolist()), tuple(mean.tolist()), entropy, total, float(observer.surprise), float(observer.rho)
    )


def fleet_step(game: Game, local_policy: FloatArray) -> FloatArray:
    """P̃[s_g][z, z'] = Σ_a π_l(a|z, s_g) P_l(z'|z, s_g, a), float64 [s_g, z, z'] (math.md §2)."""
    return np.asarray(np.einsum("zsa,zsay->szy", local_policy, game.P_l))


def finite(values: Any, shape: tuple[int, ...]) -> FloatArray:
    """A restored array; raises ValueError unless it has the shape and holds non-negative numbers."""
    array = np.array(values, dtype=np.float64).reshape(shape)
    if not np.isfinite(array).all() or (array < 0).any():
        raise ValueError("expected non-negative numbers")
    return array
