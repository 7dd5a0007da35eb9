"""Fixed points of the drift and their stability by the eigenvalues of the Jacobian.

The drift is continuous and piecewise smooth: where two actions tie, max Q has a kink, and eigenvalues hold for the
side they were taken on only. Such points are marked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import root

from meanfleet.base.arrays import FloatArray

from .learners import POLICY_GRADIENT, SARSA
from .system import LearningSystem

Stability = Literal["stable", "unstable", "undecided"]
NEUTRAL = 1e-6  # relative to the largest eigenvalue: real parts this small decide nothing
SAME = 1e-5  # relative distance of fixed points that count as one
KINK = 1e-5  # relative difference of two best actions that counts as a tie


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """Where learning rests.

    Attributes:
        x: the parameters.
        residual: largest |dx/dt| there.
        eigenvalues: of the Jacobian [1/step], largest real part first.
        stability: stable when all real parts are below 0, unstable when one is above, undecided in between.
        kinked: whether a maximum ties, so that eigenvalues hold on one side only.
    """

    x: FloatArray
    residual: float
    eigenvalues: NDArray[np.complex128]
    stability: Stability
    kinked: bool

    @property
    def slowest(self) -> float:
        """Steps in which the slowest deviation shrinks (or the fastest grows) by a factor of e."""
        rate = abs(float(self.eigenvalues[0].real))
        return 1 / rate if rate > 0 else np.inf


def jacobian(system: LearningSystem, x: FloatArray, step: float = 1e-5) -> FloatArray:
    """∂drift/∂x [parameter, parameter] by central differences of `step`·max(1, |x|)."""
    size = len(x)
    J = np.empty((size, size))
    for j in range(size):
        h = step * max(1.0, abs(float(x[j])))
        ahead, behind = x.copy(), x.copy()
        ahead[j] += h
        behind[j] -= h
        J[:, j] = (system.drift(ahead) - system.drift(behind)) / (ahead[j] - behind[j])
    return J


def classify(system: LearningSystem, x: FloatArray) -> FixedPoint:
    """A fixed point with its eigenvalues; x must be one."""
    values = np.linalg.eigvals(jacobian(system, x))
    values = values[np.lexsort((values.imag, -values.real))].astype(np.complex128)
    threshold = NEUTRAL * float(np.abs(values).max(initial=0.0))
    top = float(values[0].real)
    stability: Stability = "stable" if top < -threshold else "unstable" if top > threshold else "undecided"
    return FixedPoint(x, float(np.abs(system.drift(x)).max()), values, stability, _kinked(system, x))


def find(
    system: LearningSystem,
    guesses: Iterable[FloatArray],
    tolerance: float = 1e-10,
    progress: Callable[[int], None] | None = None,
) -> list[FixedPoint]:
    """The distinct fixed points that a root search from the guesses ends in, in the order they were found.

    Args:
        guesses: parameters to search from, such as ends of paths and random tables.
        tolerance: largest |dx/dt| of a fixed point.
        progress: called with the number of guesses done.
    """
    found: list[FixedPoint] = []
    for done, guess in enumerate(guesses, start=1):
        x = polish(system, np.asarray(guess, dtype=np.float64), tolerance)
        if x is not None and index_of(found, x) is None:
            found.append(classify(system, x))
        if progress is not None:
            progress(done)
    return found


def polish(system: LearningSystem, guess: FloatArray, tolerance: float = 1e-10) -> FloatArray | None:
    """The fixed point that Powell's method reaches from a guess, or None."""
    if np.abs(system.drift(guess)).max() <= tolerance / 100:
        return guess
    # Rows differ by orders of magnitude, as rare states learn slowly: judged by their own rates, they count alike.
    rates = np.maximum(np.abs(np.diag(jacobian(system, guess))), 1e-12)

    def scaled(x: Any) -> Any:
        return system.drift(x) / rates

    with np.errstate(all="ignore"):
        x = np.asarray(root(scaled, guess, tol=1e-13).x, dtype=np.float64)
    residual = np.abs(system.drift(x))
    return x if np.isfinite(x).all() and residual.max() <= tolerance else None


def index_of(points: list[FixedPoint], x: FloatArray, within: float = SAME) -> int | None:
    """Position of the fixed point at x, or None."""
    for index, point in enumerate(points):
        if np.abs(point.x - x).max() <= within * max(1.0, float(np.abs(point.x).max())):
            return index
    return None


def _kinked(system: LearningSystem, x: FloatArray) -> bool:
    """Whether a player that takes maxima sees two best actions that tie."""
    for player, (rule, _, choices, *_) in enumerate(system.layout.shapes):
        if rule in (SARSA, POLICY_GRADIENT) or choices < 2:
            continue
        best = np.sort(system.layout.table(x, player), axis=1)
        if (best[:, -1] - best[:, -2] <= KINK * np.maximum(1.0, np.abs(best[:, -1]))).any():
            return True
    return False
