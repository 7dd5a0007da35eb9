"""The limit of many robots and small fleets, slowly: single backups by loops, V_n over histograms by dense matrices.

A game is a plain mapping of arrays, as in `naive.surrogate`; `late` says that robots move under the priority before the
step, else the new priority acts at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .surrogate import Arrays, histograms
from .symmetric_power import dense_power


def averaged(game: Arrays, policy: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """P̃ [s][z, z'] and r̃ [s][z] under π_l [z, s, a]."""
    P_l, r_l = np.asarray(game["P_l"]), np.asarray(game["r_l"])
    states = range(policy.shape[1])
    steps = [sum(policy[:, s, a, None] * P_l[:, s, a] for a in range(policy.shape[2])) for s in states]
    return steps, [np.sum(policy[:, s] * r_l[:, s], axis=1) for s in states]


def backup(
    game: Arrays, policy: np.ndarray, late: bool, gamma: Sequence[np.ndarray], s: int, m: np.ndarray
) -> np.ndarray:
    """The vector of the best plan of one tick and then one of Γ = gamma[s'][vector, z], at (s, m)."""
    steps, rewards = averaged(game, policy)
    best, top = None, -np.inf
    for a in range(np.shape(game["r_g"])[1]):
        new = np.full(len(m), float(game["r_g"][s][a]))
        for after, chance in enumerate(game["P_g"][s][a]):
            at = s if late else after
            made = [rewards[at] + game["discount"] * steps[at] @ vector for vector in gamma[after]]
            new = new + chance * max(made, key=lambda vector: float(m @ vector))
        if m @ new > top:
            best, top = new, float(m @ new)
    assert best is not None
    return best


def optimum(game: Arrays, policy: np.ndarray, late: bool, n: int, tolerance: float = 1e-10) -> np.ndarray:
    """V_n [s, h] of the dispatcher that sees all n robots, by plain value iteration."""
    steps, rewards = averaged(game, policy)
    moves, mu = [dense_power(step, n) for step in steps], np.array(histograms(n, len(policy)))
    P_g, r_g, discount = np.asarray(game["P_g"]), np.asarray(game["r_g"]), game["discount"]
    earned, values = [mu @ reward / n for reward in rewards], np.zeros((len(steps), len(mu)))
    while True:
        after = np.empty_like(values)
        for s in range(len(steps)):
            if late:
                worth = [
                    r_g[s, a] + earned[s] + discount * moves[s] @ (P_g[s, a] @ values) for a in range(r_g.shape[1])
                ]
            else:
                ahead = [earned[t] + discount * moves[t] @ values[t] for t in range(len(steps))]
                worth = [r_g[s, a] + P_g[s, a] @ np.array(ahead) for a in range(r_g.shape[1])]
            after[s] = np.max(worth, axis=0)
        change = np.abs(after - values).max()
        values = after
        if change * discount / (1 - discount) < tolerance:
            return values


def table_values(game: Arrays, policy: np.ndarray, late: bool, table: np.ndarray) -> np.ndarray:
    """Vectors [s, z] of a plan that dispatches table[s], by simulating powers."""
    steps, rewards = averaged(game, policy)
    values = np.zeros((len(steps), len(policy)))
    for _ in range(int(np.log(1e-13) / np.log(game["discount"]))):
        after = np.empty_like(values)
        for s, a in enumerate(table):
            carried = [
                rewards[s if late else t] + game["discount"] * steps[s if late else t] @ values[t]
                for t in range(len(steps))
            ]
            after[s] = game["r_g"][s][a] + np.asarray(game["P_g"][s][a]) @ np.array(carried)
        values = after
    return values
