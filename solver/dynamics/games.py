"""Finite Markov games of any number of players.

In state s all players act at once, a = (a_0, …, a_{p−1}); player i sees `observation[i, s]`, earns rewards[i, s, a] and
the state becomes s' with probability T(s'|s, a). Joint actions are numbered with player 0 most significant: with two
players of two actions a = 2·a_0 + a_1. T is kept sparse, row s·A + a after row.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from meanfleet.base.arrays import FloatArray, IntArray

from ..game import ROW_SUM_TOLERANCE, GameError, plain_arrays

JOINT_ACTIONS = 1_000_000


@dataclass(frozen=True, eq=False)
class MarkovGame:
    """A validated game.

    Attributes:
        actions: number of actions of every player.
        transitions: sparse [s·A + a, s'], rows sum to 1.
        rewards: float64 [player, s, a].
        observation: int64 [player, s], what a player sees of state s: numbers from 0, each of them occurring.

    Raises:
        GameError: shapes that do not fit, or values that are no laws, rewards or observations.
    """

    actions: tuple[int, ...]
    transitions: csr_array
    rewards: FloatArray
    observation: IntArray

    def __post_init__(self) -> None:
        if not self.actions or min(self.actions) < 1 or math.prod(self.actions) > JOINT_ACTIONS:
            raise GameError(f"actions are {self.actions}: expected at least one per player, {JOINT_ACTIONS} jointly")
        rows, states = self.transitions.shape
        if rows != states * self.joint_actions or states < 1:
            raise GameError(
                f"transitions have shape {self.transitions.shape} with {self.joint_actions} joint actions: "
                "expected [s·A + a, s']"
            )
        if self.rewards.shape != (self.players, states, self.joint_actions):
            raise GameError(
                f"rewards have shape {self.rewards.shape}, expected {(self.players, states, self.joint_actions)}"
            )
        if not np.isfinite(self.rewards).all():
            raise GameError("rewards must be finite numbers")
        self._check_laws()
        self._check_observations()

    def _check_laws(self) -> None:
        data = self.transitions.data
        if not np.isfinite(data).all() or (data < 0).any():
            raise GameError("transitions must be numbers from 0 on")
        off = np.abs(np.asarray(self.transitions.sum(axis=1)) - 1) > ROW_SUM_TOLERANCE
        if off.any():
            s, a = divmod(int(np.argmax(off)), self.joint_actions)
            raise GameError(f"transitions[{s}, {a}, :] do not sum to 1")

    def _check_observations(self) -> None:
        if self.observation.shape != (self.players, self.states):
            raise GameError(f"observation has shape {self.observation.shape}, expected {(self.players, self.states)}")
        for player, seen in enumerate(self.observation):
            if not np.array_equal(np.unique(seen), np.arange(seen.max() + 1)):
                raise GameError(f"observation[{player}] must number what is seen 0, 1, 2, … without gaps")

    @property
    def players(self) -> int:
        """Number of players."""
        return len(self.actions)

    @property
    def states(self) -> int:
        """Number of states."""
        return int(self.transitions.shape[1])

    @property
    def joint_actions(self) -> int:
        """A, the product of the players' numbers of actions."""
        return math.prod(self.actions)

    @property
    def observations(self) -> tuple[int, ...]:
        """How many observations every player tells apart."""
        return tuple(int(seen.max()) + 1 for seen in self.observation)

    @property
    def strides(self) -> IntArray:
        """Weight of every player's action in the number of the joint action [player]."""
        after = [math.prod(self.actions[i + 1 :]) for i in range(self.players)]
        return np.array(after, dtype=np.int64)

    @property
    def own_action(self) -> IntArray:
        """Every player's part of a joint action [player, a]."""
        joint = np.arange(self.joint_actions)
        return np.asarray(joint // self.strides[:, None] % np.array(self.actions)[:, None], dtype=np.int64)

    @classmethod
    def from_arrays(
        cls,
        transitions: ArrayLike,
        rewards: ArrayLike,
        actions: Sequence[int],
        observation: ArrayLike | None = None,
    ) -> MarkovGame:
        """A game from dense arrays: transitions [s, a, s'], rewards [player, s, a]; by default everybody sees s.

        Raises:
            GameError: these are no game.
        """
        try:
            law, earned = np.array(transitions, dtype=np.float64), np.array(rewards, dtype=np.float64)
            seen = None if observation is None else np.array(observation)
        except (TypeError, ValueError) as error:
            raise GameError(f"transitions, rewards and observation must be arrays of numbers ({error})") from None
        if law.ndim != 3 or law.shape[0] != law.shape[2]:
            raise GameError(f"transitions have shape {law.shape}, expected [s, a, s']")
        if seen is None:
            seen = np.tile(np.arange(len(law)), (len(actions), 1))
        if seen.dtype.kind not in "iu" or (seen < 0).any():
            raise GameError("observation must hold whole numbers from 0 on")
        sparse = csr_array(law.reshape(-1, law.shape[2]))
        return cls(tuple(int(m) for m in actions), sparse, earned, seen.astype(np.int64))

    @classmethod
    def repeated(cls, payoffs: ArrayLike, remember: bool = True) -> MarkovGame:
        """A matrix game played again and again.

        Args:
            payoffs: [a_0, …, a_{p−1}, player].
            remember: the state is the last joint action; otherwise there is one state.

        Raises:
            GameError: payoffs are no such array.
        """
        try:
            table = np.array(payoffs, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise GameError(f"payoffs must be an array of numbers [a_0, …, player] ({error})") from None
        players = table.ndim - 1
        if players < 1 or table.shape[-1] != players:
            raise GameError(
                f"payoffs have shape {table.shape}: expected one axis per player and as many payoffs at every cell"
            )
        actions, joint = table.shape[:-1], math.prod(table.shape[:-1])
        rewards = table.reshape(joint, players).T
        states = joint if remember else 1
        law = np.eye(joint)[None].repeat(joint, axis=0) if remember else np.ones((1, joint, 1))
        return cls.from_arrays(law, rewards[:, None].repeat(states, axis=1), actions)

    @classmethod
    def from_npz(cls, path: str | os.PathLike[str]) -> MarkovGame:
        """Read transitions [s, a, s'], rewards [player, s, a], actions [player] and, if there, observation.

        Raises:
            GameError: the file is unreadable, or holds no game.
        """
        names = {"transitions", "rewards", "actions"}
        arrays = plain_arrays(path)
        if not names <= set(arrays) <= names | {"observation"}:
            raise GameError(f"{Path(path)} must hold {', '.join(sorted(names))} and optionally observation, no more")
        actions = arrays["actions"]
        if actions.ndim != 1 or actions.dtype.kind not in "iu":
            raise GameError(f"{path}: actions must be whole numbers [player]")
        try:
            observation = arrays.get("observation")
            return cls.from_arrays(arrays["transitions"], arrays["rewards"], actions.tolist(), observation)
        except GameError as error:
            raise GameError(f"{path}: {error}") from None
