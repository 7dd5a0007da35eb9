"""From a discounted chained MDP to the episodes that UCFH learns from (Algorithm 17, Lemma C.1).

- Deciding states: UCFH knows rewards of states only. Every state s is split into a deciding state, which earns nothing
  and must choose, and one outcome state (s, a) per move, which earns r(s, a) and leaves by P(·|s, a) with no choice.
  A micro-step takes two time steps.
- Horizon: with rewards of a tick in [0, r_max], the ticks after H ≥ log_{1/γ}(r_max/(ε(1−γ))) are worth at most ε.
- Discounting becomes a known factor γ^tick of the reward at each time step.

Rewards are scaled to [0, 1]; every episode earns equally often, so the shift changes no policy's rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray

from ..game import Game
from .finite import FiniteChain


@dataclass(frozen=True, eq=False)
class EpisodicMDP:
    """Episodes of `horizon` time steps; states 0…n−1 decide, n + |A|·s + a is the outcome of a in s.

    Pairs (state, action) are numbered state by state: pair[s] + a. The successor sets are known to the learner, the
    probabilities are not: only play draws from them.

    Attributes:
        deciding: number of deciding states n, those of the chain.
        ticks: macro steps per episode.
        actions: int64 [state], number of actions; 1 in outcome states.
        pair: int64 [state], first pair of the state.
        begin: int64 [pair + 1], where a pair's successors begin.
        successor: int64 [entry].
        probability: float64 [entry], the true law.
        reward: float64 [state] in [0, 1], 0 in deciding states.
        weight: float64 [time step], γ^tick.
        start: float64 [state].
        phase: int64 [state], the time steps at which the state can occur, modulo `period`.
        period: time steps per tick.
        scale: a unit of `reward` in units of the game's reward.
        shift: what an episode earns when all its rewards are 0.
        tail: lower and upper end of what follows after an episode.
    """

    deciding: int
    ticks: int
    actions: IntArray
    pair: IntArray
    begin: IntArray
    successor: IntArray
    probability: FloatArray
    reward: FloatArray
    weight: FloatArray
    start: FloatArray
    phase: IntArray
    period: int
    scale: float
    shift: float
    tail: tuple[float, float]

    @property
    def horizon(self) -> int:
        """Time steps per episode."""
        return len(self.weight)


def reward_range(game: Game) -> tuple[float, float]:
    """Least and largest reward of one tick."""
    return float(game.r_g.min() + game.r_l.min()), float(game.r_g.max() + game.r_l.max())


def truncation(discount: float, r_max: float, epsilon: float) -> int:
    """Least number of ticks H ≥ 1 with γ^H r_max/(1−γ) ≤ ε (Lemma C.1)."""
    if discount == 0 or r_max <= epsilon * (1 - discount):
        return 1
    return max(1, ceil(log(r_max / (epsilon * (1 - discount))) / log(1 / discount)))


def episodes_of(chain: FiniteChain, epsilon: float) -> EpisodicMDP:
    """Split the chain's states and cut its horizon so that what is cut off is worth `epsilon` at most."""
    game, size, moves = chain.environment.game, len(chain.states), chain.reward.shape[1]
    low, high = reward_range(game)
    ticks = truncation(game.discount, high - low, epsilon)
    micro_steps = chain.environment.micro_steps
    weight = np.repeat(game.discount ** np.arange(ticks), 2 * micro_steps)
    least = float(chain.reward.min())
    scale = float(chain.reward.max()) - least or 1.0
    outcomes = [chain.P[a][s] for s in range(size) for a in range(moves)]
    leaving = [np.array([size + moves * s + a], dtype=np.int64) for s in range(size) for a in range(moves)]
    arriving = [row.indices.astype(np.int64) for row in outcomes]
    counts = [len(ends) for ends in (*leaving, *arriving)]
    return EpisodicMDP(
        deciding=size,
        ticks=ticks,
        actions=np.concatenate([game.allowed.sum(axis=1)[chain.cells[:, 0]], np.ones(size * moves)]).astype(np.int64),
        pair=np.concatenate([moves * np.arange(size), size * moves + np.arange(size * moves)]).astype(np.int64),
        begin=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        successor=np.concatenate([*leaving, *arriving]),
        probability=np.concatenate([np.ones(len(leaving)), *(row.data for row in outcomes)]),
        reward=np.concatenate([np.zeros(size), (chain.reward.ravel() - least) / scale]),
        weight=weight,
        start=np.concatenate([chain.start, np.zeros(size * moves)]),
        phase=np.concatenate([2 * chain.pointer, np.repeat(2 * chain.pointer + 1, moves)]).astype(np.int64),
        period=2 * micro_steps,
        scale=scale,
        shift=least * float(weight.sum()) / 2,
        tail=(game.discount**ticks * low / (1 - game.discount), game.discount**ticks * high / (1 - game.discount)),
    )
