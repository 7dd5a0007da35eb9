"""Exact value and occupancy of a pair (dispatch table, π_l) in the k-robot system.

Both are linear systems, (I − γP) V = r and dᵀ(I − γP) = start, with P at hand only as an operator. The value comes from
accelerated backups whose bounds prove it (see `bounds`), the occupancy from GMRES.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, gmres

from .bounds import ValueInterval, fixed_point
from .game import FloatArray
from .surrogate import Surrogate

IntArray = NDArray[np.int64]
Operator = Callable[[FloatArray], FloatArray]
KRYLOV = 12  # passes of GMRES in a round
ROUNDS = 40  # before plain iteration takes over


def evaluate(
    surrogate: Surrogate,
    table: IntArray,
    tolerance: float = 1e-9,
    start: FloatArray | None = None,
    hopeless_below: float = -np.inf,
) -> ValueInterval:
    """Value of the pair in every state, float64 [s_g, h], known to `tolerance`.

    With `hopeless_below` the work may end as soon as J at the start law is proven to lie below it.
    """
    game, law = surrogate.system.game, surrogate.system.start
    ahead, reward = surrogate.policy_operator(table), surrogate.policy_reward(table)

    def backup(values: FloatArray) -> FloatArray:
        return reward + game.discount * ahead(values)

    def hopeless(interval: ValueInterval) -> bool:
        return interval.mean(law)[1] < hopeless_below

    first = np.zeros_like(reward) if start is None else start
    return fixed_point(backup, first, game.discount, tolerance, hopeless, rounding=surrogate.rounding)


def occupancy(surrogate: Surrogate, table: IntArray, tolerance: float = 1e-12) -> FloatArray:
    """Discounted occupancy d = Σ_t γ^t · law(t) from the start law, not normalised: float64 [s_g, h].

    `tolerance` bounds the residual of the linear system, summed over states; the error is at most 1/(1−γ) times that.
    """
    gamma, start = surrogate.system.game.discount, surrogate.system.start

    def push(law: FloatArray) -> FloatArray:
        return surrogate.push(law, table)

    d = start / (1 - gamma)
    residual = np.inf
    for _ in range(ROUNDS):
        defect = start + gamma * push(d) - d
        previous, residual = residual, float(np.abs(defect).sum())
        if residual <= tolerance or residual >= previous:
            break
        d = _solve(push, gamma, start, d)
    while residual > tolerance:  # γ^t ends this at the latest, unless rounding stops it before
        after = start + gamma * push(d)
        previous, residual = residual, float(np.abs(after - d).sum())
        d = after
        if residual >= previous:
            break
    return d


def _solve(operator: Operator, discount: float, right: FloatArray, first: FloatArray) -> FloatArray:
    """KRYLOV passes of GMRES towards x = right + γ·operator(x), from `first`."""
    shape = right.shape

    def residual_operator(x: FloatArray) -> FloatArray:
        v = x.reshape(shape)
        return np.asarray(v - discount * operator(v)).ravel()

    system = LinearOperator((right.size, right.size), matvec=residual_operator, dtype=np.float64)
    solution, _ = gmres(system, right.ravel(), x0=first.ravel(), rtol=1e-15, atol=0.0, restart=KRYLOV, maxiter=1)
    return np.asarray(solution).reshape(shape)
