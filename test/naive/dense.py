"""The k-robot system over (s_g, histogram) with dense matrices, and its optimum by Howard's policy iteration.

For games with a discount near 1, where plain value iteration takes forever; see `naive.surrogate` for a game's arrays.
"""

from __future__ import annotations

import numpy as np

from .surrogate import Arrays, histograms
from .symmetric_power import dense_power


class DenseSystem:
    """All transitions between (s_g, histogram) under a fixed π_l [z, s_g, a]."""

    def __init__(self, game: Arrays, local_policy: np.ndarray, k: int) -> None:
        self.game = game
        self.priorities, self.dispatches = np.shape(game["r_g"])
        mu = np.array(histograms(k, len(local_policy)))
        self.moves = [
            dense_power(np.einsum("za,zay->zy", local_policy[:, s], np.asarray(game["P_l"])[:, s]), k)
            for s in range(self.priorities)
        ]
        self.fleet_reward = np.array(
            [
                mu @ np.sum(local_policy[:, s] * np.asarray(game["r_l"])[:, s], axis=1) / k
                for s in range(self.priorities)
            ]
        )

    def q_values(self, values: np.ndarray) -> np.ndarray:
        """(T V)[s_g, h, a_g]."""
        q = np.empty((*values.shape, self.dispatches))
        for s in range(self.priorities):
            for a in range(self.dispatches):
                future = self.moves[s] @ (np.asarray(self.game["P_g"])[s, a] @ values)
                q[s, :, a] = self.game["r_g"][s][a] + self.fleet_reward[s] + self.game["discount"] * future
        return q

    def value(self, table: np.ndarray) -> np.ndarray:
        """Value [s_g, h] of a dispatch table, by solving (I − γP) V = r."""
        size = table.shape[1]
        P, r = np.zeros((table.size, table.size)), np.zeros(table.size)
        for s in range(self.priorities):
            rows = slice(s * size, (s + 1) * size)
            steering = np.asarray(self.game["P_g"])[s][table[s]]
            r[rows] = np.asarray(self.game["r_g"])[s][table[s]] + self.fleet_reward[s]
            for t in range(self.priorities):
                P[rows, t * size : (t + 1) * size] = steering[:, t, None] * self.moves[s]
        return np.linalg.solve(np.eye(table.size) - self.game["discount"] * P, r).reshape(table.shape)

    def optimal(self) -> np.ndarray:
        """Value of the best dispatch table [s_g, h]."""
        table = np.zeros(self.fleet_reward.shape, dtype=int)
        for _ in range(200):
            values = self.value(table)
            q = self.q_values(values)
            better = q.max(axis=2) > np.take_along_axis(q, table[:, :, None], axis=2)[:, :, 0] + 1e-11 * np.abs(q).max()
            if not better.any():
                return values
            table = np.where(better, q.argmax(axis=2), table)
        raise AssertionError("policy iteration did not end")
