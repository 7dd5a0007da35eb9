"""Points that drive exactly as the traffic law says; the oracle for the world with bodies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .driving import DrivingWorld, wrapped


class KinematicWorld(DrivingWorld):
    """Integrates the traffic law's velocities exactly; needs nothing but NumPy and numba."""

    def _integrate(self, velocity: NDArray[np.float64], yaw_rate: NDArray[np.float64]) -> None:
        self._xy = self._xy + velocity * self.spec.step
        self._yaw = wrapped(self._yaw + yaw_rate * self.spec.step)
