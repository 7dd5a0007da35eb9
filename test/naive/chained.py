"""Robots that see everything, against a dispatch rule: one by one within a tick, or all at once. Ordered tuples only.

`Ticks` enumerates ordered robots with individual actions; no zones of equal robots are grouped and nothing is
vectorised. A game is a mapping of arrays and a dispatch rule a function (s_g, histogram) -> a_g, as in `surrogate`.
"""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np

from .surrogate import Arrays, Dispatch, histogram_of


class Ticks:
    """Optimal values of k ordered robots that see (s_g, every robot's zone), against a dispatch rule.

    `dispatch` None lets the robots choose the dispatch as well.
    """

    def __init__(self, game: Arrays, k: int, dispatch: Dispatch | None) -> None:
        self.game, self.k, self.dispatch = game, k, dispatch
        self.zones, self.priorities, self.moves = np.shape(game["r_l"])
        self.states = list(itertools.product(range(self.priorities), itertools.product(range(self.zones), repeat=k)))

    def dispatches(self, s: int, robots: tuple[int, ...]) -> list[int]:
        """What the dispatcher may do in a state."""
        if self.dispatch is None:
            return list(range(np.shape(self.game["r_g"])[1]))
        return [self.dispatch(s, histogram_of(robots, self.zones))]

    def simultaneous(self, values: dict) -> dict:
        """One backup, robots choosing a joint action before any of them moves."""
        return {
            (s, robots): max(
                self.game["r_g"][s, a] + self._joint(values, s, robots, a, moves)
                for a in self.dispatches(s, robots)
                for moves in itertools.product(range(self.moves), repeat=self.k)
            )
            for s, robots in self.states
        }

    def _joint(self, values: dict, s: int, robots: tuple[int, ...], a: int, moves: tuple[int, ...]) -> float:
        r_l, P_l, P_g = self.game["r_l"], self.game["P_l"], self.game["P_g"]
        total = sum(r_l[z, s, m] for z, m in zip(robots, moves, strict=True)) / self.k
        for after in itertools.product(range(self.zones), repeat=self.k):
            chance = np.prod([P_l[z, s, m, to] for z, m, to in zip(robots, moves, after, strict=True)])
            for t in range(self.priorities):
                total += self.game["discount"] * chance * P_g[s, a, t] * values[t, after]
        return total

    def one_by_one(self, values: dict, sees_pending: bool = False, by_zone: bool = True) -> dict:
        """One backup, each robot knowing where the earlier ones went: in the order of their zones, or as numbered.

        With `sees_pending` they also know s_g' before they move, as in the chained MDPs.
        """
        result = {}
        for s, robots in self.states:
            options = []
            for a in self.dispatches(s, robots):
                pending = self.game["P_g"][s, a]
                laws = np.diag(pending) if sees_pending else [pending]
                order = tuple(sorted(robots)) if by_zone else robots
                ahead = sum(self._from(values, s, order, law) for law in laws)
                options.append(self.game["r_g"][s, a] + ahead)
            result[s, robots] = max(options)
        return result

    def _from(self, values: dict, s: int, robots: tuple[int, ...], law: np.ndarray) -> float:
        """Best expectation, s_g' having the (unnormalised) law, of what the robots in this order still bring."""
        r_l, P_l = self.game["r_l"], self.game["P_l"]

        @cache
        def best(mover: int, done: tuple[int, ...]) -> float:
            if mover == self.k:
                return self.game["discount"] * sum(law[t] * values[t, done] for t in range(self.priorities))
            z = robots[mover]
            return max(
                law.sum() * r_l[z, s, m] / self.k
                + sum(P_l[z, s, m, to] * best(mover + 1, (*done, to)) for to in range(self.zones))
                for m in range(self.moves)
            )

        return best(0, ())

    def optimum(self, backup: str, **how: bool) -> dict:
        """Fixed point of a backup, `simultaneous` or `one_by_one`, to the last digits."""
        values = dict.fromkeys(self.states, 0.0)
        while True:
            after = getattr(self, backup)(values, **how)
            change = max(abs(after[x] - values[x]) for x in self.states)
            values = after
            if change <= 1e-11 * (1 - self.game["discount"]):
                return values

    def at_start(self, values: dict) -> float:
        """Mean under the start law: robots one by one from Pólya's urn."""
        total = 0.0
        for s, robots in self.states:
            urn, chance = np.array(self.game["start_concentration"], dtype=float), self.game["start_priority"][s]
            for z in robots:
                chance *= urn[z] / urn.sum()
                urn[z] += 1
            total += chance * values[s, robots]
        return total
