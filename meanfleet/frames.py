"""Poses of frames that stand still in the map frame, turned into poses of the map frame. No ROS."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .floor_config import FramesConfig

PlanarPose = tuple[float, float, float]
"""x, y [m] and yaw [rad]."""


class Frames:
    """Which frames a pose may come in.

    An empty frame id says nothing, so such a pose is taken to be in the map frame.

    Args:
        spec: the map frame's id, and where other frames have their origin in it.
    """

    def __init__(self, spec: FramesConfig) -> None:
        self.map, self._origins = spec.map, dict(spec.static)

    def to_map(self, frame: str, pose: PlanarPose) -> PlanarPose | None:
        """The pose in the map frame: turned by the origin's yaw, then moved; None if the frame is not known."""
        if frame in ("", self.map):
            return pose
        origin = self._origins.get(frame)
        if origin is None:
            return None
        x, y, yaw = pose
        cos, sin = math.cos(origin[2]), math.sin(origin[2])
        turned = math.remainder(yaw + origin[2], 2 * math.pi)
        return origin[0] + cos * x - sin * y, origin[1] + sin * x + cos * y, turned

    def positions(self, frame: str, xy: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Positions [message, 2] of one frame in the map frame, as `to_map`; None if the frame is not known."""
        if frame in ("", self.map):
            return xy
        origin = self._origins.get(frame)
        if origin is None:
            return None
        cos, sin = math.cos(origin[2]), math.sin(origin[2])
        placed: NDArray[np.float64] = np.array(origin[:2]) + xy @ np.array([[cos, sin], [-sin, cos]])
        return placed
