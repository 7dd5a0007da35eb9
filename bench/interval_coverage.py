"""How often the 95 % intervals of a replay hold the true mean, and how wide they are.

    python bench/interval_coverage.py [--quick] [--json FILE]

Series of T = 60, 200 and 1000 ticks with a known mean, in a known range from 0 to 1:

- bursts: each tick one begins with chance `rate` and lasts 1, 5, 10 or 20 ticks of loss 1, or of exponential losses of
  mean 0.05; elsewhere the loss is 0. Of the 5-tick bursts at rate 0.001 with T = 60, 94 % of the series hold none.
- autoregressions of order 1, φ = 0, 0.5, 0.8 and 0.95, around 0.5 with standard deviation 0.08; and exp of one, as
  losses with a long tail: 200 ticks at φ = 0.95 are worth five, too few to see the tail: the least coverage is there.
- heavy ties: independent ticks, loss 0 but for one in a thousand to one in ten.

Coverage with its standard error over the runs, mean width, and how often the mean lies above the interval: the side
that a recommended k stands on. `--quick`: 200 runs, else 1000.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from measuring import machine
from numpy.typing import NDArray
from scipy.signal import lfilter

from meanfleet.base.bootstrap import block_band

FloatArray = NDArray[np.float64]
TICKS = (60, 200, 1000)
BURN = 300
WANTED = 0.90


@dataclass(frozen=True)
class Cell:
    """What one process at one length gave."""

    process: str
    ticks: int
    mean: float
    runs: int
    coverage: float
    error: float
    width: float
    above: float


def autoregressions(phi: float, ticks: int, runs: int, rng: np.random.Generator) -> FloatArray:
    """Stationary, mean 0, variance 1: [run, tick]."""
    noise = rng.normal(size=(runs, ticks + BURN)) * math.sqrt(1 - phi**2)
    return np.asarray(lfilter([1.0], [1.0, -phi], noise, axis=1))[:, BURN:]


def bursts(rate: float, length: int, ticks: int, runs: int, rng: np.random.Generator) -> tuple[FloatArray, float]:
    """1 in every tick that a burst covers, [run, tick], and how often that is."""
    begun = np.cumsum(rng.random((runs, ticks + length)) < rate, axis=1)
    return (begun[:, length:] > begun[:, :-length]).astype(np.float64), 1 - (1 - rate) ** length


def processes(ticks: int, runs: int, rng: np.random.Generator) -> Iterator[tuple[str, FloatArray, float]]:
    """Name, series [run, tick] and true mean."""
    for rate in (0.001, 0.003, 0.01, 0.03):
        for length in (1, 5, 10, 20):
            if rate * length <= 0.3:  # more is not rare
                covered, share = bursts(rate, length, ticks, runs, rng)
                yield f"bursts of {length}, rate {rate:g}", covered, share
        covered, share = bursts(rate, 5, ticks, runs, rng)
        heights = np.minimum(rng.exponential(0.05, size=covered.shape), 1)
        yield f"low bursts of 5, rate {rate:g}", covered * heights, share * 0.05 * (1 - math.exp(-20))
    for phi in (0.0, 0.5, 0.8, 0.95):
        yield f"AR(1), φ = {phi:g}", np.clip(0.5 + 0.08 * autoregressions(phi, ticks, runs, rng), 0, 1), 0.5
    for phi in (0.0, 0.8, 0.95):
        losses = np.exp(autoregressions(phi, ticks, runs, rng)) / 100
        yield f"exp of AR(1), φ = {phi:g}", np.minimum(losses, 1), math.exp(0.5) / 100
    for rate in (0.001, 0.01, 0.1):
        yield f"ties but for {rate:g}", (rng.random((runs, ticks)) < rate).astype(np.float64), rate


def measure(process: str, series: FloatArray, mean: float) -> Cell:
    """Coverage of the intervals of series [run, tick]."""
    bands = [block_band(one, low=0.0, high=1.0)[0] for one in series]
    low, high = np.array([one.low for one in bands]), np.array([one.high for one in bands])
    coverage, runs = float(((low <= mean) & (mean <= high)).mean()), len(bands)
    error = math.sqrt(max(coverage * (1 - coverage), 1 / runs) / runs)
    return Cell(
        process, series.shape[1], mean, runs, coverage, error, float((high - low).mean()), float((high < mean).mean())
    )


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="200 runs instead of 1000")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    runs, cells = 200 if given.quick else 1000, []
    print(f"{'process':<28} {'T':>5} {'mean':>7} {'coverage':>15} {'width':>7} {'mean above':>11}")
    for ticks in TICKS:
        for name, series, mean in processes(ticks, runs, np.random.default_rng(ticks)):
            one = measure(name, series, mean)
            cells.append(one)
            print(
                f"{name:<28} {ticks:>5} {mean:7.4f} {one.coverage:7.3f} ± {one.error:.3f} "
                f"{one.width:7.4f} {one.above:11.3f}" + ("" if one.coverage >= WANTED else f"  below {WANTED:g}"),
                flush=True,
            )
    print(f"least coverage: {min(one.coverage for one in cells):.3f} of 0.95 claimed, at least {WANTED:g} wanted")
    if given.json is not None:
        body = {"machine": machine(), "cells": [asdict(one) for one in cells]}
        given.json.write_text(json.dumps(body, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
