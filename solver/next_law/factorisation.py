"""A transition matrix as a product of elementary moves, and how many digits the product can cost (MATH §3).

A step of zone j lets robots of every other zone i go to j with probability c_i, independently, all others stay:

    E_j[i, ·] = (1 − c_i) e_i + c_i e_j        Gauss–Jordan elimination:  P = R · E_j1 · E_j2 · … · E_jn

with R a relabelling of the zones. With every c in [0, 1] the symmetric power of a step is an average and nothing is
lost. Outside of it signs alternate. Two bounds of how much rounding errors can grow, for k robots, are

    Π (|c| + |1 − c|)^k        and        max_s (‖M_1…M_s‖ · ‖M_s‖ · ‖M_{s+1}…M_n‖)^k

over the single moves M(i→j, c), in row-sum norms; the smaller one counts. Where it is too large, other elimination
orders and relabellings are tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..game import FloatArray

PIVOT = 1e-9  # smaller pivots and divisors are taken for zero


@dataclass(frozen=True)
class Step:
    """Robots of zone i go to `target` with probability shares[i], independently; shares[target] is 0."""

    target: int
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Factorisation:
    """P[z, ·] = (E_1 · … · E_n)[relabelled[z], ·].

    Attributes:
        relabelled: zone under which the robots of each zone enter the product.
        steps: E_1 … E_n.
    """

    relabelled: tuple[int, ...]
    steps: tuple[Step, ...]

    def product(self) -> FloatArray:
        """The matrix that is factorised, multiplied out again."""
        result = np.eye(len(self.relabelled))
        for step in self.steps:
            result = result @ _matrix(step)
        return np.asarray(result[list(self.relabelled)])

    def error_bound(self, P: FloatArray, k: int) -> float:
        """Bound of the error of E[f(μ')] for k robots that move by P, relative to max |f|."""
        moves = list(self._moves())
        operations = (2 * k + 2) * (1 + len(moves))
        rounding = np.finfo(np.float64).eps * operations * np.exp(min(k * self._log_growth(moves), 600.0))
        return float(rounding + k * _norm(self.product() - P))

    def _log_growth(self, moves: list[tuple[int, int, float]]) -> float:
        norms = np.array([abs(share) + abs(1 - share) for *_, share in moves])
        plain = float(np.sum(np.log(norms)))
        if plain < 1e-12:
            return 0.0
        matrices = [_matrix(Step(j, tuple(np.where(np.arange(self.zones) == i, share, 0.0)))) for i, j, share in moves]
        before = [np.eye(self.zones)]
        after = [np.eye(self.zones)]
        for matrix in matrices:
            before.append(before[-1] @ matrix)
        for matrix in reversed(matrices):
            after.append(matrix @ after[-1])
        after.reverse()
        worst = max(_norm(before[s + 1]) * norms[s] * _norm(after[s + 1]) for s in range(len(moves)))
        return min(plain, max(float(np.log(worst)), 0.0))

    def _moves(self) -> Iterator[tuple[int, int, float]]:
        for step in self.steps:
            yield from ((i, step.target, share) for i, share in enumerate(step.shares) if share != 0.0)

    @property
    def zones(self) -> int:
        """Number of zones."""
        return len(self.relabelled)


def factorise(P: FloatArray, k: int, loss: float, orders: int = 120) -> Factorisation | None:
    """A factorisation of P [z, z'] whose error bound for k robots is at most `loss`, None if none was found.

    At most `orders` elimination orders are tried for each of at most two relabellings.
    """
    for relabelled in _relabellings(P):
        rows = np.empty_like(P)
        rows[list(relabelled)] = P
        for order in itertools.islice(_orders(rows), orders):
            steps = _eliminate(rows, order)
            if steps is not None:
                found = Factorisation(relabelled, steps)
                if found.error_bound(P, k) <= loss:
                    return found
    return None


def _eliminate(P: FloatArray, order: tuple[int, ...]) -> tuple[Step, ...] | None:
    rest = np.array(P, dtype=np.float64)
    steps = []
    for j in order:
        if abs(rest[j, j]) < PIVOT:
            return None
        shares = rest[:, j] / rest[j, j]
        shares[j] = 0.0
        for i in np.flatnonzero(shares):
            if np.abs(rest[i] - rest[j]).max() <= 1e-15:  # equal rows: all of i merge into j, and i is never used again
                shares[i] = 1.0
                rest[i] = np.eye(len(rest))[i]
            elif abs(1 - shares[i]) < PIVOT:
                return None
            else:
                rest[i] = (rest[i] - shares[i] * rest[j]) / (1 - shares[i])
                rest[i, j] = 0.0
        steps.append(Step(j, tuple(shares.tolist())))
    return tuple(steps)


def _relabellings(P: FloatArray) -> Iterator[tuple[int, ...]]:
    """None at all, then the one with the largest product of pivot candidates on the diagonal."""
    identity = tuple(range(len(P)))
    yield identity
    _, best = linear_sum_assignment(-np.log(np.maximum(P, 1e-300)))
    if tuple(best.tolist()) != identity:
        yield tuple(best.tolist())


def _orders(P: FloatArray) -> Iterator[tuple[int, ...]]:
    """Elimination orders, the natural one first, then by falling diagonal, then all others."""
    zones = tuple(range(len(P)))
    by_pivot = tuple(np.argsort(-np.diag(P), kind="stable").tolist())
    yield zones
    if by_pivot != zones:
        yield by_pivot
    yield from (order for order in itertools.permutations(zones) if order not in (zones, by_pivot))


def _matrix(step: Step) -> FloatArray:
    shares = np.array(step.shares)
    matrix = np.diag(1 - shares)
    matrix[:, step.target] += shares
    return matrix


def _norm(matrix: FloatArray) -> float:
    return float(np.abs(matrix).sum(axis=1).max())
