"""How fast the process comes to the ODE as its steps shrink: distance of paths ~ N^(−1/2), bias of their mean ~ 1/N."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from meanfleet.base.arrays import FloatArray

from .ode import OdePath
from .process import Playable, Runs, simulate

Progress = Callable[[int, int, int], None]


@dataclass(frozen=True)
class Closeness:
    """The process at one speed-up N against the ODE, over all recorded times and parameters.

    Attributes:
        speedup: N.
        distance: mean over runs of their sup-distance from the ODE.
        distance_error: its standard error.
        bias: sup-distance of the runs' mean from the ODE.
        bias_error: standard error of the mean where that is.
        bias_share: the mean's distance along that at the first N, as a share of it, noise taken out; None if covered.
    """

    speedup: int
    distance: float
    distance_error: float
    bias: float
    bias_error: float
    bias_share: float | None


@dataclass(frozen=True)
class Decay:
    """Closeness at several N, and the powers of N fitted to it; None where it cannot be told."""

    points: tuple[Closeness, ...]
    distance_power: float | None
    bias_power: float | None


def closeness(runs: Runs, ode: OdePath, first: Runs) -> Closeness:
    """One point of the decay; at least two runs. `first` are the runs at the first N, drawn from other streams."""
    distances = runs.distances(ode)
    gap, error = runs.mean() - ode.at(runs.times), runs.error()
    worst = np.unravel_index(int(np.argmax(np.abs(gap))), gap.shape)
    # A projection is linear in the noise of `gap`, so that small biases are not drowned by its square.
    pattern, noise = first.mean() - ode.at(first.times), first.error()
    size = float(np.sum(pattern**2 - noise**2))
    share = 1.0 if runs is first else float(np.sum(gap * pattern)) / size if size > 0 else 0.0
    return Closeness(
        runs.speedup,
        float(distances.mean()),
        float(distances.std(ddof=1) / np.sqrt(len(distances))),
        float(np.abs(gap[worst])),
        float(error[worst]),
        share if size > 0 else None,
    )


def decay(
    process: Playable,
    ode: OdePath,
    times: FloatArray,
    speedups: Sequence[int],
    *,
    runs: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> Decay:
    """Play `runs` runs at every N of `speedups` and compare them with the ODE.

    Args:
        progress: called with N, the number of its runs done, and the number of all.
    """
    points: list[Closeness] = []
    first: Runs | None = None
    for n in speedups:

        def told(done: int, n: int = n) -> None:
            if progress is not None:
                progress(n, done, runs)

        played = simulate(process, ode.start, times, runs=runs, speedup=n, seed=(seed, n), progress=told)
        first = first or played
        points.append(closeness(played, ode, first))
    return summarise(points)


def summarise(points: Sequence[Closeness]) -> Decay:
    """The powers of N in what was measured."""
    return Decay(
        tuple(points),
        _power([(p.speedup, p.distance) for p in points]),
        _power([(p.speedup, p.bias_share or 0.0) for p in points]),
    )


def _power(points: Sequence[tuple[int, float]]) -> float | None:
    """Slope in log–log by least squares of the points above 0, two different N at least."""
    seen = [(n, value) for n, value in points if value > 0]
    if len({n for n, _ in seen}) < 2:
        return None
    logs = np.log(np.array(seen, dtype=np.float64))
    return float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])
