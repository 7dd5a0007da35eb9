"""Games of halls on a grid of zones with changing demand, as arrays and as factors.

A hall is `width` zones wide. The global state is priority · demands + demand; a dispatch is a zone, the priority
follows it at once, and changing it costs 0.5. The demand stays with 0.96. A robot stays or goes to one of four
neighbours: that succeeds with 0.8, leaves it where it is with 0.15, and ends anywhere with 0.05. It earns by the
demand for its zone, which falls off with the distance from two zones drawn for each demand, less 0.3 for a move.
Robots take the shortest way to the priority and stay when at most one zone from it. Start: global state uniform,
shares Dirichlet(0.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from meanfleet.solver import Game
from meanfleet.solver.meanfield.factored import FactoredGame

WAYS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
STAYS, CHANGES, DISCOUNT = 0.96, 0.04, 0.95


@dataclass(frozen=True)
class Hall:
    """A hall by its size; the seed draws where each demand is."""

    zones: int
    width: int
    demands: int
    seed: int = 0

    @property
    def positions(self) -> np.ndarray:
        """Column and row of each zone [z, 2]."""
        return np.stack(np.divmod(np.arange(self.zones), self.width)[::-1], axis=1)

    @property
    def distances(self) -> np.ndarray:
        """Zones on the shortest way [z, z']."""
        at = self.positions
        return np.abs(at[:, None] - at).sum(axis=2)

    @property
    def targets(self) -> np.ndarray:
        """Zone that each move leads to; at a wall it is the zone itself [z, a]."""
        after = self.positions[:, None] + np.array(WAYS)
        inside = (after >= 0).all(axis=2) & (after < [self.width, self.zones // self.width]).all(axis=2)
        return np.where(inside, after[..., 1] * self.width + after[..., 0], np.arange(self.zones)[:, None])

    @property
    def moves(self) -> np.ndarray:
        """Law of a robot's next zone [z, a, z']."""
        every = np.eye(self.zones)
        law = np.zeros((self.zones, len(WAYS), self.zones))
        law += 0.8 * every[self.targets]
        law += 0.15 * every[:, None]
        return law + 0.05 / self.zones

    @property
    def weights(self) -> np.ndarray:
        """What each demand pays in each zone [d, z]."""
        rng, far = np.random.default_rng(self.seed), self.distances
        hot = [rng.choice(self.zones, 2, replace=False) for _ in range(self.demands)]
        return np.array([10 * np.exp(-far[two].min(axis=0)) for two in hot])

    @property
    def chain(self) -> np.ndarray:
        """Law of the next demand [d, d']."""
        if self.demands == 1:
            return np.ones((1, 1))
        law = np.full((self.demands, self.demands), CHANGES / (self.demands - 1))
        np.fill_diagonal(law, STAYS)
        return law

    @property
    def shortest_way(self) -> np.ndarray:
        """π_l by the priority [z, p, a]."""
        far = self.distances
        nearest = np.argmin(far[self.targets], axis=1)  # [z, p]
        return np.eye(len(WAYS))[np.where(far <= 1, 0, nearest)]

    @property
    def cost(self) -> np.ndarray:
        """r_g by the priority [p, a_g]."""
        return np.where(np.eye(self.zones, dtype=bool), 0.0, -0.5)

    @property
    def earned(self) -> np.ndarray:
        """r_l [z, d, a]."""
        return self.weights.T[:, :, None] - 0.3 * (np.arange(len(WAYS)) > 0)

    def arrays(self) -> dict[str, Any]:
        """The game's arrays, with the pairs of global states written out."""
        pairs, states = self.demands, self.zones * self.demands
        law = np.einsum("ap,de->daep", np.eye(self.zones), self.chain).transpose(0, 1, 3, 2)
        steering = law.reshape(1, pairs, self.zones, states)
        return {
            "P_g": np.repeat(steering, self.zones, axis=0).reshape(states, self.zones, states),
            "P_l": np.repeat(self.moves[:, None], states, axis=1),
            "r_g": np.repeat(self.cost, pairs, axis=0),
            "r_l": np.tile(self.earned, (1, self.zones, 1)),
            "discount": np.asarray(DISCOUNT),
            "start_priority": np.full(states, 1 / states),
            "start_concentration": np.full(self.zones, 0.3),
        }

    def game(self) -> tuple[Game, np.ndarray]:
        """The game, and π_l [z, s_g, a]."""
        return Game.from_arrays(self.arrays()), np.repeat(self.shortest_way, self.demands, axis=1)

    def factors(self) -> FactoredGame:
        """The same game by its factors."""
        every = np.eye(self.zones)
        return FactoredGame(
            priority_law=np.repeat(every[None], self.zones, axis=0),
            demand_law=self.chain,
            P_l=self.moves[:, None],
            r_g=self.cost,
            r_l=self.earned[:, None],
            discount=DISCOUNT,
            start=np.full((self.zones, self.demands), 1 / (self.zones * self.demands)),
            start_concentration=np.full(self.zones, 0.3),
        )
