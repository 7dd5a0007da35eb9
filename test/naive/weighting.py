"""Drawing k robots in proportion to weights, by enumeration in exact fractions; what they say of a fleet."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor

Law = dict[frozenset[int], Fraction]


def chances(weights: Sequence[Fraction], k: int) -> list[Fraction]:
    """min(1, c·w) with a sum of k: the heaviest are certain, as many as need be; the others share what is left."""
    order = sorted(range(len(weights)), key=lambda i: -weights[i])
    for certain in range(k + 1):
        rest = order[certain:]
        scale = Fraction(k - certain) / sum(weights[i] for i in rest) if rest else Fraction(0)
        if all(scale * weights[i] <= 1 for i in rest):
            return [Fraction(1) if i in order[:certain] else scale * weights[i] for i in range(len(weights))]
    raise AssertionError("more robots are drawn than there are")


def systematic(chance: Sequence[Fraction]) -> Law:
    """Law of the set drawn: chances end to end on a line in random order, from a random start a step of 1 at a time."""
    law: Law = defaultdict(Fraction)
    orders = list(itertools.permutations(range(len(chance))))
    for order in orders:
        ends = list(itertools.accumulate((chance[i] for i in order), initial=Fraction(0)))
        cuts = sorted({end - floor(end) for end in ends} | {Fraction(0), Fraction(1)})
        for low, high in itertools.pairwise(cuts):
            start = (low + high) / 2  # the set drawn is the same all over the piece
            points = [start + j for j in range(int(sum(chance)))]
            drawn = frozenset(
                robot
                for robot, begin, end in zip(order, ends, ends[1:], strict=False)
                if any(begin <= point < end for point in points)
            )
            law[drawn] += (high - low) / len(orders)
    return dict(law)


def evenly(robots: int, k: int) -> Law:
    """Law of the set drawn when every set of k is as likely."""
    sets = [frozenset(one) for one in itertools.combinations(range(robots), k)]
    return {one: Fraction(1, len(sets)) for one in sets}


def share_that_matters(weights: Sequence[Fraction], zones: Sequence[int], count: int) -> list[Fraction]:
    """Share of all weight that is in every zone."""
    return [
        Fraction(sum(w for w, z in zip(weights, zones, strict=True) if z == zone)) / sum(weights)
        for zone in range(count)
    ]


def mean_square(
    law: Law, chance: Sequence[Fraction], weights: Sequence[Fraction], zones: Sequence[int], count: int
) -> Fraction:
    """E |M̂ − M|² of Horvitz and Thompson's estimate of the share that matters."""
    truth, total = share_that_matters(weights, zones, count), Fraction(0)
    for drawn, probability in law.items():
        sums = [Fraction(0)] * count
        for robot in drawn:
            sums[zones[robot]] += weights[robot] / chance[robot] / sum(weights)
        total += probability * sum((a - b) ** 2 for a, b in zip(sums, truth, strict=True))
    return total


def fleet_reward(r_g: float, rewards: Sequence[float], weights: Sequence[float]) -> float:
    """r_g + Σ_i W_i r_i / Σ_i W_i, robot by robot."""
    return r_g + sum(w * r for w, r in zip(weights, rewards, strict=True)) / sum(weights)


def mean_over(law: Law, values: Mapping[frozenset[int], Sequence[float]]) -> list[float]:
    """Expectation of a list of numbers told for every set that may be drawn."""
    size = len(next(iter(values.values())))
    return [float(sum(float(p) * values[drawn][i] for drawn, p in law.items())) for i in range(size)]
