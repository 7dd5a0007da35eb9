"""Limits of a mean that need nothing but the range of what is averaged: Gaffke's, for few blocks and rare losses.

With n independent values y_i in [low, high], weights D_0 … D_n from the flat Dirichlet law, and α = 1 − level,

    upper limit = (1 − α)-quantile of Σ_i D_i y_i + D_0 · high,    lower limit: α-quantile of Σ_i D_i y_i + D_0 · low.

Of values that are all 0 the upper limit is high · (1 − α^{1/n}), about 3/n of the range for α = 0.05 (rule of three);
of values that are only 0 or 1 it is that of Clopper and Pearson. That it holds for every law on the range is a
conjecture without known counterexample (Phan, Thomas and Learned-Miller 2021); see `bench/interval_coverage.py`.
"""

from __future__ import annotations

import numpy as np

from .arrays import FloatArray

DRAWS = 4000  # the level of a limit is met to ± 0.4 %
SEED = 1
LARGEST = 4_000_000  # numbers drawn at once


def limits(values: FloatArray, low: float, high: float, level: float) -> tuple[float, float]:
    """Lower and upper limit of the mean of the law of independent values [n] in [low, high], each alone at `level`."""
    values = np.asarray(values, dtype=np.float64)
    n, odd = len(values), values != 0.0
    if not odd.any() and low == 0.0:
        return 0.0, high * -float(np.expm1(np.log1p(-level) / n))
    few = values[odd]
    draws = min(DRAWS, max(1, LARGEST // (len(few) + 2)))
    rng = np.random.default_rng(SEED)
    # Sums of exponentials are gamma: the weights of all zeros, which add nothing, are drawn as one.
    own, spare = rng.standard_exponential((draws, len(few))), rng.standard_exponential(draws)
    zeros = rng.standard_gamma(n - len(few), draws) if len(few) < n else np.zeros(draws)
    total = own.sum(axis=1) + spare + zeros
    core = own @ few
    least, most = (
        float(np.quantile((core + spare * end) / total, part)) if np.isfinite(end) else end
        for end, part in ((low, 1 - level), (high, level))
    )
    return least, most
