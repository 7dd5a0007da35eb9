"""L-LEARN: the best shared π_l(a|z, s_g) against a fixed dispatch table, in the restricted class (math.md §4).

With V the pair's value and d its discounted occupancy, the derivative of J in each cell is exact:

    ∂J/∂π_l(a|z, s_g) = Σ_μ d(s_g, μ) μ_z [ r_l(z, s_g, a)/k
                        + γ Σ_s' P_g(s'|s_g, π_g(s_g, μ)) Σ_z' P_l(z'|z, s_g, a) E V(s', ν' + e_z') ]

with ν' the next histogram of the other k − 1 robots. J is not concave in π_l. The search steps along the direction of
the best pure move in every cell, halving until J provably rises; then it tries every switch of a single cell to a pure
move. It stops when neither raises J: "best found", no more is claimed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray, Progress

from .bounds import ValueInterval
from .evaluation import evaluate, occupancy
from .next_law import lowered, raised
from .surrogate import KRobotSystem, Surrogate


@dataclass(frozen=True, eq=False)
class BestMoves:
    """What L-LEARN found.

    Attributes:
        surrogate: the k-robot system under the policy found (`surrogate.local_policy`).
        value: the pair's value.
        steps: accepted improvements, each a rise of J.
        slope: largest first-order gain left over all cells; positive gains within tolerance may remain.
    """

    surrogate: Surrogate
    value: ValueInterval
    steps: int
    slope: float

    @property
    def policy(self) -> FloatArray:
        """π_l [z, s_g, a]."""
        return self.surrogate.local_policy


def gradient(surrogate: Surrogate, table: IntArray, values: FloatArray) -> FloatArray:
    """∂J/∂π_l, float64 [z, s_g, a], given the pair's values [s_g, h]."""
    system = surrogate.system
    game, k = system.game, system.k
    d = occupancy(surrogate, table)
    up, down = raised(k, game.zones), lowered(k, game.zones)
    after = values[:, up]  # [s', ν', z']: value when the tagged robot ends in z'
    flat = np.ascontiguousarray(after.transpose(1, 0, 2)).reshape(len(up), -1)
    result = np.empty((game.zones, game.priorities, game.moves))
    for s in range(game.priorities):
        others = surrogate.fewer(s).expect(flat).reshape(len(up), game.priorities, game.zones)
        steering = game.P_g[s][table[s]]  # [h, s']
        for z in range(game.zones):
            has = down[:, z] >= 0
            weight = d[s, has] * system.histograms[has, z]
            ahead = np.einsum("h,ht,hty->y", weight, steering[has], others[down[has, z]], optimize=True)
            result[z, s] = weight.sum() * game.r_l[z, s] / k + game.discount * game.P_l[z, s] @ ahead
    return result


def improve(
    surrogate: Surrogate,
    table: IntArray,
    tolerance: float = 1e-6,
    max_steps: int = 200,
    progress: Progress | None = None,
    value: ValueInterval | None = None,
    switches: bool = True,
) -> BestMoves:
    """Raise J from the surrogate's π_l until no step and no single switch raises it by more than `tolerance`.

    Args:
        value: the pair's value where it is known already.
        switches: whether to try single switches at all: they are the larger part of the work.
    """
    search = _Search(surrogate, table, tolerance, progress, value)
    slope = np.inf
    while search.steps < max_steps:
        slopes, gains = search.ascent()
        slope = float(gains.max())
        if slope > tolerance and search.step_towards(slopes, gains):
            continue
        if not (switches and search.switch_one(slopes)):
            break
    return BestMoves(search.surrogate, search.value, search.steps, slope)


class _Search:
    """The current π_l with its proven J, and the two ways to a better one."""

    def __init__(
        self,
        surrogate: Surrogate,
        table: IntArray,
        tolerance: float,
        progress: Progress | None,
        value: ValueInterval | None,
    ) -> None:
        self.system: KRobotSystem = surrogate.system
        self.surrogate, self.table, self.tolerance, self.progress = surrogate, table, tolerance, progress
        self.precision = tolerance / 8
        known = value is not None and 2 * value.half <= self.precision
        self.value = value if value is not None and known else evaluate(surrogate, table, self.precision)
        self.steps = 0

    @property
    def policy(self) -> FloatArray:
        return self.surrogate.local_policy

    def ascent(self) -> tuple[FloatArray, FloatArray]:
        """First-order gain of every pure move [z, s_g, a], and of the best one in every cell [z, s_g].

        Moves that the zone does not have gain −∞.
        """
        slopes = gradient(self.surrogate, self.table, self.value.middle)
        slopes -= np.sum(self.policy * slopes, axis=2, keepdims=True)
        slopes[~np.broadcast_to(self.system.game.allowed[:, None], slopes.shape)] = -np.inf
        return slopes, slopes.max(axis=2)

    def step_towards(self, slopes: FloatArray, gains: FloatArray) -> bool:
        """Step towards the best pure move in all cells that gain, with shorter and shorter steps, until J rises."""
        target = np.eye(slopes.shape[2])[slopes.argmax(axis=2)]
        direction = np.where((gains > self.tolerance / gains.size)[:, :, None], target - self.policy, 0.0)
        for halving in range(12):
            policy = self.policy + direction * 0.5**halving
            if self._accept(self.system.under(policy / policy.sum(axis=2, keepdims=True))):
                return True
        return False

    def switch_one(self, slopes: FloatArray) -> bool:
        """Try every pure move in every cell, the most promising first; keep the first that raises J."""
        rows = np.eye(slopes.shape[2])
        for index in np.argsort(-slopes, axis=None, kind="stable"):
            z, s, move = (int(i) for i in np.unravel_index(index, slopes.shape))
            if np.array_equal(rows[move], self.policy[z, s]) or np.isneginf(slopes[z, s, move]):
                continue
            if self._accept(self.surrogate.changed((z, s), rows[move])):
                return True
        return False

    def _accept(self, candidate: Surrogate) -> bool:
        law = self.system.start
        needed = self.value.mean(law)[1] + self.tolerance / 2
        value = evaluate(candidate, self.table, self.precision, self.value.middle, hopeless_below=needed)
        if value.mean(law)[0] <= needed:
            return False
        self.surrogate, self.value = candidate, value
        self.steps += 1
        if self.progress is not None:
            self.progress("value", value.mean(law)[0])
        return True
