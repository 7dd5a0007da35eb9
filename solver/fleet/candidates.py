"""Rules that could run a fleet, dispatch tables above all: what is compared in the n-robot system."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray

from ..game import Game
from ..histograms import count_histograms, enumerate_histograms
from .counts import Fleet, Seed
from .filtered import Observer

EQUILIBRIUM = "equilibrium"  # the dispatcher's best response, in the k-robot system, to the equilibrium's π_l
BEST_RESPONSE = "best response"  # the same to another π_l
SURROGATE = (EQUILIBRIUM, BEST_RESPONSE)


class Rule(Protocol):
    """A dispatcher with the robots' policy it is run with.

    Attributes:
        name: of the rule.
        robots: name of the robots' policy.
    """

    @property
    def name(self) -> str: ...

    @property
    def robots(self) -> str: ...

    def returns(self, fleet: Fleet, rollouts: int, horizon: int, seed: Seed, first: int = 0) -> FloatArray:
        """Discounted return of every rollout, float64 [rollout]; random numbers are common to all rules."""


@dataclass(frozen=True, eq=False)
class Remembering:
    """A dispatcher that remembers, with the robots' π_l [z, s_g, a]."""

    name: str
    robots: str
    observer: Observer
    local_policy: FloatArray

    def returns(self, fleet: Fleet, rollouts: int, horizon: int, seed: Seed, first: int = 0) -> FloatArray:
        """See `Rule`."""
        return fleet.filtered_returns(self.observer, self.local_policy, rollouts, horizon, seed, first)

    def rates(self, fleet: Fleet, rollouts: int, ticks: tuple[int, int], seed: Seed) -> FloatArray:
        """Reward per tick between two ticks, float64 [rollout]: what it earns in the long run."""
        return fleet.settled_rates(self.observer, self.local_policy, rollouts, ticks, seed)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A dispatch table with the robots' policy it is run with.

    Attributes:
        name: of the rule.
        robots: name of the robots' policy.
        table: dispatch [s_g, h].
        local_policy: π_l [z, s_g, a].
    """

    name: str
    robots: str
    table: IntArray
    local_policy: FloatArray

    def returns(self, fleet: Fleet, rollouts: int, horizon: int, seed: Seed, first: int = 0) -> FloatArray:
        """See `Rule`."""
        return fleet.returns(self.table, self.local_policy, rollouts, horizon, seed, first)

    def same_as(self, other: Candidate) -> bool:
        """Whether both always do the same."""
        return np.array_equal(self.table, other.table) and np.array_equal(self.local_policy, other.local_policy)


def distinct(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Each once, under the name that comes first."""
    kept: list[Candidate] = []
    for candidate in candidates:
        if not any(candidate.same_as(other) for other in kept):
            kept.append(candidate)
    return kept


def blind_rules(game: Game) -> dict[str, IntArray]:
    """Dispatches [s_g] of the rules that ask nobody, by name.

    hold: in every state the dispatch most likely to keep s_g. pin a: dispatch a always. What polling has to beat.
    """
    states = np.arange(game.priorities)
    keep = np.argmax(game.P_g[states, :, states], axis=1)
    return {"hold": keep} | {f"pin {a}": np.full(game.priorities, a) for a in range(game.dispatches)}


def plain_tables(game: Game, k: int) -> dict[str, IntArray]:
    """Rules that need no solver, by name: the blind ones, and follow, where zones and priorities are the same."""
    size = count_histograms(k, game.zones)
    tables = {name: np.repeat(dispatch[:, None], size, axis=1) for name, dispatch in blind_rules(game).items()}
    if game.priorities == game.zones:
        tables["follow"] = follow_the_sample(game, k)
    return tables


def follow_the_sample(game: Game, k: int) -> IntArray:
    """Steer to the zone where most of the sample is; of several, to the priority if it is one, else to the first.

    To steer to a zone is the dispatch most likely to make it the priority.
    """
    histograms = enumerate_histograms(k, game.zones)
    steer = np.argmax(game.P_g, axis=1)  # [s_g, zone]
    fullest = histograms == histograms.max(axis=1, keepdims=True)
    first = np.argmax(fullest, axis=1)
    target = np.stack([np.where(fullest[:, s], s, first) for s in range(game.priorities)])
    return np.asarray(np.take_along_axis(steer, target, axis=1), dtype=np.int64)
