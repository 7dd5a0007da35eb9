"""Poses of frames that stand still in the map frame, turned into poses of the map frame. No ROS."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from meanfleet.config.floor import ROBOT, FramesConfig, frame_name

PlanarPose = tuple[float, float, float]
"""x, y [m] and yaw [rad]."""


class Frames:
    """Which frames a pose may come in.

    An empty frame id says nothing, so such a pose is taken to be in the map frame. A leading slash is no part of a
    frame's name.

    Args:
        spec: the map frame's id, and where other frames have their origin in it.
        robots: names that may stand for `{robot}` in a frame's name.
    """

    def __init__(self, spec: FramesConfig, robots: Iterable[str] = ()) -> None:
        self.map, self._origins = spec.map, dict(spec.static)
        names = tuple(robots)
        for template, origin in spec.static.items():
            if ROBOT in template:
                self._origins |= {template.replace(ROBOT, name): origin for name in names}

    def to_map(self, frame: str, pose: PlanarPose) -> PlanarPose | None:
        """The pose in the map frame: turned by the origin's yaw, then moved; None if the frame is not known."""
        frame = frame_name(frame)
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
        frame = frame_name(frame)
        if frame in ("", self.map):
            return xy
        origin = self._origins.get(frame)
        if origin is None:
            return None
        cos, sin = math.cos(origin[2]), math.sin(origin[2])
        with np.errstate(over="ignore", invalid="ignore"):  # positions beyond every floor are outside all zones
            placed: NDArray[np.float64] = np.array(origin[:2]) + xy @ np.array([[cos, sin], [-sin, cos]])
        return placed


NAMED = 10  # frames named at most


def refusal(frames: Mapping[str, Collection[str]]) -> str:
    """What helps where poses come in frames that are not known, as the end of a sentence.

    Args:
        frames: whose poses they are, by frame.
    """
    known = "which is neither frames.map nor in frames.static: add it there"
    if len(frames) > 1:
        known = "which are neither frames.map nor in frames.static: add them there"
    templates = {
        frame_name(frame).replace(name, ROBOT)
        for frame, names in frames.items()
        for name in names
        if name in frame_name(frame).split("/")[:-1] or frame_name(frame).startswith(f"{name}/")
    }
    if templates:
        known += f" ('{min(templates)}' stands for every robot's, with [0, 0, 0] if it is the map)"
    return known


def named(frames: Iterable[str]) -> str:
    """The frames in quotes."""
    every = [repr(frame) for frame in sorted(frames)]
    return ", ".join(every[:NAMED]) + (f" and {len(every) - NAMED} more" if len(every) > NAMED else "")
