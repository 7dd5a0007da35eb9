"""Which zone a position belongs to: polygons (pads) with the ground between them as hysteresis.

A robot is in a zone as soon as it stands on the zone's pad and stays in it until it stands on another pad,
so a robot in an aisle belongs to exactly one zone, and noise of less than an aisle's width changes nothing.
Where pads touch there is no aisle: there a margin says how deep in another pad a robot must be to have changed.
A robot farther from all pads than any way between them leads is in no zone, until it is back.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .polygons import depth, distance, inside

NOWHERE = -1
"""The zone of a robot that was never seen, or is outside all zones."""


class ZoneMap:
    """Pads as polygons in the map frame.

    Args:
        pads: one polygon per zone, float64 [corner, 2], x and y in [m], frame `map`, not self-intersecting.
        margin: [m] how deep in another pad a robot must be to leave its zone.
        limit: [m] from the nearest pad's edge, beyond which a robot is in no zone; None: `widest`.
    """

    def __init__(self, pads: Sequence[ArrayLike], margin: float = 0.0, limit: float | None = None) -> None:
        self.margin, self._limit = margin, limit
        self.pads: tuple[NDArray[np.float64], ...] = tuple(np.asarray(pad, dtype=np.float64) for pad in pads)
        if not self.pads:
            raise ValueError("a zone map needs at least one pad")
        for zone, pad in enumerate(self.pads):
            if pad.ndim != 2 or pad.shape[1] != 2 or len(pad) < 3 or not np.isfinite(pad).all():
                raise ValueError(f"pad {zone}: expected at least 3 finite corners [corner, 2], got shape {pad.shape}")

    @cached_property
    def limit(self) -> float:
        """[m] from the nearest pad's edge, beyond which a robot is in no zone."""
        return self.widest if self._limit is None else self._limit

    @cached_property
    def widest(self) -> float:
        """[m] the widest gap between any two pads, or the longest pad's diagonal if that is more.

        A straight way between pads is never farther from them than half of it; the rest is for detours.
        """
        corners, sizes = np.concatenate(self.pads), [len(pad) for pad in self.pads]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        # Pads do not overlap, so that they are closest where one of the two has a corner.
        gaps = np.array([np.minimum.reduceat(distance(pad, corners), starts) for pad in self.pads])
        diagonals = [float(np.linalg.norm(np.ptp(pad, axis=0))) for pad in self.pads]
        return max(float(np.minimum(gaps, gaps.T).max()), *diagonals)

    @cached_property
    def _box(self) -> NDArray[np.float64]:
        """Low and high corner of the smallest box around all pads [2, 2]."""
        corners = np.concatenate(self.pads)
        return np.stack([corners.min(axis=0), corners.max(axis=0)])

    def pad_of(self, xy: ArrayLike) -> NDArray[np.int64]:
        """Zone of the pad under each position [robot, 2], or NOWHERE between pads and for non-finite positions."""
        points = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
        zones = np.full(len(points), NOWHERE, dtype=np.int64)
        near = self._near(points, 0.0)  # of any other, products may exceed every number
        for zone in range(len(self.pads) - 1, -1, -1):
            zones[near[inside(self.pads[zone], points[near])]] = zone
        return zones

    def is_outside(self, xy: ArrayLike) -> NDArray[np.bool_]:
        """Which positions [robot, 2] are in no zone: farther than `limit` from every pad, or not finite."""
        points = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
        outside = np.ones(len(points), dtype=np.bool_)
        near = self._near(points, self.limit)
        outside[near] = False
        # A corner within the limit settles it for most; edges are looked at for the rest.
        first = np.stack([pad[0] for pad in self.pads])
        squares = np.sum((points[near, None] - first) ** 2, axis=2)
        doubtful = near[squares.min(axis=1) > self.limit**2]
        outside[doubtful] = self._depths(points[doubtful]).max(axis=1) < -self.limit
        return outside

    def _near(self, points: NDArray[np.float64], reach: float) -> NDArray[np.int64]:
        """Which points [point, 2] are within the box around all pads, `reach` [m] wider on every side."""
        low, high = self._box
        return np.flatnonzero(((points >= low - reach) & (points <= high + reach)).all(axis=1))

    def _depths(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """How deep each point is in each pad [point, pad], in [m]; negative outside: the distance to its edge."""
        return np.stack([depth(pad, points) for pad in self.pads], axis=1)

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

        Between pads the previous zone holds; a robot first seen between pads is in the zone of the nearest pad. Beyond
        `limit` it is NOWHERE. What is not finite says nothing: the previous zone holds.
        """
        points = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
        zones = self.pad_of(points)
        off = np.flatnonzero((zones == NOWHERE) & np.isfinite(points).all(axis=1))
        if previous is not None:
            before = np.broadcast_to(np.asarray(previous, dtype=np.int64), zones.shape)
            keep = (zones == NOWHERE) | self._shallow(points, zones, before)
            zones[keep] = before[keep]
        if len(off):
            outside = self.is_outside(points[off])
            zones[off[outside]] = NOWHERE
            first = off[(zones[off] == NOWHERE) & ~outside]
            zones[first] = self._depths(points[first]).argmax(axis=1)
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
