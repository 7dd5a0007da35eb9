"""What a sample says of a fleet, by going through every way to draw it robot by robot."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from .surrogate import Dispatch, TupleSystem, histogram_of

Counts = tuple[int, ...]


def sample_law(fleet: Counts, k: int) -> dict[Counts, float]:
    """Law of the histogram of k robots out of the fleet: every subset of named robots is equally likely."""
    robots = [zone for zone, count in enumerate(fleet) for _ in range(count)]
    subsets = list(itertools.combinations(range(len(robots)), k))
    law: dict[Counts, float] = {}
    for subset in subsets:
        seen = histogram_of(tuple(robots[i] for i in subset), len(fleet))
        law[seen] = law.get(seen, 0.0) + 1 / len(subsets)
    return law


def posterior_means(
    fleets: Sequence[Counts], prior: Sequence[float], values: Sequence[np.ndarray], k: int
) -> Mapping[Counts, np.ndarray]:
    """E[value | histogram of k robots] for every histogram that can be seen."""
    joint: dict[Counts, list[tuple[float, np.ndarray]]] = {}
    for fleet, chance, value in zip(fleets, prior, values, strict=True):
        for seen, likelihood in sample_law(fleet, k).items():
            joint.setdefault(seen, []).append((chance * likelihood, value))
    return {seen: sum(w * v for w, v in terms) / sum(w for w, _ in terms) for seen, terms in joint.items()}


class PartlySeen:
    """The n-robot system under a dispatcher that sees k of the robots, drawn anew every tick: exact, by dense matrices.

    `system` is the n-robot system over ordered robots.
    """

    def __init__(self, system: TupleSystem, dispatch: Dispatch, k: int) -> None:
        self.system = system
        self.fleets = [histogram_of(robots, system.zones) for robots in system.tuples]
        game, size = system.game, len(system.tuples)
        kernel = np.zeros((system.priorities, size, system.priorities, size))
        reward = np.array(system.fleet_reward)
        for i, fleet in enumerate(self.fleets):
            law = sample_law(fleet, k)
            for s in range(system.priorities):
                for seen, chance in law.items():
                    a = dispatch(s, seen)
                    reward[s, i] += chance * game["r_g"][s, a]
                    kernel[s, i] += chance * np.outer(game["P_g"][s, a], system.kernel[s, i])
        states = system.priorities * size
        self.resolvent = np.linalg.inv(np.eye(states) - game["discount"] * kernel.reshape(states, states))
        self.reward = reward.ravel()

    def expected_return(self) -> float:
        """J at the start law."""
        return float(self.system.start().ravel() @ self.resolvent @ self.reward)

    def law_given_priority(self, s: int) -> dict[Counts, float]:
        """Law of the fleet given s_g = s, over the discounted occupancy."""
        occupancy = (self.system.start().ravel() @ self.resolvent).reshape(self.system.priorities, -1)[s]
        law: dict[Counts, float] = {}
        for fleet, weight in zip(self.fleets, occupancy / occupancy.sum(), strict=True):
            law[fleet] = law.get(fleet, 0.0) + weight
        return law
