"""Six sampling designs.

uniform     k of n without replacement. π_i = k/n, exact given the past.
oldest      the k polled longest ago, ties at random. π_i = k/n, exact over the random order of the first round while
            all answer; given the past it is 0 or 1.
stratified  every last known zone in proportion to its robots; where robots have types, every type first. π_i = k/n,
            exact given the past.
nearest     the k whose last known zone is nearest to a position, ties at random. π_i is 1, a tie's share, or 0, exact
            given the past: only robots within reach are estimated.
weighted    in proportion to given numbers p, certain robots capped. π_i = min(1, c·p_i) with Σ = k, exact given the
            past.
graphon     weighted, with p_i what robot i matters to the priority zone (a graphon, arXiv 2602.16196): π_i is exact
            given the priority.

Robots asked instead of silent ones are drawn by the same design from those left. The probabilities are those of the
first draw; they stay right if whether a robot answers has nothing to do with its zone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meanfleet.base.arrays import BoolArray, FloatArray, IntArray

from .protocol import NEVER, Roster


class Uniform:
    """Simple random sampling without replacement."""

    name, unbiased, inclusion_is = "uniform", True, "exact"

    def draw(self, count: int, free: BoolArray, roster: Roster, tick: int, rng: np.random.Generator) -> IntArray:
        """Draw robots until enough are free ones."""
        count, drawn, fresh = min(count, int(free.sum())), ~free, list[int]()
        while len(fresh) < count:
            candidate = int(rng.integers(len(free)))
            if not drawn[candidate]:
                drawn[candidate] = True
                fresh.append(candidate)
        return np.array(fresh, dtype=np.int64)

    def inclusion(self, count: int, among: BoolArray, roster: Roster, tick: int) -> FloatArray:
        """k/n."""
        return np.where(among, min(count / max(int(among.sum()), 1), 1.0), 0.0)


class Oldest(Uniform):
    """Least recently polled: everybody once, in random order, before anybody twice."""

    name, inclusion_is = "oldest", "exact over the random order of the first round, while all robots answer"

    def draw(self, count: int, free: BoolArray, roster: Roster, tick: int, rng: np.random.Generator) -> IntArray:
        """Those asked longest ago, never at all before all others; ties at random."""
        robots = rng.permutation(np.flatnonzero(free))
        return robots[np.argsort(roster.asked[robots], kind="stable")[:count]]


class Stratified(Uniform):
    """Systematic sampling through the list sorted by last known zone; unknown zones are a stratum of their own.

    With the list in random order within each zone, a step of n/k and a random start, every zone gets its share of k
    rounded up or down, and every robot the chance k/n. Zones of one type of robots stand together in the list, so every
    type gets its share too, whether or not its robots' zones are known.

    Args:
        kinds: index of every robot's type; empty: all are alike.
    """

    name = "stratified"

    def __init__(self, kinds: Sequence[int] = ()) -> None:
        self.kinds: IntArray = np.asarray(kinds, dtype=np.int64)

    def draw(self, count: int, free: BoolArray, roster: Roster, tick: int, rng: np.random.Generator) -> IntArray:
        """Every (m/count)-th of the m free robots in that list."""
        robots = rng.permutation(np.flatnonzero(free))
        count = min(count, len(robots))
        if count == 0:
            return robots[:0]
        known = roster.known(tick)
        order = rng.permutation(int(known.max(initial=NEVER)) + 2)  # of the strata
        robots = robots[np.argsort(order[known[robots] + 1], kind="stable")]
        if self.kinds.any():
            turn = rng.permutation(int(self.kinds.max()) + 1)  # of the types
            robots = robots[np.argsort(turn[self.kinds[robots]], kind="stable")]
        points = (rng.random() + np.arange(count)) * (len(robots) / count)
        return robots[np.minimum(points.astype(np.int64), len(robots) - 1)]


class Nearest:
    """Those whose last known zone has its centre nearest to a position, as a radio would reach them.

    Args:
        distances: [m] from the position to the centre of every zone. A robot whose zone is unknown counts as being
            at their mean: positions are known only of robots that told a zone lately.
    """

    name, unbiased, inclusion_is = "nearest", False, "exact; 0 beyond the nearest, so only these are estimated"

    def __init__(self, distances: Sequence[float]) -> None:
        self.distances: FloatArray = np.asarray(distances, dtype=np.float64)

    def draw(self, count: int, free: BoolArray, roster: Roster, tick: int, rng: np.random.Generator) -> IntArray:
        """The nearest free ones."""
        robots = rng.permutation(np.flatnonzero(free))
        return robots[np.argsort(self._distance(roster, tick)[robots], kind="stable")[:count]]

    def inclusion(self, count: int, among: BoolArray, roster: Roster, tick: int) -> FloatArray:
        """1 for those certainly among the nearest, equal shares for those tied at the edge, 0 beyond."""
        distance, count = self._distance(roster, tick), min(count, int(among.sum()))
        if count <= 0:
            return np.zeros(len(roster))
        edge = np.sort(distance[among])[count - 1]
        inside, tied = among & (distance < edge), among & (distance == edge)
        return np.asarray(inside + tied * ((count - inside.sum()) / tied.sum()))

    def _distance(self, roster: Roster, tick: int) -> FloatArray:
        known = roster.known(tick)
        return np.where(known == NEVER, self.distances.mean(), self.distances[np.maximum(known, 0)])


class Weighted:
    """Systematic sampling with probabilities in proportion to given numbers.

    Args:
        probabilities: of every robot, relative; a robot with 0 is never polled, and then the rest is estimated.
    """

    name, inclusion_is = "weighted", "exact"

    def __init__(self, probabilities: Sequence[float]) -> None:
        self.probabilities: FloatArray = np.asarray(probabilities, dtype=np.float64)
        self.unbiased = bool((self.probabilities > 0).all())

    def draw(self, count: int, free: BoolArray, roster: Roster, tick: int, rng: np.random.Generator) -> IntArray:
        """Certain robots, and the others at a random start through a list in random order."""
        chance = proportional(np.where(free, self.probabilities, 0.0), count)
        certain = np.flatnonzero(chance >= 1)
        others = rng.permutation(np.flatnonzero((chance > 0) & (chance < 1)))
        wanted = min(count, int((chance > 0).sum())) - len(certain)
        if wanted <= 0:
            return certain
        marks = np.cumsum(chance[others])
        points = rng.random() + np.arange(wanted)
        chosen = np.searchsorted(marks * (wanted / marks[-1]), points, side="right")
        return rng.permutation(np.concatenate([certain, others[np.minimum(chosen, len(others) - 1)]]))

    def inclusion(self, count: int, among: BoolArray, roster: Roster, tick: int) -> FloatArray:
        """min(1, c·p) with a sum of k."""
        return proportional(np.where(among, self.probabilities, 0.0), count)


class Graphon:
    """`Weighted` by what every robot matters to the zone that has priority.

    Args:
        weights: W [priority, robot], all above 0: a graphon evaluated at zones and robots.
    """

    name, unbiased, inclusion_is = "graphon", True, "exact given the priority"

    def __init__(self, weights: Sequence[Sequence[float]]) -> None:
        self.under = tuple(Weighted(row) for row in weights)

    def draw(self, count: int, free: BoolArray, roster: Roster, tick: int, rng: np.random.Generator) -> IntArray:
        """As `Weighted` with the weights for the priority."""
        return self.under[roster.priority].draw(count, free, roster, tick, rng)

    def inclusion(self, count: int, among: BoolArray, roster: Roster, tick: int) -> FloatArray:
        """min(1, c·W[s_g, i]) with a sum of k."""
        return self.under[roster.priority].inclusion(count, among, roster, tick)

    def matters(self, priority: int) -> FloatArray:
        """W[priority, ·] [robot]."""
        return self.under[priority].probabilities


def proportional(sizes: FloatArray, count: int) -> FloatArray:
    """min(1, c·size) [robot] with c such that they sum to `count`, or to the robots with a size if these are fewer."""
    chance = np.zeros(len(sizes))
    if count <= 0 or count >= (sizes > 0).sum():
        chance[sizes > 0] = float(count > 0)
        return chance
    certain = np.zeros(len(sizes), dtype=bool)
    while True:
        chance = np.where(certain, 1.0, sizes * ((count - certain.sum()) / sizes[~certain].sum()))
        above = ~certain & (chance >= 1)
        if not above.any():
            return chance
        certain |= above
