"""Compiled steps of the learning process itself: act, let the state follow, let every player learn.

Rows of tables are named by their first index, not sliced, and the helpers are inlined: making views and handing arrays
over would cost more than the arithmetic (120 ns a step for two players, otherwise 300).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from meanfleet.base.arrays import FloatArray, IntArray

from .learners import COUNTERFACTUAL, POLICY_GRADIENT, SARSA


@njit(cache=True, nogil=True, inline="always")
def draw(law: FloatArray, first: int, end: int, level: float) -> int:
    """The index from `first` on at which the running sum of law[first:end] passes `level` in [0, 1)."""
    index, total = first, law[first]
    while index < end - 1 and level >= total:
        index += 1
        total += law[index]
    return index


@njit(cache=True, nogil=True, inline="always")
def act_at(
    x: FloatArray, cell: int, choices: int, rule: int, tau: float, epsilon: float, out: FloatArray, player: int
) -> None:
    """out[player, b] = chance of action b by the row of x that begins at `cell` (see `kernels.act`). Mutates `out`."""
    if rule == POLICY_GRADIENT:
        tau, epsilon = 1.0, 0.0
    top = best_of(x, cell, choices)
    total = 0.0
    for b in range(choices):
        weight = 1.0 if x[cell + b] == top else math.exp((x[cell + b] - top) / tau)
        out[player, b] = weight
        total += weight
    share, least = (1.0 - epsilon) / total, epsilon / choices
    for b in range(choices):
        out[player, b] = share * out[player, b] + least


@njit(cache=True, nogil=True, inline="always")
def draw_action(policies: FloatArray, player: int, choices: int, level: float) -> int:
    """The action at which the running sum of policies[player] passes `level`."""
    b, total = 0, policies[player, 0]
    while b < choices - 1 and level >= total:
        b += 1
        total += policies[player, b]
    return b


@njit(cache=True, nogil=True, inline="always")
def best_of(x: FloatArray, first: int, choices: int) -> float:
    """Largest of x[first : first + choices]."""
    best = x[first]
    for b in range(1, choices):
        if x[first + b] > best:
            best = x[first + b]
    return float(best)


@njit(cache=True, nogil=True, inline="always")
def value_at(
    x: FloatArray, rule: int, seen: int, choices: int, at_x: int, o: int, tau: float, epsilon: float, room: FloatArray
) -> float:
    """v(o) of a player at x. Overwrites row 0 of `room` [1, b] under expected SARSA."""
    cell = at_x + o * choices
    if rule == POLICY_GRADIENT:
        return float(x[at_x + seen * choices + o])
    if rule != SARSA:
        return best_of(x, cell, choices)
    act_at(x, cell, choices, rule, tau, epsilon, room, 0)
    total = 0.0
    for b in range(choices):
        total += room[0, b] * x[cell + b]
    return total


@njit(cache=True, nogil=True, inline="always")
def learn(
    x: FloatArray,
    shapes: IntArray,
    numbers: FloatArray,
    player: int,
    share: float,
    o: int,
    b: int,
    policies: FloatArray,
    delta: float,
) -> None:
    """One update of a player from its own experience, all rules but the counterfactual. Mutates its part of `x`.

    `share` multiplies the step sizes; `policies` [player, b] is what it acted by; `delta` is r + γ v(o') less what was
    expected.
    """
    choices, at_x = shapes[player, 2], shapes[player, 3]
    cell = at_x + o * choices
    if shapes[player, 0] != POLICY_GRADIENT:
        x[cell + b] += share * numbers[player, 0] * delta
        return
    for c in range(choices):
        x[cell + c] += share * numbers[player, 0] * delta * ((1.0 if c == b else 0.0) - policies[player, c])
    x[at_x + shapes[player, 1] * choices + o] += share * numbers[player, 4] * delta


@njit(cache=True, nogil=True, inline="always")
def surprise(
    x: FloatArray,
    shapes: IntArray,
    numbers: FloatArray,
    player: int,
    o: int,
    b: int,
    after: int,
    reward: float,
    room: FloatArray,
) -> float:
    """r + γ v(o') − Q[o, b], or − V[o] under policy_gradient. Overwrites `room` [1, b]."""
    rule, seen, choices, at_x = shapes[player, 0], shapes[player, 1], shapes[player, 2], shapes[player, 3]
    ahead = value_at(x, rule, seen, choices, at_x, after, numbers[player, 2], numbers[player, 3], room)
    known = x[at_x + seen * choices + o] if rule == POLICY_GRADIENT else x[at_x + o * choices + b]
    return float(reward + numbers[player, 1] * ahead - known)


@njit(cache=True, nogil=True, error_model="numpy")
def play(
    x: FloatArray,
    s: int,
    until: IntArray,
    share: float,
    shapes: IntArray,
    numbers: FloatArray,
    observation: IntArray,
    strides: IntArray,
    rows: IntArray,
    columns: IntArray,
    chances: FloatArray,
    rewards: FloatArray,
    rng: np.random.Generator,
    path: FloatArray,
) -> int:
    """One run from state s; returns its last state.

    Mutates `x` [parameter], `rng` and `path` [point, parameter]: x after until[point] steps.
    """
    players, joint_actions = strides.shape[0], rewards.shape[2]
    policies = np.zeros((players, shapes[:, 2].max()))
    room, chosen = np.zeros((1, policies.shape[1])), np.zeros(players, np.int64)
    done = 0
    for point in range(until.shape[0]):
        for _ in range(until[point] - done):
            joint = 0
            for i in range(players):
                choices = shapes[i, 2]
                cell = shapes[i, 3] + observation[i, s] * choices
                act_at(x, cell, choices, shapes[i, 0], numbers[i, 2], numbers[i, 3], policies, i)
                chosen[i] = draw_action(policies, i, choices, rng.random())
                joint += chosen[i] * strides[i]
            row = s * joint_actions + joint
            entry = rows[row]
            if rows[row + 1] - entry > 1:
                entry = draw(chances, entry, rows[row + 1], rng.random())
            after = columns[entry]
            for i in range(players):
                o, b = observation[i, s], chosen[i]
                if shapes[i, 0] == COUNTERFACTUAL:
                    others = joint - b * strides[i]
                    _learn_all(
                        x, shapes, numbers, i, share, others, strides[i], s, observation, rows, columns, chances,
                        rewards, room,
                    )  # fmt: skip
                else:
                    seen = observation[i, after]
                    delta = surprise(x, shapes, numbers, i, o, b, seen, rewards[i, s, joint], room)
                    learn(x, shapes, numbers, i, share, o, b, policies, delta)
            s = after
        done = until[point]
        path[point] = x
    return s


@njit(cache=True, nogil=True)
def _learn_all(
    x: FloatArray,
    shapes: IntArray,
    numbers: FloatArray,
    player: int,
    share: float,
    others: int,
    stride: int,
    s: int,
    observation: IntArray,
    rows: IntArray,
    columns: IntArray,
    chances: FloatArray,
    rewards: FloatArray,
    room: FloatArray,
) -> None:
    """The counterfactual update of all own actions, `others` the joint action without the own part.

    Mutates the row of s in the player's part of `x`; overwrites `room` [1, b].
    """
    choices, at_x = shapes[player, 2], shapes[player, 3]
    for c in range(choices):
        a = others + c * stride
        ahead, row = 0.0, s * rewards.shape[2] + a
        for e in range(rows[row], rows[row + 1]):
            ahead += chances[e] * best_of(x, at_x + observation[player, columns[e]] * choices, choices)
        room[0, c] = rewards[player, s, a] + numbers[player, 1] * ahead
    cell = at_x + observation[player, s] * choices
    for c in range(choices):
        x[cell + c] += share * numbers[player, 0] * (room[0, c] - x[cell + c])
