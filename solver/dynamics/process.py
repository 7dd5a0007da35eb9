"""The noisy process of learning, many runs at once, and how far it is from the ODE.

With speed-up N every step is N times smaller and time runs N times as fast: N·t steps to time t. The paths converge to
the ODE: their distance falls as 1/√N, the bias of their mean as 1/N (arXiv 2506.21079).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from ..threads import run_all
from .dynamics import Dynamics
from .learners import Layout
from .ode import OdePath
from .process_kernels import play

MEMORY = 2 << 30  # [bytes] of recorded paths
TOGETHER = 20  # runs that a thread plays at a time


@dataclass(frozen=True, eq=False)
class Runs:
    """Paths of the process.

    Attributes:
        times: float64 [point], in units of the ODE's time.
        paths: float64 [run, point, parameter].
        speedup: N.
    """

    times: FloatArray
    paths: FloatArray
    speedup: int

    def mean(self) -> FloatArray:
        """Mean path [point, parameter]."""
        return np.asarray(self.paths.mean(axis=0), dtype=np.float64)

    def error(self) -> FloatArray:
        """Standard error of the mean path [point, parameter]; at least two runs."""
        return np.asarray(self.paths.std(axis=0, ddof=1) / np.sqrt(len(self.paths)), dtype=np.float64)

    def band(self, share: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Quantiles between which `share` of the runs lie, two [point, parameter]."""
        low, high = np.quantile(self.paths, [(1 - share) / 2, (1 + share) / 2], axis=0)
        return low, high

    def distances(self, ode: OdePath) -> FloatArray:
        """Sup-distance of every run from the ODE, over points and parameters [run]."""
        return np.asarray(np.abs(self.paths - ode.at(self.times)).max(axis=(1, 2)), dtype=np.float64)


class Playable(Protocol):
    """A learning system whose process can be played."""

    layout: Layout

    def play(self, x: FloatArray, until: IntArray, share: float, rng: np.random.Generator, path: FloatArray) -> None:
        """One run from x with `share` of the step sizes.

        Mutates `x`, `rng` and `path` [point, parameter]: x after until[point] steps.
        """


class Process:
    """The process of a `Dynamics` (a `Playable`); runs begin in states drawn from the stationary law of the start."""

    def __init__(self, dynamics: Dynamics) -> None:
        self.layout, self._dynamics = dynamics.layout, dynamics
        shapes, numbers, observation, _, rows, columns, chances, rewards = dynamics.arrays
        strides = dynamics.game.strides
        self._arrays = (shapes, numbers, observation, strides, rows, columns, chances, rewards)
        self._begin: tuple[bytes, FloatArray] | None = None

    def play(self, x: FloatArray, until: IntArray, share: float, rng: np.random.Generator, path: FloatArray) -> None:
        """One run from x; see `Playable`."""
        sums = self._start(x)
        s = min(int(np.searchsorted(sums, rng.random(), side="right")), len(sums) - 1)
        play(x, s, until, share, *self._arrays, rng, path)

    def _start(self, x: FloatArray) -> FloatArray:
        """Running sums of the stationary law at x: the same for all runs from one start."""
        begin = self._begin  # read once: runs play on several threads
        if begin is None or begin[0] != x.tobytes():
            begin = (x.tobytes(), np.cumsum(self._dynamics.state_law(x)))
            self._begin = begin
        return begin[1]


def simulate(
    process: Playable,
    start: FloatArray,
    times: ArrayLike,
    *,
    runs: int,
    speedup: int = 1,
    seed: int | tuple[int, ...] = 0,
    progress: Callable[[int], None] | None = None,
) -> Runs:
    """Play `runs` runs from `start` [parameter], recorded at `times` [point].

    Every run has a stream of its own: the same seed gives the same runs, however many there are.

    Args:
        times: ascending, from 0 on, in units of the ODE's time; recorded after round(N·t) steps.
        progress: called with the number of runs done.

    Raises:
        UserError: a number out of range, or paths that need too much memory.
    """
    t = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if runs < 1 or speedup < 1:
        raise UserError(f"{runs} runs with speed-up {speedup}: expected at least 1 of either")
    if not len(t) or not np.isfinite(t).all() or t[0] < 0 or (np.diff(t) < 0).any():
        raise UserError("times must be ascending numbers from 0 on")
    x0 = np.asarray(start, dtype=np.float64)
    if x0.shape != (process.layout.size,) or not np.isfinite(x0).all():
        raise UserError(f"the start has shape {x0.shape}: expected {process.layout.size} finite parameters")
    size = runs * len(t) * len(x0) * 8
    if size > MEMORY:
        raise UserError(f"{runs} runs of {len(t)} points need {size / 2**30:.1f} GiB: lower one of them")
    until = np.rint(speedup * t).astype(np.int64)
    paths, done = np.empty((runs, len(t), len(x0))), [0]
    seeds = np.random.SeedSequence(seed).spawn(runs)

    def run(some: range) -> None:
        for i in some:
            process.play(x0.copy(), until, 1 / speedup, np.random.default_rng(seeds[i]), paths[i])
        done[0] += len(some)
        if progress is not None:
            progress(done[0])

    run(range(1))  # compiles, and computes what all runs share, once
    run_all(partial(run, range(i, min(i + TOGETHER, runs))) for i in range(1, runs, TOGETHER))
    return Runs(t, paths, speedup)
