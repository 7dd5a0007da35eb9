"""What a replay does not know of the world it rolls out: the law that a fit counted, and the states of other times.

A world is one draw of both: rows of P_l and P_g from their Dirichlet posteriors, and whole blocks of the bag's ticks.
The mean loss d_w of m paired rollouts in world w varies by what is not known, and by chance that shrinks with m:

    Var d_w = B + σ²/m,    the loss is known to  B̂ + σ²/(W m),    B̂ = max(0, s²(d) (1 + √(2/(W − 1))) − σ̂²/m),

s² raised by one standard error of its own, with Student's t of W − 1 degrees of freedom. Where no more than a few
rollouts differ, the limits of `bounded` hold.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.bootstrap import HALF, RARE
from meanfleet.base.bounded import limits
from meanfleet.base.statistics import Band, half_width
from meanfleet.config import Config
from meanfleet.solver import Game
from meanfleet.solver.warehouse import mean_law

WORLDS = 20


@dataclass(frozen=True)
class Loss(Band):
    """A mean paired loss with its 95 % interval, over `rollouts` of `horizon` ticks."""

    rollouts: int
    horizon: int

    def as_dict(self) -> dict[str, float]:
        """Plain values for JSON."""
        return asdict(self)


class Drawn:
    """One draw from Dirichlet posteriors, for `Game.from_config`; the same weights (types share P_g), the same draw."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng, self._known = rng, dict[bytes, FloatArray]()

    def __call__(self, weights: FloatArray) -> FloatArray:
        key = weights.tobytes()
        if key not in self._known:
            drawn = mean_law(self._rng.standard_gamma(weights))
            self._known[key] = np.where(drawn.sum(axis=-1, keepdims=True) > 0, drawn, mean_law(weights))
        return self._known[key]


def drawn_games(config: Config, count: int, seed: int) -> tuple[Game, ...]:
    """Games of a configuration, each with another draw of the laws that it has counted; all alike where it has none."""
    streams = np.random.SeedSequence(seed).spawn(count)
    return tuple(Game.from_config(config, Drawn(np.random.default_rng(stream))) for stream in streams)


def blocks_of(ticks: int, length: int, rng: np.random.Generator) -> IntArray:
    """As many of `ticks` ticks, in circular blocks: int64 [tick]."""
    starts = rng.integers(ticks, size=math.ceil(ticks / length))
    return np.asarray((starts[:, None] + np.arange(length)).ravel()[:ticks] % ticks)


def shares(rollouts: int, worlds: int) -> list[int]:
    """Rollouts of every world, two at least in each."""
    worlds = min(worlds, rollouts // 2)
    return [rollouts // worlds + (w < rollouts % worlds) for w in range(worlds)]


def loss_over_worlds(differences: FloatArray, sizes: list[int], largest: float, horizon: int) -> Loss:
    """The loss from paired differences [rollout] of returns, world after world, none larger than `largest`."""
    mean, total = float(differences.mean()), len(differences)
    parts = np.split(differences, np.cumsum(sizes)[:-1])
    within = float(np.sum([((part - part.mean()) ** 2).sum() for part in parts]) / (total - len(parts)))
    between = float(np.var([part.mean() for part in parts], ddof=1))
    between *= 1 + math.sqrt(2 / (len(parts) - 1))
    error = math.sqrt(max(0.0, between - within * len(parts) / total) + within / total)
    half = half_width(error, len(parts))
    low, high = mean - half, mean + half
    if np.count_nonzero(differences) < RARE:
        ends = limits(differences, -largest, largest, HALF)
        low, high = min(ends[0], mean), max(ends[1], mean)
    return Loss(mean, error, low, high, total, horizon)
