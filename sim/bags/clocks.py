"""Whose clock is wrong: stamps of every robot against those of the others, by when messages were received."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.arrays import IntArray

from .segments import RUN

BINS = 1024  # times that are compared at most
STEADY = 0.25  # share of a difference that may come and go: one that comes and goes more is no clock's


class Clocks:
    """Stamp minus receive time over the bag, robot by robot.

    The dispatcher and the recorder are two voters more, so that a robot alone is compared with somebody; under
    simulated time the recorder's clock has nothing to say, and is outvoted.

    Args:
        robots: how many.
        width: [ns] of receive time within which stamps are compared.
    """

    def __init__(self, robots: int, width: int) -> None:
        self.robots, self.width, self._stride = robots, width, 1
        self._rows: dict[
            int, NDArray[np.float64]
        ] = {}  # by bin of receive time: [robots, dispatcher, recorder] in [ns]
        self.messages = np.zeros(robots + 1, dtype=np.int64)

    def take(self, stamp: IntArray, received: IntArray, who: IntArray) -> None:
        """Compare messages [message]: stamps and receive times [ns], and whose they are: `robots` is the dispatcher."""
        self.messages += np.bincount(who, minlength=self.robots + 1)
        bins = received // self.width
        for number in np.unique(bins).tolist():
            if number % self._stride:
                continue
            row = self._rows.setdefault(number, np.append(np.full(self.robots + 1, -np.inf), 0.0))
            own = bins == number
            # Transport and latching only make stamps look older, so the youngest counts (as in NTP).
            np.maximum.at(row, who[own], (stamp[own] - received[own]).astype(np.float64))
        while len(self._rows) > BINS:
            self._stride *= 2
            self._rows = {number: row for number, row in self._rows.items() if number % self._stride == 0}

    def offsets(self, limit: int) -> IntArray:
        """How far the clock of each robot is ahead of the majority's [robot], in [ns]; 0: not by more than `limit`."""
        found = np.zeros(self.robots, dtype=np.int64)
        if not self._rows:
            return found
        rows = np.stack(list(self._rows.values()))
        rows[~np.isfinite(rows)] = np.nan
        apart = rows - np.nanmedian(rows, axis=1, keepdims=True)  # the recorder is in every row
        present = np.asarray(np.isfinite(apart).any(axis=0))
        usual, spread = np.zeros(len(present)), np.full(len(present), np.inf)
        usual[present] = np.nanmedian(apart[:, present], axis=0)
        spread[present] = np.nanmedian(abs(apart - usual)[:, present], axis=0)
        if 2 * int((present & (abs(usual) <= limit)).sum()) <= int(present.sum()):
            return found  # nobody knows who is right
        odd = (abs(usual) > limit) & (spread <= STEADY * abs(usual)) & (np.append(self.messages, 0) >= RUN)
        found[odd[:-2]] = np.rint(usual[:-2][odd[:-2]]).astype(np.int64)
        return found


def remarks(robots: Sequence[str], offsets: IntArray) -> list[str]:
    """What was found and done about it, a sentence each."""
    said = []
    for i in np.flatnonzero(offsets).tolist():
        side, less = ("ahead", "earlier") if offsets[i] > 0 else ("behind", "later")
        said.append(
            f"clock of {robots[i]} is {abs(offsets[i]) * 1e-9:.1f} s {side}: its stamps are read so much {less}"
        )
    return said
