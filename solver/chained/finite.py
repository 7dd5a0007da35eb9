"""A chained MDP as arrays: its reachable states one by one, for small games."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, diags, identity
from scipy.sparse.linalg import spsolve

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

from .environment import ChainedMDP

STATES = 50_000


@dataclass(frozen=True, eq=False)
class FiniteChain:
    """The exact law of a chain over the states that can be reached from its start.

    Attributes:
        environment: the chain.
        states: its states; an index below is a position here.
        P: per move, sparse [state, state'].
        reward: float64 [state, a].
        discount: float64 [state], γ where a micro-step ends the tick, else 1.
        start: float64 [state].
        pointer: int64 [state].
        cells: int64 [state, 2], (z, s_g) of the robots that move next.
        moved: int64 [state], how many they are.
    """

    environment: ChainedMDP[Any]
    states: tuple[Any, ...]
    P: tuple[csr_matrix, ...]
    reward: FloatArray
    discount: FloatArray
    start: FloatArray
    pointer: IntArray
    cells: IntArray
    moved: IntArray

    def under(self, local_policy: FloatArray) -> tuple[csr_matrix, FloatArray]:
        """Transition matrix and reward [state] when every robot draws its move from π_l(·|z, s_g) [z, s_g, a]."""
        rows = [local_policy[z, s] for z, s in self.cells]
        index = {state: i for i, state in enumerate(self.states)}
        laws = [self.environment.outcomes(state, row) for state, row in zip(self.states, rows, strict=True)]
        reward = [self.environment.reward(state, row) for state, row in zip(self.states, rows, strict=True)]
        return _sparse([{index[x]: p for x, p in law.items()} for law in laws], len(index)), np.array(reward)

    def value(self, P: csr_matrix, reward: FloatArray) -> FloatArray:
        """Discounted value of every state [state], by solving V = r + discount · P V."""
        system = identity(len(self.states), format="csc") - diags(self.discount) @ P.tocsc()
        return np.atleast_1d(np.asarray(spsolve(system.tocsc(), reward), dtype=np.float64))

    def value_of_moves(self, moves: IntArray) -> FloatArray:
        """Value of a deterministic policy that sees the whole state, moves [state]."""
        P = sum((diags((moves == a).astype(np.float64)) @ P for a, P in enumerate(self.P)), csr_matrix(self.P[0].shape))
        return self.value(P.tocsr(), np.take_along_axis(self.reward, moves[:, None], axis=1)[:, 0])

    def optimum(self) -> tuple[FloatArray, IntArray]:
        """Value [state] and moves [state] of the best policy that sees the whole state, by policy iteration."""
        moves = np.argmax(self.reward, axis=1)
        while True:
            values = self.value_of_moves(moves)
            q = np.stack([self.reward[:, a] + self.discount * (P @ values) for a, P in enumerate(self.P)], axis=1)
            here = np.take_along_axis(q, moves[:, None], axis=1)[:, 0]
            # Only a real rise changes a move, or rounding could make the iteration turn in circles.
            better = q.max(axis=1) > here + 1e-12 * np.maximum(1.0, np.abs(here))
            if not better.any():
                return values, moves
            moves = np.where(better, np.argmax(q, axis=1), moves)


def enumerate_chain(environment: ChainedMDP[Any], limit: int = STATES) -> FiniteChain:
    """Follow every move, and every mixture of moves, from every start.

    Raises:
        UserError: more than `limit` states.
    """
    starts = environment.starts()
    index = {state: i for i, state in enumerate(starts)}
    states = list(starts)
    pure = np.eye(environment.game.moves)
    mixed = np.full(len(pure), 1 / len(pure))  # a bin whose robots move differently gets where no pure move leads
    laws: list[list[dict[int, float]]] = [[] for _ in pure]
    for state in states:  # grows while it is walked
        for after in environment.outcomes(state, mixed):
            if after not in index:
                index[after] = len(states)
                states.append(after)
        for move, row in enumerate(pure):
            laws[move].append({index[x]: chance for x, chance in environment.outcomes(state, row).items()})
        if len(states) > limit:
            raise UserError(f"the chained MDP of k = {environment.k} has more than {limit} states: lower k")
    return FiniteChain(
        environment=environment,
        states=tuple(states),
        P=tuple(_sparse(law, len(states)) for law in laws),
        reward=np.array([[environment.reward(state, row) for row in pure] for state in states]),
        discount=np.array([environment.discount(state) for state in states]),
        start=np.array([starts.get(state, 0.0) for state in states]),
        pointer=np.array([state.pointer for state in states], dtype=np.int64),
        cells=np.array([environment.cell(state) for state in states], dtype=np.int64),
        moved=np.array([environment.moved(state) for state in states], dtype=np.int64),
    )


def _sparse(rows: list[dict[int, float]], size: int) -> csr_matrix:
    begin = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    columns = [column for row in rows for column in row]
    return csr_matrix(([p for row in rows for p in row.values()], columns, begin), shape=(len(rows), size))
