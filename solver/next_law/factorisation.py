"""A transition matrix as a product of elementary moves, and how many digits the product can cost (math.md §3).

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
from numba import njit
from scipy.optimize import linear_sum_assignment

from meanfleet.base.arrays import FloatArray, IntArray

MANY = 12  # zones above which only the plain bound is computed: the other grows like their fifth power
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
        order = np.array([step.target for step in self.steps], dtype=np.int64)
        shares = np.array([step.shares for step in self.steps])
        rows = np.empty_like(P)
        rows[list(self.relabelled)] = P
        return float(_error_bound(rows, order, shares, k, 0.0))

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
        tried = np.array(list(itertools.islice(_orders(rows), orders)), dtype=np.int64)
        shares = np.empty_like(rows)
        found = _search(rows, tried, k, loss, shares)
        if found >= 0:
            steps = zip(tried[found].tolist(), shares.tolist(), strict=True)
            return Factorisation(relabelled, tuple(Step(target, tuple(row)) for target, row in steps))
    return None


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


@njit(cache=True)
def _search(P: FloatArray, orders: IntArray, k: int, loss: float, shares: FloatArray) -> int:
    """Number of the first elimination order [i, zone] good enough, −1 if none is. Overwrites `shares` [step, zone]."""
    for i in range(len(orders)):
        if _eliminate(P, orders[i], shares) and _error_bound(P, orders[i], shares, k, loss) <= loss:
            return i
    return -1


@njit(cache=True)
def _eliminate(P: FloatArray, order: IntArray, shares: FloatArray) -> bool:
    """Gauss–Jordan elimination in the given order; False where a pivot vanishes. Overwrites `shares` [step, zone]."""
    zones = len(P)
    rest = P.copy()
    for step in range(zones):
        j = order[step]
        if abs(rest[j, j]) < PIVOT:
            return False
        for i in range(zones):
            share = 0.0 if i == j else rest[i, j] / rest[j, j]
            if share != 0.0:
                apart = 0.0
                for z in range(zones):
                    apart = max(apart, abs(rest[i, z] - rest[j, z]))
                if apart <= 1e-15:  # equal rows: all of i merge into j, and i is never used again
                    share = 1.0
                    rest[i] = 0.0
                    rest[i, i] = 1.0
                elif abs(1 - share) < PIVOT:
                    return False
                else:
                    for z in range(zones):
                        rest[i, z] = (rest[i, z] - share * rest[j, z]) / (1 - share)
                    rest[i, j] = 0.0
            shares[step, i] = share
    return True


@njit(cache=True)
def _error_bound(P: FloatArray, order: IntArray, shares: FloatArray, k: int, loss: float) -> float:
    """See `Factorisation.error_bound`; the plain bound of the growth alone where it is already within `loss`."""
    zones = len(P)
    plain, moves = 0.0, 0
    product = np.eye(zones)
    for step in range(zones):
        for i in range(zones):
            if shares[step, i] != 0.0:
                plain += np.log(abs(shares[step, i]) + abs(1 - shares[step, i]))
                moves += 1
                _move(product, i, order[step], shares[step, i])
    wrong = k * _norm(product - P)
    unit = np.finfo(np.float64).eps * (2 * k + 2) * (1 + moves)
    bound = wrong + unit * np.exp(min(k * max(plain, 0.0), 600.0))
    if bound <= loss or zones > MANY:
        return float(bound)
    return float(min(bound, wrong + unit * np.exp(min(k * _log_growth(order, shares), 600.0))))


@njit(cache=True)
def _log_growth(order: IntArray, shares: FloatArray) -> float:
    """log max_s ‖M_1…M_s‖ · ‖M_s‖ · ‖M_{s+1}…M_n‖ over the moves, at least 0."""
    zones = shares.shape[1]
    before, worst = np.eye(zones), 1.0
    for step in range(zones):
        for i in range(zones):
            share = shares[step, i]
            if share == 0.0:
                continue
            _move(before, i, order[step], share)
            after = np.eye(zones)
            for later in range(step, zones):
                for other in range(i + 1 if later == step else 0, zones):
                    _move(after, other, order[later], shares[later, other])
            worst = max(worst, _norm(before) * (abs(share) + abs(1 - share)) * _norm(after))
    return float(np.log(worst))


@njit(cache=True)
def _move(product: FloatArray, source: int, target: int, share: float) -> None:
    """product ← product · M(source→target, share). Mutates `product`."""
    for row in range(len(product)):
        product[row, target] += share * product[row, source]
        product[row, source] *= 1 - share


@njit(cache=True)
def _norm(matrix: FloatArray) -> float:
    """Largest row sum of absolute values."""
    largest = 0.0
    for row in matrix:
        total = 0.0
        for value in row:
            total += abs(value)
        largest = max(largest, total)
    return largest
