"""Moves on a ring of zones: 0 stay, 1 next, 2 previous (MATH §1)."""

from __future__ import annotations

from typing import overload

import numpy as np
from numpy.typing import NDArray

STAY, NEXT, PREVIOUS = 0, 1, 2
MOVES = 3
MOVE_NAMES = ("stay", "next", "previous")
_SHIFT = np.array([0, 1, -1])


@overload
def shifted(zone: int, move: int, zones: int) -> int: ...
@overload
def shifted(zone: NDArray[np.int64], move: NDArray[np.int64], zones: int) -> NDArray[np.int64]: ...
def shifted(zone: int | NDArray[np.int64], move: int | NDArray[np.int64], zones: int) -> int | NDArray[np.int64]:
    """Zone that `move` leads to from `zone` on a ring of `zones`."""
    target = (zone + _SHIFT[move]) % zones
    return target if isinstance(target, np.ndarray) else int(target)


def moves_between(zone: NDArray[np.int64], goal: NDArray[np.int64], zones: int) -> NDArray[np.int64]:
    """The move that leads from `zone` the shorter way towards `goal` (a tie goes to next)."""
    ahead = (goal - zone) % zones
    return np.where(ahead == 0, STAY, np.where(2 * ahead <= zones, NEXT, PREVIOUS)).astype(np.int64)
