"""Index tables that lead from histograms of one number of robots to those of one more or one fewer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from meanfleet.base.arrays import IntArray

from ..histograms import count_histograms, enumerate_histograms, rank


@dataclass(frozen=True, eq=False)
class Levels:
    """Index tables of all histograms of 0…k robots, level after level in one array each.

    Attributes:
        first: int64 [level, ν], the first non-empty zone of ν (0 at level 0).
        down: int64 [level, ν], index of ν − e_first among histograms of one robot fewer.
        up: int64 [level, h, z], index of h + e_z among histograms of one robot more.
        begin: int64 [level], where a level begins in the flattened arrays.
        size: int64 [level], histograms of the level.
    """

    first: IntArray
    down: IntArray
    up: IntArray
    begin: IntArray
    size: IntArray


@lru_cache(maxsize=8)
def levels(k: int, zones: int) -> Levels:
    """The tables for k robots over `zones` zones."""
    size = np.array([count_histograms(m, zones) for m in range(k + 1)], dtype=np.int64)
    units = np.eye(zones, dtype=np.int64)
    firsts, downs, ups = [], [], []
    for m in range(k + 1):
        nu = enumerate_histograms(m, zones)
        first = np.argmax(nu > 0, axis=1)
        firsts.append(first)
        downs.append(rank(nu - units[first]) if m else np.zeros(1, dtype=np.int64))
        ups.append(np.stack([rank(nu + unit) for unit in units], axis=1))
    begin = np.concatenate([[0], np.cumsum(size)[:-1]]).astype(np.int64)
    return Levels(np.concatenate(firsts), np.concatenate(downs), np.concatenate(ups), begin, size)
