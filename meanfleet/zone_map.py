"""Which zone a position belongs to: polygons (pads) with the ground between them as hysteresis.

A robot is in a zone as soon as it stands on the zone's pad and stays in it until it stands on another pad,
so a robot in an aisle belongs to exactly one zone, and noise of less than an aisle's width changes nothing.
Where pads touch there is no aisle: there a margin says how deep in another pad a robot must be to have changed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .polygons import depth, inside

NOWHERE = -1
"""The zone of a robot that was never seen on a pad."""


class ZoneMap:
    """Pads as polygons in the map frame.

    Args:
        pads: one polygon per zone, float64 [corner, 2], x and y in [m], frame `map`, not self-intersecting.
        margin: [m] how deep in another pad a robot must be to leave its zone.
    """

    def __init__(self, pads: Sequence[ArrayLike], margin: float = 0.0) -> None:
        self.margin = margin
        self.pads: tuple[NDArray[np.float64], ...] = tuple(np.asarray(pad, dtype=np.float64) for pad in pads)
        if not self.pads:
            raise ValueError("a zone map needs at least one pad")
        for zone, pad in enumerate(self.pads):
            if pad.ndim != 2 or pad.shape[1] != 2 or len(pad) < 3 or not np.isfinite(pad).all():
                raise ValueError(f"pad {zone}: expected at least 3 finite corners [corner, 2], got shape {pad.shape}")

    def pad_of(self, xy: ArrayLike) -> NDArray[np.int64]:
        """Zone of the pad under each position [robot, 2], or NOWHERE between pads and for non-finite positions."""
        points = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
        zones = np.full(len(points), NOWHERE, dtype=np.int64)
        for zone in range(len(self.pads) - 1, -1, -1):
            zones[inside(self.pads[zone], points)] = zone
        return zones

    def firm(self, xy: ArrayLike) -> NDArray[np.int64]:
        """As `pad_of`, but NOWHERE where a robot of another zone would not have changed: within the margin."""
        points = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
        zones = self.pad_of(points)
        if self.margin:
            for zone in np.unique(zones[zones != NOWHERE]).tolist():
                here = np.flatnonzero(zones == zone)
                zones[here[depth(self.pads[zone], points[here]) <= self.margin]] = NOWHERE
        return zones

    def locate(self, xy: ArrayLike, previous: ArrayLike | None = None) -> NDArray[np.int64]:
        """Zone of each position [robot, 2] given the zone before (int [robot], NOWHERE if unknown).

        Between pads the previous zone holds; a robot first seen between pads is in the zone of the nearest pad corner.
        """
        points = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
        zones = self.pad_of(points)
        if previous is not None:
            before = np.broadcast_to(np.asarray(previous, dtype=np.int64), zones.shape)
            keep = (zones == NOWHERE) | self._shallow(points, zones, before)
            zones[keep] = before[keep]
        for robot in np.flatnonzero((zones == NOWHERE) & np.isfinite(points).all(axis=1)):
            zones[robot] = int(np.argmin([np.min(np.sum((pad - points[robot]) ** 2, axis=1)) for pad in self.pads]))
        return zones

    def _shallow(
        self, points: NDArray[np.float64], zones: NDArray[np.int64], before: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Which robots with a zone have come into another's pad by no more than the margin."""
        shallow = np.zeros(len(points), dtype=np.bool_)
        if self.margin:
            moved = (zones != NOWHERE) & (before != NOWHERE) & (zones != before)
            for zone in np.unique(zones[moved]).tolist():
                here = np.flatnonzero(moved & (zones == zone))
                shallow[here] = depth(self.pads[zone], points[here]) <= self.margin
        return shallow
