"""One logged trajectory of the k-robot system: (s_g, μ, a_g, r) tick by tick, and the state it ends in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from ..histograms import count_histograms, rank


@dataclass(frozen=True, eq=False)
class Trajectory:
    """T ticks in a row; tick t leads from state t to state t + 1.

    Attributes:
        priority: s_g, int64 [T + 1].
        histogram: μ, int64 [T + 1, zone]; every row holds the same k robots.
        dispatch: a_g, int64 [T].
        reward: r, float64 [T].
        priorities: |S_g|.
        dispatches: |A_g|.

    Raises:
        UserError: shapes that do not fit, an index out of range, a histogram that does not sum to k, a reward that is
            not a number; the message names the first offending row.
    """

    priority: IntArray
    histogram: IntArray
    dispatch: IntArray
    reward: FloatArray
    priorities: int
    dispatches: int

    def __post_init__(self) -> None:
        for name in ("priority", "histogram", "dispatch"):
            object.__setattr__(self, name, _whole(name, getattr(self, name)))
        object.__setattr__(self, "reward", _real("reward", self.reward))
        self._check_shapes()
        _check_range("priority", self.priority, self.priorities)
        _check_range("dispatch", self.dispatch, self.dispatches)
        self._check_histograms()
        if not np.isfinite(self.reward).all():
            raise UserError(f"reward[{int(np.argmin(np.isfinite(self.reward)))}] of the log is not a finite number")

    def _check_shapes(self) -> None:
        ticks = self.dispatch.shape[0] if self.dispatch.ndim == 1 else 0
        shapes = {
            "priority": (ticks + 1,),
            "histogram": (ticks + 1, *self.histogram.shape[1:2]),
            "dispatch": (ticks,),
            "reward": (ticks,),
        }
        for name, expected in shapes.items():
            actual = getattr(self, name).shape
            if actual != expected or ticks == 0 or self.histogram.ndim != 2 or self.histogram.shape[1] == 0:
                raise UserError(
                    f"{name} of the log has shape {actual}: expected priority [T + 1], histogram [T + 1, zone], "
                    "dispatch [T] and reward [T] with T at least 1"
                )

    def _check_histograms(self) -> None:
        negative = (self.histogram < 0).any(axis=1)
        if negative.any():
            raise UserError(f"histogram[{int(np.argmax(negative))}] of the log has a negative count")
        sums = self.histogram.sum(axis=1)
        if sums[0] < 1:
            raise UserError("histogram[0] of the log holds no robots: expected k of them in every row")
        if (sums != sums[0]).any():
            row = int(np.argmax(sums != sums[0]))
            raise UserError(f"histogram[{row}] of the log holds {sums[row]} robots, the first one {sums[0]}")

    @property
    def ticks(self) -> int:
        """T."""
        return len(self.dispatch)

    @property
    def k(self) -> int:
        """Robots in every histogram."""
        return int(self.histogram[0].sum())

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of Q [s_g, h, a_g]."""
        return self.priorities, count_histograms(self.k, self.histogram.shape[1]), self.dispatches

    @cached_property
    def index(self) -> IntArray:
        """Index of each row's histogram, int64 [T + 1]."""
        return rank(self.histogram)

    @cached_property
    def visits(self) -> IntArray:
        """How often each (s_g, h, a_g) was seen, int64 [s_g, h, a_g]."""
        flat = np.ravel_multi_index((self.priority[:-1], self.index[:-1], self.dispatch), self.shape)
        return np.bincount(flat, minlength=int(np.prod(self.shape))).reshape(self.shape)

    def part(self, begin: int, end: int) -> Trajectory:
        """Ticks begin … end − 1 as a trajectory of their own."""
        return replace(
            self,
            priority=self.priority[begin : end + 1],
            histogram=self.histogram[begin : end + 1],
            dispatch=self.dispatch[begin:end],
            reward=self.reward[begin:end],
        )

    @classmethod
    def from_transitions(
        cls,
        priority: ArrayLike,
        histogram: ArrayLike,
        dispatch: ArrayLike,
        reward: ArrayLike,
        next_priority: ArrayLike,
        next_histogram: ArrayLike,
        *,
        priorities: int,
        dispatches: int,
    ) -> Trajectory:
        """From rows (s_g, μ, a_g, r, s_g', μ') as the paper logs them [T] and [T, zone].

        Raises:
            UserError: as for the class, or a row does not begin where the one before it ended.
        """
        s, t = _whole("priority", priority), _whole("next_priority", next_priority)
        mu, nu = _whole("histogram", histogram), _whole("next_histogram", next_histogram)
        if s.ndim != 1 or mu.ndim != 2 or s.shape != t.shape or mu.shape != nu.shape or len(s) != len(mu) or not len(s):
            raise UserError(
                f"transitions of shapes {s.shape}, {mu.shape} → {t.shape}, {nu.shape}: "
                "expected priorities [T] and histograms [T, zone] with T at least 1"
            )
        broken = (s[1:] != t[:-1]) | (mu[1:] != nu[:-1]).any(axis=1)
        if broken.any():
            row = int(np.argmax(broken)) + 1
            raise UserError(f"transition {row} of the log does not begin where {row - 1} ended: not one trajectory")
        return cls(
            np.append(s, t[-1]),
            np.concatenate([mu, nu[-1:]]),
            _whole("dispatch", dispatch),
            _real("reward", reward),
            priorities,
            dispatches,
        )


def _whole(name: str, value: ArrayLike) -> IntArray:
    """As int64, without rounding anything."""
    array = _real(name, value)
    with np.errstate(invalid="ignore"):
        whole = array.astype(np.int64)
    if (whole != array).any():
        raise UserError(f"{name} of the log holds {array[whole != array][0]:g}: expected whole numbers")
    return whole


def _real(name: str, value: ArrayLike) -> FloatArray:
    try:
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{name} of the log is not an array of numbers") from None


def _check_range(name: str, array: IntArray, size: int) -> None:
    outside = (array < 0) | (array >= size)
    if outside.any():
        row = int(np.argmax(outside))
        raise UserError(f"{name}[{row}] of the log is {array[row]}: expected 0 to {size - 1}")
