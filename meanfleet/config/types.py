"""Types of robots in the configuration: what is different for each, which robots are of it, what they matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor
from typing import Any

from pydantic import Field

from meanfleet.base.errors import suggestion

from .sections import Positive, Section

FINEST = 10**6  # largest denominator of a share of the fleet


class TypeConfig(Section):
    """One type of robots; keys of P_l and r_l that are given take the place of the game's for these robots."""

    share: Positive = Field(description="of the fleet, relative; the first robots are of the first type, and so on")
    P_l: dict[str, Any] = Field({}, description="keys of game.P_l that are different for this type")
    r_l: dict[str, Any] = Field({}, description="keys of game.r_l that are different for this type")


def counts_of(shares: Sequence[float], n: int) -> tuple[int, ...]:
    """Robots of every type: n in the proportions of the shares, by largest remainders, of equal ones the first.

    A share of the fleet is the simplest fraction there, which 0.1 is not in binary: so ties are ties, and shares that a
    game's arrays went through, a few roundings away from the configuration's, are dealt alike.
    """
    parts = [Fraction(share / sum(shares)).limit_denominator(FINEST) for share in shares]
    exact = [n * part / sum(parts) for part in parts]
    counts = [floor(value) for value in exact]
    order = sorted(range(len(shares)), key=lambda i: (counts[i] - exact[i], i))
    for i in order[: n - sum(counts)]:
        counts[i] += 1
    return tuple(counts)


def interaction_weights(
    given: Mapping[str, Mapping[str, float]], zones: Sequence[str], types: Sequence[str]
) -> tuple[tuple[float, ...], ...]:
    """What a robot of every type matters to every zone, [zone][type]; 1 where nothing is given.

    Raises:
        ValueError: an unknown zone or type.
    """
    if given and not types:
        raise ValueError("interactions: weigh types of robots, so give the key 'types' too")
    for zone, by_type in given.items():
        if zone not in zones:
            raise ValueError(f"interactions: {zone!r} is no zone{suggestion(zone, zones)}")
        for name in by_type:
            if name not in types:
                raise ValueError(f"interactions.{zone}: {name!r} is no type of robots{suggestion(name, types)}")
    return tuple(tuple(given.get(zone, {}).get(name, 1.0) for name in types) for zone in zones)


def merged(game: dict[str, Any], own: TypeConfig) -> dict[str, Any]:
    """The keys of a section `game` with a type's own; counted transitions take the place of all."""
    given = {"P_l": own.P_l, "r_l": own.r_l}
    return game | {key: keys if "counted" in keys else game[key] | keys for key, keys in given.items()}
