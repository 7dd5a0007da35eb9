"""UCFH: optimism in episodes of a fixed horizon, with confidence sets on transitions (Dann & Brunskill 2015, Alg. 1).

Repeat: plan in the most favourable model within the confidence sets (fixed-horizon extended value iteration), play its
policy until some pair (s, a) was seen often enough, take that pair's new observations into the model. With S states, N
pairs of more than one successor, at most C of them, and horizon H, in units in which rewards lie in [0, 1],

    w_min = ε/(4HS)      U_max = N log₂(SH/w_min)      δ₁ = δ/(2 U_max C)
    m = 512 (log₂ log₂ H)² (C H²/ε²) log₂²(8H²S²/ε) ln(6/δ₁)
    update (s, a) when v(s, a) ≥ max(m w_min, n(s, a)) and n(s, a) < S m H

With these constants, probability 1 − δ, only so many episodes follow a policy worse than ε. That number is far beyond
any budget, even on toys: m w_min alone, the visits before a first update, is some 10⁸. Two factors make it practical:
`scale` narrows the confidence sets, `patience` shortens the wait; at 1 both are the theory. Without patience counts
double from the first visit on, and U_max becomes N (1 + log₂(visits in the budget)) where that is more.

Planning also gives the policy's return in the *least* favourable model. When the two are ε apart the policy is
ε-optimal wherever the confidence sets hold, at scale 1 with probability 1 − δ, whatever the patience; learning ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log2

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.arrays import IntArray, Progress
from meanfleet.base.errors import UserError

from .episodic import EpisodicMDP
from .kernels import extended_value_iteration, intervals, play


@dataclass(frozen=True)
class Confidence:
    """How sure UCFH wants to be.

    Attributes:
        epsilon: by how much the learned policy's return over an episode may fall short, in units of the game's reward.
        delta: probability with which it may fall short by more.
        scale: factor of all confidence widths; 1 is the theory.
        patience: factor of m in the visits awaited before a first update; 1 is the theory, 0 begins with one visit.
        episodes: budget.
    """

    epsilon: float = 0.1
    delta: float = 0.1
    scale: float = 1.0
    patience: float = 0.0
    episodes: int = 1_000_000

    def __post_init__(self) -> None:
        positive = min(self.epsilon, self.delta, self.scale, self.episodes) > 0
        if not (positive and self.delta < 1 and self.patience >= 0):
            raise UserError(
                f"epsilon = {self.epsilon}, delta = {self.delta}, scale = {self.scale}, episodes = {self.episodes}, "
                f"patience = {self.patience}: expected numbers above 0, delta below 1, patience 0 or more"
            )


@dataclass(frozen=True)
class Constants:
    """The algorithm's constants, from the size of the problem.

    Attributes:
        log_term: ln(6/δ₁).
        m: visits that make a pair of weight 1 known.
        floor: patience · m w_min, visits before a first update.
        cap: S m H, visits after which a pair is left alone.
    """

    log_term: float
    m: float
    floor: float
    cap: float

    @classmethod
    def of(cls, mdp: EpisodicMDP, confidence: Confidence) -> Constants:
        """Those of Dann & Brunskill, ε in the learner's units."""
        successors = np.diff(mdp.begin)
        H, S, N, C = mdp.horizon, len(mdp.actions), max(1, int((successors > 1).sum())), max(2, int(successors.max()))
        epsilon = min(confidence.epsilon / mdp.scale, float(H))
        w_min = epsilon / (4 * H * S)
        updates = N * max(log2(S * H / w_min), 1 + log2(confidence.episodes * H))
        log_term = log(6 * 2 * updates * C / confidence.delta)
        iterated = max(1.0, log2(max(2.0, log2(H)))) ** 2
        m = 512 * iterated * C * H**2 / epsilon**2 * log2(8 * H**2 * S**2 / epsilon) ** 2 * log_term
        return cls(log_term, m, confidence.patience * m * w_min, S * m * H)


@dataclass(frozen=True, eq=False)
class Learned:
    """What UCFH ended with.

    Attributes:
        moves: int64 [micro-step of an episode, chain state]; −1 where the state cannot occur.
        low: the policy's discounted return over all ticks is no less, if the confidence sets hold.
        high: no policy's is more, likewise.
        width: best minus worst return of an episode in the confidence sets, in units of the game's reward.
        settled: whether `width` came down to ε within the budget.
        episodes: played.
        updates: of the model, each followed by planning.
        confidence: as asked for, scale and patience included.
        constants: as computed.
    """

    moves: IntArray
    low: float
    high: float
    width: float
    settled: bool
    episodes: int
    updates: int
    confidence: Confidence
    constants: Constants


def learn(
    mdp: EpisodicMDP, confidence: Confidence, rng: np.random.Generator, progress: Progress | None = None
) -> Learned:
    """Play episodes until the policy is settled or the budget is used up."""
    constants = Constants.of(mdp, confidence)
    model = _Model(mdp, constants, confidence.scale)
    episodes = updates = 0
    while True:
        policy, high, low = model.plan()
        width = mdp.scale * (high - low)
        if progress is not None:
            progress("width", width)
        if width <= confidence.epsilon or episodes >= confidence.episodes:
            break
        episodes += model.play(policy, rng, confidence.episodes - episodes)
        updates += model.update()
    return Learned(
        moves=np.ascontiguousarray(policy[::2, : mdp.deciding]),
        low=mdp.shift + mdp.scale * low + mdp.tail[0],
        high=mdp.shift + mdp.scale * high + mdp.tail[1],
        width=width,
        settled=width <= confidence.epsilon,
        episodes=episodes,
        updates=updates,
        confidence=confidence,
        constants=constants,
    )


class _Model:
    """Counts of the model (n) and counts not yet taken into it (v)."""

    def __init__(self, mdp: EpisodicMDP, constants: Constants, scale: float) -> None:
        self.mdp, self.constants, self.scale = mdp, constants, scale
        pairs, entries = len(mdp.begin) - 1, len(mdp.successor)
        self.n, self.v = np.zeros(pairs, dtype=np.int64), np.zeros(pairs, dtype=np.int64)
        self.n_next, self.v_next = np.zeros(entries, dtype=np.int64), np.zeros(entries, dtype=np.int64)
        # A single known successor leaves nothing to learn.
        self.fixed = np.diff(mdp.begin) == 1
        self.cumulative = np.concatenate(
            [np.cumsum(part) / part.sum() for part in np.split(mdp.probability, mdp.begin[1:-1])]
        )
        self.start = np.cumsum(mdp.start) / mdp.start.sum()
        self.by_phase: IntArray = np.argsort(mdp.phase, kind="stable")
        self.phase_begin: IntArray = np.searchsorted(mdp.phase[self.by_phase], np.arange(mdp.period + 1))

    def plan(self) -> tuple[IntArray, float, float]:
        """Optimistic policy [time step, state], its return in the best and in the worst model."""
        mdp = self.mdp
        low, high = intervals(self.n, self.n_next, mdp.begin, self.fixed, self.constants.log_term, self.scale)
        policy, best, worst = extended_value_iteration(
            mdp.actions, mdp.pair, mdp.begin, mdp.successor, mdp.reward, mdp.weight,
            self.by_phase, self.phase_begin, low, high,
        )  # fmt: skip
        return policy, float(mdp.start @ best), float(mdp.start @ worst)

    def play(self, policy: IntArray, rng: np.random.Generator, budget: int) -> int:
        """Play until a pair is due or the budget is used up; return the number of episodes."""
        mdp, c = self.mdp, self.constants
        return int(
            play(
                policy, mdp.pair, mdp.begin, mdp.successor, self.cumulative, self.start,
                self.fixed, self.n, c.floor, c.cap, rng, budget, self.v, self.v_next,
            )
        )  # fmt: skip

    def update(self) -> int:
        """Take one due pair's observations into the model; return how many pairs that were."""
        due = np.flatnonzero(self._due())
        if not len(due):
            return 0
        pair = int(due[0])
        entries = slice(self.mdp.begin[pair], self.mdp.begin[pair + 1])
        self.n[pair] += self.v[pair]
        self.n_next[entries] += self.v_next[entries]
        self.v[pair] = 0
        self.v_next[entries] = 0
        return 1

    def _due(self) -> NDArray[np.bool_]:
        enough = self.v >= np.maximum(np.maximum(self.constants.floor, self.n), 1)
        return np.asarray(enough & (self.n < self.constants.cap) & ~self.fixed)
