"""The configuration of learning dynamics: `dynamics:` beside a warehouse, or beside a small game of its own."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from .sections import Finite, NonNegative, Positive, Section

Table = Finite | tuple[Finite, ...] | tuple[tuple[Finite, ...], ...]
STARTS = 1000


class LearnerConfig(Section):
    """One player's learner (math.md §9)."""

    rule: Literal["q", "sarsa", "counterfactual", "policy_gradient"] = Field("q", description="how it learns")
    alpha: Positive = Field(0.01, description="step size per step")
    discount: float = Field(0.9, ge=0, lt=1, description="γ of its own, per step")
    tau: Positive = Field(0.5, description="temperature of the softmax, in units of Q")
    epsilon: NonNegative = Field(0.1, le=1, description="share of actions drawn uniformly")
    beta: Positive | None = Field(None, description="step size of V under policy_gradient; None: alpha")
    start: Table = Field(0.0, description="a number, one per action, or a row of them per observation")
    grid: tuple[Table, ...] = Field((), description="more starts: all combinations over the players are followed")


class DynamicsConfig(Section):
    """How learning is followed. Times in learning steps."""

    players: tuple[LearnerConfig, ...] = Field(min_length=1, description="a warehouse: dispatcher, robots")
    duration: Positive = Field(1000.0, description="[steps] of the ODE, and of the runs at speed-up 1")
    settle: Positive = Field(1e6, description="[steps] within which paths from the grid may come to rest")
    points: int = Field(101, ge=2, le=10_000, description="recorded times")
    runs: int = Field(100, ge=2, description="of the noisy process per speed-up")
    speedups: tuple[int, ...] = Field((1, 10), min_length=1, description="N: steps N times smaller, N times as many")
    guesses: int = Field(20, ge=0, description="random tables from which fixed points are searched, besides the paths")
    k: int = Field(2, ge=1, description="a warehouse: robots that learn")
    reward: Literal["common", "own"] = Field("common", description="a warehouse: what robots learn from")

    @model_validator(mode="after")
    def _reasonable(self) -> Self:
        if min(self.speedups) < 1 or len(set(self.speedups)) < len(self.speedups):
            raise ValueError("speedups: expected different whole numbers from 1 on")
        combinations = math.prod(max(1, len(player.grid)) for player in self.players)
        if combinations > STARTS:
            raise ValueError(f"players: the grids have {combinations} combinations, {STARTS} at most are followed")
        return self


class PlayedGame(Section):
    """A small Markov game: payoffs of a repeated matrix game, or any game from a file."""

    payoffs: Any = Field(None, description="[a_0][a_1]…[player]: the payoffs of all players")
    remember: bool = Field(True, description="the state is the last joint action; otherwise there is one state")
    file: str | None = Field(None, description="npz: transitions [s, a, s'], rewards [player, s, a], actions [player]")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.payoffs is None) == (self.file is None):
            raise ValueError("give either 'payoffs' or 'file'")
        return self


class DynamicsFile(Section):
    """A configuration that holds a small game and its learners, no warehouse."""

    markov_game: PlayedGame
    dynamics: DynamicsConfig
