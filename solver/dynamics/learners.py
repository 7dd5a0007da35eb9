"""Learners: what they keep, how they act on it, and how one step changes it.

With o the observation, b the own action, r the reward, o' the next observation and δ the step size α:

    q                Q[o, b] += α (r + γ max Q[o'] − Q[o, b])
    sarsa            Q[o, b] += α (r + γ Σ_c π(c|o') Q[o', c] − Q[o, b])             expected SARSA
    counterfactual   for every c: Q[o, c] += α (E[r + γ max Q[o'] | s, a with b replaced by c] − Q[o, c])
    policy_gradient  δ = r + γ V[o'] − V[o];  θ[o, c] += α δ (1[c = b] − π(c|o));  V[o] += β δ

The first three act by π = (1 − ε)·softmax(Q/τ) + ε/|A|, the last one by softmax(θ). All their drifts are linear in the
flow of experience, so that one formula serves them all (`kernels`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError

Rule = Literal["q", "sarsa", "counterfactual", "policy_gradient"]
RULES: tuple[Rule, ...] = ("q", "sarsa", "counterfactual", "policy_gradient")
Q, SARSA, COUNTERFACTUAL, POLICY_GRADIENT = range(4)


@dataclass(frozen=True)
class Learner:
    """How one player learns.

    Attributes:
        rule: one of `RULES`.
        alpha: step size per step.
        discount: γ in [0, 1).
        tau: temperature of the softmax, in units of Q.
        epsilon: share of actions drawn uniformly.
        beta: step size of V under policy_gradient; None: α.

    Raises:
        UserError: a number out of range.
    """

    rule: Rule = "q"
    alpha: float = 0.01
    discount: float = 0.9
    tau: float = 0.5
    epsilon: float = 0.1
    beta: float | None = None

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise UserError(f"rule {self.rule!r} is unknown: expected one of {', '.join(RULES)}")
        for name, valid, expected in (
            ("alpha", 0 < self.alpha < np.inf, "above 0"),
            ("discount", 0 <= self.discount < 1, "in [0, 1)"),
            ("tau", 0 < self.tau < np.inf, "above 0"),
            ("epsilon", 0 <= self.epsilon <= 1, "in [0, 1]"),
            ("beta", self.beta is None or 0 < self.beta < np.inf, "above 0"),
        ):
            if not valid:
                raise UserError(f"{name} is {getattr(self, name)}: expected a number {expected}")

    @property
    def numbers(self) -> tuple[float, float, float, float, float]:
        """(α, γ, τ, ε, β) as the kernels take them."""
        beta = self.alpha if self.beta is None else self.beta
        return self.alpha, self.discount, self.tau, self.epsilon, beta


class Layout:
    """Where every player's tables are in the one vector x of all parameters, and in those of π and of V.

    Attributes:
        shapes: int64 [player, 6]: rule, observations, actions, first index in x, in π, in V and occupancies.
        numbers: float64 [player, 5], α, γ, τ, ε, β.
    """

    def __init__(self, learners: Sequence[Learner], observations: Sequence[int], actions: Sequence[int]) -> None:
        if not len(learners) == len(observations) == len(actions):
            raise UserError(f"{len(learners)} learners for {len(actions)} players: give one per player")
        self.learners, self.observations, self.actions = tuple(learners), tuple(observations), tuple(actions)
        rows, x, pi, v = [], 0, 0, 0
        for learner, seen, choices in zip(learners, observations, actions, strict=True):
            rule = RULES.index(learner.rule)
            rows.append((rule, seen, choices, x, pi, v))
            x += seen * choices + (seen if rule == POLICY_GRADIENT else 0)
            pi += seen * choices
            v += seen
        self.shapes: IntArray = np.array(rows, dtype=np.int64)
        self.numbers: FloatArray = np.array([learner.numbers for learner in learners])
        self.size, self.policy_size, self.value_size = x, pi, v

    @property
    def players(self) -> int:
        """Number of players."""
        return len(self.learners)

    def table(self, x: FloatArray, player: int) -> FloatArray:
        """Q, or θ, of one player: a view [..., o, b] into x [..., parameter]."""
        _, seen, choices, first, _, _ = self.shapes[player]
        return x[..., first : first + seen * choices].reshape(*x.shape[:-1], seen, choices)

    def policy(self, pi: FloatArray, player: int) -> FloatArray:
        """π of one player: a view [o, b] into the vector of all policies."""
        _, seen, choices, _, first, _ = self.shapes[player]
        return pi[first : first + seen * choices].reshape(seen, choices)

    def start(self, tables: Sequence[ArrayLike]) -> FloatArray:
        """x from one table per player: a number, a row [b] for all observations, or [o, b]; V starts at 0.

        Raises:
            UserError: a table that does not fit, or is not finite.
        """
        if len(tables) != self.players:
            raise UserError(f"{len(tables)} starting tables for {self.players} players: give one per player")
        x = np.zeros(self.size)
        for player, given in enumerate(tables):
            table = self.table(x, player)
            try:
                table[...] = np.asarray(given, dtype=np.float64)
            except (TypeError, ValueError):
                raise UserError(
                    f"the start of player {player} does not fit: expected a number, {table.shape[1]} numbers, "
                    f"or {table.shape[0]} rows of them"
                ) from None
        if not np.isfinite(x).all():
            raise UserError("starting tables must be finite numbers")
        return x

    def names(self) -> list[str]:
        """A name for every parameter, such as Q0[3,1] (player 0, observation 3, action 1)."""
        found = []
        for player, (rule, seen, choices, *_) in enumerate(self.shapes):
            symbol = "θ" if rule == POLICY_GRADIENT else "Q"
            found += [f"{symbol}{player}[{o},{b}]" for o in range(seen) for b in range(choices)]
            found += [f"V{player}[{o}]" for o in range(seen)] if rule == POLICY_GRADIENT else []
        return found
