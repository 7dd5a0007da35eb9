"""Which robots touch: discs in the plane, seen over the whole of a step, so that nobody passes through unseen.

Sort and sweep (Baraff 1992): the order by x hardly changes from step to step, so it is kept and put right by
insertion. Between two looks every disc moves along a straight line; two of them touch if the closest approach of these
lines is nearer than a diameter.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
_SKIN = 1e-3  # [m] discs this close touch: rigid bodies that push each other rest a hair apart


class Contacts:
    """Counts contacts of a fleet of discs, step by step.

    Args:
        xy: positions [robot, 2] in [m] at the start.
        diameter: of the discs [m].
        room: [m] free between discs that the layout parks side by side; they do not touch.

    Attributes:
        closest: smallest distance [m] of two centres at the end of any step.
        overlaps: pairs, summed over steps, whose centres were nearer than 0.8 diameters at its end.
        begun: contacts that began: pairs that touch within a step and did not in the one before.
        touching: pairs [pair, 2] that touched within the last step, the smaller index first, in ascending order.
    """

    def __init__(self, xy: _Floats, diameter: float, room: float) -> None:
        self._diameter, self._touch = diameter, diameter + min(_SKIN, room / 4)
        self._order = np.argsort(xy[:, 0], kind="stable")
        self._pairs = np.empty((max(len(xy), 16), 2), dtype=np.int64)
        self._codes = np.zeros(0, dtype=np.int64)
        self._robots = len(xy)
        self.closest, self.overlaps, self.begun = math.inf, 0, 0

    @property
    def touching(self) -> _Ints:
        """See the class."""
        return np.column_stack([self._codes // self._robots, self._codes % self._robots])

    def look(self, before: _Floats, after: _Floats) -> None:
        """Take in a step that led from `before` to `after` [robot, 2]; somebody lifted elsewhere starts there."""
        closest, overlaps, pairs = self._sweep(before, after)
        self.closest, self.overlaps = min(self.closest, closest), self.overlaps + overlaps
        if len(pairs) == 0 == len(self._codes):
            return
        codes = np.sort(pairs[:, 0] * self._robots + pairs[:, 1])
        self.begun += int(np.count_nonzero(~np.isin(codes, self._codes)))
        self._codes = codes

    def statistics(self) -> dict[str, Any]:
        """JSON-ready counts; distances over a diameter."""
        return {
            "min_separation": self.closest / self._diameter if math.isfinite(self.closest) else None,
            "overlaps": self.overlaps,
            "contacts": self.begun,
        }

    def _sweep(self, before: _Floats, after: _Floats) -> tuple[float, int, _Ints]:
        while True:
            closest, overlaps, found = sweep(before, after, self._order, 0.8 * self._diameter, self._touch, self._pairs)
            if found <= len(self._pairs):
                return closest, overlaps, self._pairs[:found]
            self._pairs = np.empty((2 * found, 2), dtype=np.int64)


@njit(cache=True)
def approach(ax: float, ay: float, bx: float, by: float) -> float:
    """Distance [m] from the origin to the segment from (ax, ay) to (bx, by): how near a relative motion comes."""
    dx, dy = bx - ax, by - ay
    length = dx * dx + dy * dy
    share = min(max(-(ax * dx + ay * dy) / length, 0.0), 1.0) if length > 0.0 else 0.0
    return math.hypot(ax + share * dx, ay + share * dy)


@njit(cache=True)
def _reorder(order: _Ints, x: _Floats) -> None:
    """Sort `order` by x in place; fast if it nearly is."""
    for a in range(1, len(order)):
        robot, b = order[a], a - 1
        while b >= 0 and x[order[b]] > x[robot]:
            order[b + 1] = order[b]
            b -= 1
        order[b + 1] = robot


@njit(cache=True)
def sweep(
    before: _Floats, after: _Floats, order: _Ints, overlap: float, touch: float, pairs: _Ints
) -> tuple[float, int, int]:
    """Closest distance [m] at the end of a step, pairs nearer than `overlap` [m] then, pairs that touched within it.

    Args:
        before: positions [robot, 2] at the start of the step.
        after: positions [robot, 2] at its end.
        order: robots in any order; sorted by their x in place.
        overlap: [m].
        touch: [m] distance of centres below which two robots touch.
        pairs: written, [capacity, 2]: (smaller, greater) index of the pairs that touched, as far as they fit.
    """
    n, closest, overlaps, found = len(order), np.inf, 0, 0
    left, way = np.empty(n), 0.0
    for i in range(n):
        left[i] = after[i, 0]
        way = max(way, abs(after[i, 0] - before[i, 0]))
    _reorder(order, left)
    reach = max(overlap, touch + 2 * way)  # whoever touched within the step is at most this far off in x at its end
    for a in range(n):
        i = order[a]
        x, y, was_x, was_y = after[i, 0], after[i, 1], before[i, 0], before[i, 1]
        for b in range(a + 1, n):
            j = order[b]
            if after[j, 0] - x > max(closest, reach):
                break
            ax, ay = before[j, 0] - was_x, before[j, 1] - was_y
            bx, by = after[j, 0] - x, after[j, 1] - y
            distance = math.hypot(bx, by)
            closest = min(closest, distance)
            overlaps += distance < overlap
            if min(ay, by) < touch and max(ay, by) > -touch and approach(ax, ay, bx, by) < touch:
                if found < len(pairs):
                    pairs[found, 0], pairs[found, 1] = min(i, j), max(i, j)
                found += 1
    return closest, overlaps, found


@njit(cache=True)
def near(
    xy: _Floats, velocity: _Floats, step: float, order: _Ints, touch: float, margin: float, out: NDArray[np.bool_]
) -> None:
    """Mark robots that could touch another one within the next step.

    Whoever will touch if all go as commanded may be deflected, at no more than the greatest commanded speed; whoever
    it could then reach is marked too, and so on.

    Args:
        xy, velocity: positions and commanded velocities [robot, 2] in [m] and [m/s].
        step: [s].
        order: robots in any order; sorted by their x in place.
        touch: [m] distance of centres at which two robots touch.
        margin: [m] added to every distance that decides.
        out: written, [robot].
    """
    n, fastest = len(order), 0.0
    x = xy[:, 0].copy()
    for i in range(n):
        out[i] = False
        fastest = max(fastest, math.hypot(velocity[i, 0], velocity[i, 1]))
    _reorder(order, x)
    place = np.empty(n, dtype=np.int64)
    stack, height = np.empty(n, dtype=np.int64), 0
    reach = touch + margin + 2 * fastest * step
    for a in range(n):
        i = order[a]
        place[i] = a
        for b in range(a + 1, n):
            j = order[b]
            ax, ay = xy[j, 0] - xy[i, 0], xy[j, 1] - xy[i, 1]
            if ax > reach:
                break
            if abs(ay) > reach:
                continue
            bx = ax + step * (velocity[j, 0] - velocity[i, 0])
            by = ay + step * (velocity[j, 1] - velocity[i, 1])
            if approach(ax, ay, bx, by) < touch + margin:
                for k in (i, j):
                    if not out[k]:
                        out[k] = True
                        stack[height] = k
                        height += 1
    while height:
        height -= 1
        i = stack[height]
        for way in (1, -1):
            b = place[i] + way
            while 0 <= b < n and abs(x[order[b]] - x[i]) <= reach:
                j = order[b]
                if not out[j] and math.hypot(x[j] - x[i], xy[j, 1] - xy[i, 1]) <= reach:
                    out[j] = True
                    stack[height] = j
                    height += 1
                b += way
