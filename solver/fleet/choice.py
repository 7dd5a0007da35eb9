"""Which of several rules runs the n-robot fleet best, and by how much.

The candidates race under common random numbers: all get few rollouts, those that are clearly beaten drop out, the rest
get twice as many, and so on. Being the best of many flatters the winner, so its value and its lead are measured again
under random numbers that the race has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from meanfleet.base.arrays import FloatArray
from meanfleet.base.errors import UserError

from .candidates import SURROGATE, Rule
from .counts import CHUNK, Estimate, Fleet, Seed, discounted_horizon

R = TypeVar("R", bound=Rule)

BEATEN = 3.0  # standard errors behind the leader
TWIN = 0.02  # standard deviations of a return: a lead no rule is raced further for
TICKS = 2_000_000  # per candidate at most, so that games with a long horizon take no longer


@dataclass(frozen=True, eq=False)
class Race(Generic[R]):
    """What the candidates earned.

    Attributes:
        fleet: where they ran.
        candidates: in the order given.
        returns: of each, float64 [rollout]; the first rollouts of two candidates share their random numbers.
        horizon: ticks per rollout.
    """

    fleet: Fleet
    candidates: tuple[R, ...]
    returns: tuple[FloatArray, ...]
    horizon: int

    def estimate(self, index: int) -> Estimate:
        """Mean return of a candidate."""
        return Estimate.of(self.returns[index], self.horizon)

    def ranking(self) -> list[int]:
        """Candidates by how long they stayed in the race, then by mean return: the winner first."""
        order = sorted(range(len(self.candidates)), key=lambda i: -self.returns[i].mean())
        return sorted(order, key=lambda i: -len(self.returns[i]))

    @property
    def winner(self) -> R:
        """The best found."""
        return self.candidates[self.ranking()[0]]

    @property
    def undecided(self) -> list[R]:
        """The winner, and all whose lag behind it is less than TWIN or may be chance (at 95 %), best first."""
        first, *others = self.ranking()
        leader, kept = self.returns[first], [self.candidates[first]]
        for i in others:
            ahead = Estimate.of(leader[: len(self.returns[i])] - self.returns[i], self.horizon)
            if min(ahead.mean - TWIN * float(leader.std(ddof=1)), ahead.interval[0]) <= 0:
                kept.append(self.candidates[i])
        return kept


def race(fleet: Fleet, candidates: Sequence[R], limit: int, seed: Seed) -> Race[R]:
    """Let the candidates race with at most `limit` rollouts each.

    One is dropped when it is behind the leader by more than BEATEN standard errors of the difference, or when it
    cannot (at 95 %) be ahead by more than TWIN standard deviations of a single return.
    """
    if not candidates:
        raise UserError("no rule to choose from")
    horizon = discounted_horizon(fleet.game.discount)
    limit = affordable(limit, horizon)
    returns = [np.empty(0)] * len(candidates)
    alive, done, wanted = list(range(len(candidates))), 0, CHUNK
    while True:
        for i in alive:
            more = candidates[i].returns(fleet, wanted - done, horizon, seed, first=done)
            returns[i] = np.concatenate([returns[i], more])
        leader = max(alive, key=lambda i: returns[i].mean())
        alive = [i for i in alive if i == leader or not _settled(returns[leader], returns[i])]
        if len(alive) == 1 or wanted >= limit:
            return Race(fleet, tuple(candidates), tuple(returns), horizon)
        done, wanted = wanted, min(2 * wanted, limit)


def affordable(rollouts: int, horizon: int) -> int:
    """Whole chunks of rollouts, at least one, and no more ticks than TICKS."""
    return max(1, min(rollouts, TICKS // horizon) // CHUNK) * CHUNK


def _settled(leader: FloatArray, other: FloatArray) -> bool:
    ahead = Estimate.of(leader - other, 0)
    beaten = ahead.mean > BEATEN * ahead.error
    twin = ahead.interval[0] >= -TWIN * float(leader.std(ddof=1))
    return beaten or twin


def paired_lead(own: FloatArray, other: FloatArray, horizon: int) -> dict[str, float]:
    """Mean and 95 % interval of own less other, returns [rollout] under common random numbers; JSON-ready."""
    ahead = Estimate.of(own - other, horizon)
    low, high = ahead.interval
    return {"mean": ahead.mean, "low": low, "high": high}


def report(raced: Race[R], winner: R, limit: int, seed: Seed) -> tuple[Estimate, dict[str, Any]]:
    """The winner's value under fresh random numbers, and how it compares, JSON-ready.

    `seed` must not be the race's. The lead is the winner's return less another's, with its 95 % interval: of the
    runner-up, and of what is best in the k-robot system where that is another candidate.
    """
    rollouts = affordable(limit, raced.horizon)
    order = raced.ranking()
    others = [raced.candidates[i] for i in order if raced.candidates[i] is not winner]

    def lead_over(other: R) -> dict[str, Any]:
        return {"name": other.name, "robots": other.robots} | paired_lead(own, fresh(other), raced.horizon)

    def fresh(one: R) -> FloatArray:
        return one.returns(raced.fleet, rollouts, raced.horizon, seed)

    own = fresh(winner)
    lead = {"runner_up": lead_over(others[0])} if others else {}
    surrogate = next((other for other in others if other.name in SURROGATE), None)
    if surrogate is not None:
        lead["equilibrium"] = lead_over(surrogate)
    screened = [
        {"name": raced.candidates[i].name, "robots": raced.candidates[i].robots} | raced.estimate(i).as_dict()
        for i in order
    ]
    rule = {"name": winner.name, "robots": winner.robots, "lead": lead, "candidates": screened}
    return Estimate.of(own, raced.horizon), rule
