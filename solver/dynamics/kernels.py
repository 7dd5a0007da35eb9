"""Compiled parts of the drift Σ_e ν(e) f(x, e), e = (s, a, s').

The stationary law of the wrapped chain is ν(e) = ρ(s) π(a|s) T(s'|s, a), with ρ the stationary law of the states alone.
Every learner's expected update follows from two sums over it, o = observation[i, s], b = a_i:

    occupancy_i[o] = Σ_s ρ(s)        target_i[o, b] = Σ_s ρ(s) Σ_{a: a_i = b} Π_{j≠i} π_j(a_j) (r_i + γ_i E[v_i(o')])

with v_i = max Q, Σ π Q or V (see `learners`).
"""

from __future__ import annotations

import math

from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray

from .learners import COUNTERFACTUAL, POLICY_GRADIENT, SARSA


@njit(cache=True, nogil=True)
def act(table: FloatArray, tau: float, epsilon: float, out: FloatArray) -> None:
    """out[b] = (1 − ε)·softmax(table/τ)[b] + ε/|A|. Overwrites `out` [b]."""
    top = table[0]
    for b in range(1, table.shape[0]):
        top = max(top, table[b])
    total = 0.0
    for b in range(table.shape[0]):
        out[b] = math.exp((table[b] - top) / tau)
        total += out[b]
    for b in range(table.shape[0]):
        out[b] = (1.0 - epsilon) * out[b] / total + epsilon / table.shape[0]


@njit(cache=True, nogil=True)
def worth(rule: int, table: FloatArray, policy: FloatArray, critic: float) -> float:
    """v(o) of one observation: V, Σ π Q or max Q."""
    if rule == POLICY_GRADIENT:
        return critic
    best, mean = table[0], 0.0
    for b in range(table.shape[0]):
        best = max(best, table[b])
        mean += policy[b] * table[b]
    return mean if rule == SARSA else best


@njit(cache=True, nogil=True)
def policies(x: FloatArray, shapes: IntArray, numbers: FloatArray, pi: FloatArray, values: FloatArray) -> None:
    """All players' policies and values v at x. Overwrites `pi` and `values`, laid out as `Layout` says."""
    for i in range(shapes.shape[0]):
        rule, seen, choices, at_x, at_pi, at_v = shapes[i]
        gradient = rule == POLICY_GRADIENT
        tau, epsilon = (1.0, 0.0) if gradient else (numbers[i, 2], numbers[i, 3])
        for o in range(seen):
            table = x[at_x + o * choices : at_x + (o + 1) * choices]
            row = pi[at_pi + o * choices : at_pi + (o + 1) * choices]
            act(table, tau, epsilon, row)
            critic = x[at_x + seen * choices + o] if gradient else 0.0
            values[at_v + o] = worth(rule, table, row, critic)


@njit(cache=True, nogil=True)
def expected_updates(
    x: FloatArray,
    pi: FloatArray,
    occupancy: FloatArray,
    target: FloatArray,
    shapes: IntArray,
    numbers: FloatArray,
    out: FloatArray,
) -> None:
    """dx/dt from occupancies and targets. Overwrites `out` [parameter]."""
    for i in range(shapes.shape[0]):
        rule, seen, choices, at_x, at_pi, at_v = shapes[i]
        alpha, beta = numbers[i, 0], numbers[i, 4]
        for o in range(seen):
            mass, first, law = occupancy[at_v + o], at_x + o * choices, at_pi + o * choices
            if rule != POLICY_GRADIENT:
                for b in range(choices):
                    chance = 1.0 if rule == COUNTERFACTUAL else pi[law + b]
                    out[first + b] = alpha * chance * (target[law + b] - mass * x[first + b])
                continue
            critic, mean = at_x + seen * choices + o, 0.0
            for b in range(choices):
                mean += pi[law + b] * (target[law + b] - mass * x[critic])
            for b in range(choices):
                out[first + b] = alpha * pi[law + b] * (target[law + b] - mass * x[critic] - mean)
            out[critic] = beta * mean


@njit(cache=True, nogil=True)
def state_chain(
    pi: FloatArray,
    shapes: IntArray,
    observation: IntArray,
    own: IntArray,
    rows: IntArray,
    columns: IntArray,
    chances: FloatArray,
    chain: FloatArray,
) -> None:
    """M[s, s'] = Σ_a π(a|s) T(s'|s, a). Overwrites `chain` [s, s']; rows, columns, chances are T's, sparse."""
    joint = own.shape[1]
    chain[:] = 0.0
    for s in range(chain.shape[0]):
        for a in range(joint):
            weight = 1.0
            for i in range(shapes.shape[0]):
                weight *= pi[shapes[i, 4] + observation[i, s] * shapes[i, 2] + own[i, a]]
            for e in range(rows[s * joint + a], rows[s * joint + a + 1]):
                chain[s, columns[e]] += weight * chances[e]


@njit(cache=True, nogil=True)
def chain_weights(
    pi: FloatArray, shapes: IntArray, observation: IntArray, own: IntArray, rows: IntArray, out: FloatArray
) -> None:
    """π(a|s) of every stored transition of T. Overwrites `out` [entry]."""
    joint = own.shape[1]
    for s in range(observation.shape[1]):
        for a in range(joint):
            weight = 1.0
            for i in range(shapes.shape[0]):
                weight *= pi[shapes[i, 4] + observation[i, s] * shapes[i, 2] + own[i, a]]
            for e in range(rows[s * joint + a], rows[s * joint + a + 1]):
                out[e] = weight


@njit(cache=True, nogil=True, error_model="numpy")
def eliminate(chain: FloatArray, law: FloatArray) -> None:
    """Stationary law of an irreducible chain [s, s'] by Grassmann, Taksar and Heyman (1985): no subtraction, so that
    small probabilities keep their relative accuracy.

    Overwrites `law` [s], not finite where states no longer lead to each other, and destroys `chain`.
    """
    size = chain.shape[0]
    for last in range(size - 1, 0, -1):
        leaving = 0.0
        for j in range(last):
            leaving += chain[last, j]
        for i in range(last):
            chain[i, last] /= leaving
            share = chain[i, last]
            if share != 0.0:
                for j in range(last):
                    chain[i, j] += share * chain[last, j]
    total = law[0] = 1.0
    for j in range(1, size):
        law[j] = 0.0
        for i in range(j):
            law[j] += law[i] * chain[i, j]
        total += law[j]
    for j in range(size):
        law[j] /= total


@njit(cache=True, nogil=True)
def targets(
    pi: FloatArray,
    values: FloatArray,
    law: FloatArray,
    shapes: IntArray,
    numbers: FloatArray,
    observation: IntArray,
    own: IntArray,
    rows: IntArray,
    columns: IntArray,
    chances: FloatArray,
    rewards: FloatArray,
    occupancy: FloatArray,
    target: FloatArray,
) -> None:
    """Occupancies and targets of all players under the law ρ [s]. Overwrites `occupancy` and `target`."""
    players, joint = own.shape
    occupancy[:] = 0.0
    target[:] = 0.0
    for s in range(law.shape[0]):
        for i in range(players):
            occupancy[shapes[i, 5] + observation[i, s]] += law[s]
        for a in range(joint):
            for i in range(players):
                weight = law[s]
                for j in range(players):
                    if j != i:
                        weight *= pi[shapes[j, 4] + observation[j, s] * shapes[j, 2] + own[j, a]]
                ahead = 0.0
                for e in range(rows[s * joint + a], rows[s * joint + a + 1]):
                    ahead += chances[e] * values[shapes[i, 5] + observation[i, columns[e]]]
                cell = shapes[i, 4] + observation[i, s] * shapes[i, 2] + own[i, a]
                target[cell] += weight * (rewards[i, s, a] + numbers[i, 1] * ahead)


@njit(cache=True, nogil=True)
def drift(
    x: FloatArray,
    shapes: IntArray,
    numbers: FloatArray,
    observation: IntArray,
    own: IntArray,
    rows: IntArray,
    columns: IntArray,
    chances: FloatArray,
    rewards: FloatArray,
    room: tuple[FloatArray, ...],
    out: FloatArray,
) -> None:
    """dx/dt of a small game in one go. Overwrites `out` [parameter] and all of `room` (as in `Dynamics`)."""
    pi, values, occupancy, target, chain, law = room
    policies(x, shapes, numbers, pi, values)
    state_chain(pi, shapes, observation, own, rows, columns, chances, chain)
    eliminate(chain, law)
    targets(pi, values, law, shapes, numbers, observation, own, rows, columns, chances, rewards, occupancy, target)
    expected_updates(x, pi, occupancy, target, shapes, numbers, out)
