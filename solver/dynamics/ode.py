"""The ODE dx/dt = drift(x): what learning does when steps are small (math.md §9).

Convergence of the rescaled process to it: arXiv 2506.21079. Time is in learning steps at the learners' own step size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from meanfleet.base.arrays import FloatArray
from meanfleet.base.errors import UserError

from .system import LearningSystem

Ending = Literal["duration", "fixed point", "blow-up"]
Method = Literal["RK45", "DOP853", "LSODA", "BDF", "Radau"]
BLOW_UP = 1e6  # times 1 + the largest parameter at the start


@dataclass(frozen=True, eq=False)
class OdePath:
    """One solution.

    Attributes:
        start: x at time 0 [parameter].
        end: x at `time` [parameter].
        time: when it ended [steps].
        ending: why: the duration was over, |dx/dt| fell to the tolerance, or x left all bounds.
        evaluations: calls of the drift.
    """

    start: FloatArray
    end: FloatArray
    time: float
    ending: Ending
    evaluations: int
    _between: Callable[[Any], Any] | None

    def at(self, times: ArrayLike) -> FloatArray:
        """x at the given times [time, parameter]: after a fixed point it stays, after a blow-up it is NaN."""
        t = np.atleast_1d(np.asarray(times, dtype=np.float64))
        inside = np.clip(t, 0.0, self.time)
        found = np.tile(self.end, (len(t), 1)) if self._between is None else np.array(self._between(inside).T)
        if self.ending == "blow-up":
            found[t > self.time] = np.nan
        return np.asarray(found, dtype=np.float64)


class _Ending:
    """An event of scipy that ends the work when its value falls through 0."""

    terminal = True
    direction = -1.0

    def __init__(self, value: Callable[[float, FloatArray], float]) -> None:
        self.value = value

    def __call__(self, t: float, x: FloatArray) -> float:
        return self.value(t, x)


def integrate(
    system: LearningSystem,
    start: FloatArray,
    duration: float,
    *,
    still: float = 1e-8,
    rtol: float = 1e-8,
    atol: float = 1e-8,
    method: Method = "DOP853",
    check: Callable[[float], None] | None = None,
) -> OdePath:
    """Solve the ODE from `start` [parameter] until `duration`, a fixed point or a blow-up.

    Args:
        still: largest |dx/dt| that counts as a fixed point [parameter per step].
        check: called with the time after every step; it may raise to end the work.

    Raises:
        UserError: a start that does not fit, a duration that is none, or a drift that cannot be computed.
    """
    x0 = np.array(start, dtype=np.float64)
    if x0.shape != (system.layout.size,) or not np.isfinite(x0).all():
        raise UserError(f"the start has shape {x0.shape}: expected {system.layout.size} finite parameters")
    if not 0 < duration < np.inf:
        raise UserError(f"duration is {duration}: expected a number of steps above 0")
    bound = BLOW_UP * (1 + float(np.abs(x0).max()))
    if not np.isfinite(system.drift(x0)).all():
        raise UserError(
            "the drift at the start is not finite: an action's chance is 0 in floating point; raise epsilon or tau"
        )
    if np.abs(system.drift(x0)).max() <= still:
        return OdePath(x0, x0, 0.0, "fixed point", 2, None)

    def slope(_: float, x: FloatArray) -> FloatArray:
        return system.drift(x)

    def moves(t: float, x: FloatArray) -> float:
        if check is not None:
            check(t)
        return float(np.abs(system.drift(x)).max()) - still

    def bounded(_: float, x: FloatArray) -> float:
        return bound - float(np.abs(x).max())

    solved = solve_ivp(
        slope,
        (0.0, float(duration)),
        x0,
        method=method,
        rtol=rtol,
        atol=atol,
        dense_output=True,
        events=(_Ending(moves), _Ending(bounded)),
    )
    if solved.status < 0 or not np.isfinite(solved.y[:, -1]).all():
        raise UserError(f"the ODE could not be followed beyond step {solved.t[-1]:.6g}: {solved.message}")
    ending: Ending = "duration"
    if solved.status == 1:
        ending = "fixed point" if solved.t_events is not None and len(solved.t_events[0]) else "blow-up"
    return OdePath(x0, solved.y[:, -1], float(solved.t[-1]), ending, int(solved.nfev), solved.sol)
