"""The k-robot system robot by robot: states are (s_g, ordered tuple of zones), |S_g|·|S_l|^k of them.

A game is a plain mapping of arrays, as in math.md §1: P_g [s_g, a_g, s_g'], P_l [z, s_g, a, z'], r_g [s_g, a_g],
r_l [z, s_g, a], discount, start_priority [s_g], start_concentration [z]. No histograms inside, no clever sums.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

Arrays = Mapping[str, Any]
Dispatch = Callable[[int, tuple[int, ...]], int]
"""(s_g, histogram) -> a_g."""


def random_arrays(
    seed: int,
    priorities: int = 2,
    dispatches: int = 2,
    zones: int = 2,
    moves: int = 2,
    discount: float = 0.8,
    sparse: bool = False,
) -> dict[str, Any]:
    """A game with Dirichlet rows; with `sparse`, about half of all probabilities are 0 and rewards have both signs."""
    rng = np.random.default_rng(seed)

    def law(*shape: int) -> np.ndarray:
        rows = rng.dirichlet(np.ones(shape[-1]), size=shape[:-1])
        if sparse:
            keep = rng.random(shape) < 0.5
            keep[..., 0] |= ~keep.any(axis=-1)
            rows = np.where(keep, rows + 1e-3, 0.0)
        return rows / rows.sum(axis=-1, keepdims=True)

    low = -1.0 if sparse else 0.0
    return {
        "P_g": law(priorities, dispatches, priorities),
        "P_l": law(zones, priorities, moves, zones),
        "r_g": rng.uniform(low, 1, (priorities, dispatches)),
        "r_l": rng.uniform(low, 1, (zones, priorities, moves)),
        "discount": discount,
        "start_priority": law(priorities),
        "start_concentration": rng.uniform(0.2, 2, zones),
    }


def random_policy(seed: int, zones: int, priorities: int, moves: int, pure: bool = False) -> np.ndarray:
    """π_l [z, s_g, a]."""
    rng = np.random.default_rng(seed)
    if pure:
        return np.eye(moves)[rng.integers(moves, size=(zones, priorities))]
    return rng.dirichlet(np.ones(moves), size=(zones, priorities))


def histograms(k: int, zones: int) -> list[tuple[int, ...]]:
    """All histograms of k robots, largest first count first."""
    every = itertools.product(range(k + 1), repeat=zones)
    return sorted((h for h in every if sum(h) == k), reverse=True)


def histogram_of(robots: tuple[int, ...], zones: int) -> tuple[int, ...]:
    """Count robots per zone."""
    return tuple(robots.count(z) for z in range(zones))


def next_histogram_law(P: np.ndarray, histogram: tuple[int, ...]) -> dict[tuple[int, ...], float]:
    """Law of the next histogram when each robot moves by P: enumerate all joint moves."""
    zones = len(histogram)
    robots = [z for z in range(zones) for _ in range(histogram[z])]
    law: dict[tuple[int, ...], float] = defaultdict(float)
    for after in itertools.product(range(zones), repeat=len(robots)):
        chance = 1.0
        for z, to in zip(robots, after, strict=True):
            chance *= P[z, to]
        law[histogram_of(after, zones)] += chance
    return dict(law)


class TupleSystem:
    """The k-robot system under a fixed π_l, dense over ordered tuples of zones."""

    def __init__(self, game: Arrays, local_policy: np.ndarray, k: int) -> None:
        self.game, self.k = game, k
        self.zones, self.priorities, self.moves = np.shape(game["r_l"])
        self.dispatches = np.shape(game["r_g"])[1]
        self.tuples = list(itertools.product(range(self.zones), repeat=k))
        self.kernel = np.zeros((self.priorities, len(self.tuples), len(self.tuples)))
        self.fleet_reward = np.zeros((self.priorities, len(self.tuples)))
        for s in range(self.priorities):
            tilde = [
                sum(local_policy[z, s, a] * game["P_l"][z, s, a] for a in range(self.moves)) for z in range(self.zones)
            ]
            reward = [
                sum(local_policy[z, s, a] * game["r_l"][z, s, a] for a in range(self.moves)) for z in range(self.zones)
            ]
            for i, robots in enumerate(self.tuples):
                row = np.ones(1)
                for z in robots:
                    row = np.outer(row, tilde[z]).ravel()
                self.kernel[s, i] = row
                self.fleet_reward[s, i] = sum(reward[z] for z in robots) / k

    def start(self) -> np.ndarray:
        """Law of (s_g, tuple) at the start: robots one by one from Pólya's urn, which is Dirichlet–multinomial."""
        alpha = self.game["start_concentration"]
        law = np.zeros(len(self.tuples))
        for i, robots in enumerate(self.tuples):
            urn, chance = np.array(alpha, dtype=float), 1.0
            for z in robots:
                chance *= urn[z] / urn.sum()
                urn[z] += 1
            law[i] = chance
        return np.outer(self.game["start_priority"], law)

    def q_values(self, values: np.ndarray) -> np.ndarray:
        """(T V)(s_g, tuple, a_g)."""
        q = np.zeros((*values.shape, self.dispatches))
        for s in range(self.priorities):
            ahead = self.kernel[s] @ values.T
            for a in range(self.dispatches):
                future = ahead @ self.game["P_g"][s, a]
                q[s, :, a] = self.game["r_g"][s, a] + self.fleet_reward[s] + self.game["discount"] * future
        return q

    def optimal(self) -> np.ndarray:
        """Value of the dispatcher's best response [s_g, tuple], by value iteration to the last digits."""
        values = np.zeros_like(self.fleet_reward)
        for _ in range(10_000):
            after = self.q_values(values).max(axis=2)
            if np.abs(after - values).max() <= 1e-14 * max(1.0, np.abs(after).max()):
                break
            values = after
        return values

    def chain(self, dispatch: Dispatch) -> tuple[np.ndarray, np.ndarray]:
        """Transition matrix and reward over flat states (s_g, tuple) of a dispatch rule."""
        size = len(self.tuples)
        P, r = np.zeros((self.priorities * size, self.priorities * size)), np.zeros(self.priorities * size)
        for s in range(self.priorities):
            for i, robots in enumerate(self.tuples):
                a = dispatch(s, histogram_of(robots, self.zones))
                r[s * size + i] = self.game["r_g"][s, a] + self.fleet_reward[s, i]
                for t in range(self.priorities):
                    P[s * size + i, t * size : (t + 1) * size] = self.game["P_g"][s, a, t] * self.kernel[s, i]
        return P, r

    def value(self, dispatch: Dispatch) -> np.ndarray:
        """Value of a dispatch rule [s_g, tuple], by solving (I − γP) V = r."""
        P, r = self.chain(dispatch)
        return np.linalg.solve(np.eye(len(r)) - self.game["discount"] * P, r).reshape(self.fleet_reward.shape)

    def expected_return(self, dispatch: Dispatch) -> float:
        """J at the start law."""
        return float(np.sum(self.start() * self.value(dispatch)))

    def occupancy(self, dispatch: Dispatch) -> np.ndarray:
        """Σ_t γ^t law(t) [s_g, tuple], by solving d (I − γP) = start."""
        P, r = self.chain(dispatch)
        flat = np.linalg.solve((np.eye(len(r)) - self.game["discount"] * P).T, self.start().ravel())
        return flat.reshape(self.fleet_reward.shape)

    def by_histogram(self, values: np.ndarray) -> np.ndarray:
        """Values [s_g, tuple] that depend on the histogram only, as [s_g, h] in the order of `histograms`."""
        order = {h: i for i, h in enumerate(histograms(self.k, self.zones))}
        result = np.full((self.priorities, len(order)), np.nan)
        for i, robots in enumerate(self.tuples):
            result[:, order[histogram_of(robots, self.zones)]] = values[:, i]
        return result

    def summed_by_histogram(self, mass: np.ndarray) -> np.ndarray:
        """Mass [s_g, tuple] added up per histogram [s_g, h]."""
        order = {h: i for i, h in enumerate(histograms(self.k, self.zones))}
        result = np.zeros((self.priorities, len(order)))
        for i, robots in enumerate(self.tuples):
            result[:, order[histogram_of(robots, self.zones)]] += mass[:, i]
        return result


def pure_policies(zones: int, priorities: int, moves: int) -> Iterator[np.ndarray]:
    """Every deterministic π_l."""
    for choice in itertools.product(range(moves), repeat=zones * priorities):
        yield np.eye(moves)[np.reshape(choice, (zones, priorities))]


def best_pure_policy(game: Arrays, k: int, dispatch: Dispatch) -> tuple[float, np.ndarray]:
    """The deterministic π_l with the highest J against a dispatch rule, by trying all of them."""
    zones, priorities, moves = np.shape(game["r_l"])
    return max(
        ((TupleSystem(game, p, k).expected_return(dispatch), p) for p in pure_policies(zones, priorities, moves)),
        key=lambda pair: pair[0],
    )
