"""Zones and the ways between them: which zone every move leads to (math.md §1), on a ring or on any directed graph.

Move 0 stays, move j goes to the j-th neighbour of the zone the robot is in. Zones may have different numbers of
neighbours, so zones may have different sets of moves: arrays over moves are as long as the largest set, and what a zone
does not have is `NO_MOVE` in `targets` and False in `allowed`. The paper's ring is the graph in which every zone's
neighbours are the next and the previous zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.arrays import IntArray
from meanfleet.base.errors import suggestion

STAY = 0
NO_MOVE = -1
RING_MOVES = ("stay", "next", "previous")


class ZoneGraphError(ValueError):
    """These are no zones with ways between them; the message says where."""


@dataclass(frozen=True, eq=False)
class ZoneGraph:
    """Where moves lead.

    Attributes:
        targets: int64 [zone, move], the zone that a move leads to; `targets[z, 0]` is z; `NO_MOVE` where the zone has
            no such move, always after those it has.

    Raises:
        ZoneGraphError: wrong shape, a zone that is none, or a gap between a zone's moves.
    """

    targets: IntArray

    def __post_init__(self) -> None:
        given = np.asarray(self.targets)
        if given.ndim != 2 or 0 in given.shape or not np.isin(given, np.arange(NO_MOVE, len(given))).all():
            raise ZoneGraphError(
                f"targets have shape {given.shape}: expected zones' numbers, or {NO_MOVE} for none, by [zone, move]"
            )
        targets = given.astype(np.int64)
        targets.setflags(write=False)
        object.__setattr__(self, "targets", targets)
        if (targets[:, 0] != np.arange(self.zones)).any():
            raise ZoneGraphError(f"targets[:, 0] are {targets[:, 0].tolist()}: move 0 stays where it is")
        gaps = ~self.allowed[:, :-1] & self.allowed[:, 1:]
        if gaps.any():
            raise ZoneGraphError(f"targets[{int(np.argwhere(gaps)[0, 0])}] have {NO_MOVE} before a neighbour")

    @classmethod
    def ring(cls, zones: int) -> ZoneGraph:
        """Zones on a ring: move 1 leads to the next zone, move 2 to the previous one."""
        here = np.arange(zones)
        return cls(np.stack([here, (here + 1) % zones, (here - 1) % zones], axis=1))

    @classmethod
    def from_neighbours(cls, zones: Sequence[str], neighbours: Mapping[str, Sequence[str]]) -> ZoneGraph:
        """The graph of named zones, with the neighbours of each in the order of its moves; ways may be one-way.

        Raises:
            ZoneGraphError: a zone that is unknown, left out, its own or twice a neighbour, or out of reach of another.
        """
        for zone, names in neighbours.items():
            _check_neighbours(zone, names, zones)
        left_out = [zone for zone in zones if zone not in neighbours]
        if left_out:
            raise ZoneGraphError(f"zone {left_out[0]!r} has no entry: name its neighbours")
        index = {zone: i for i, zone in enumerate(zones)}
        targets = np.full((len(zones), 1 + max(len(names) for names in neighbours.values())), NO_MOVE)
        for z, zone in enumerate(zones):
            targets[z, : 1 + len(neighbours[zone])] = [z, *(index[name] for name in neighbours[zone])]
        graph = cls(targets)
        cut_off = np.argwhere(graph.distance >= graph.zones)
        if len(cut_off):
            start, goal = (zones[i] for i in cut_off[0])
            raise ZoneGraphError(
                f"no way leads from {start!r} to {goal!r}: every zone must be reachable from every other"
            )
        return graph

    def copied(self, count: int) -> ZoneGraph:
        """So many copies of the graph, with no way between them: zone z of copy c is zone c·zones + z."""
        shift = (np.arange(count) * self.zones)[:, None, None]
        copies = np.where(self.allowed, self.targets + shift, NO_MOVE)
        return self if count == 1 else ZoneGraph(copies.reshape(-1, self.moves))

    @cached_property
    def copies(self) -> int:
        """How many copies of one graph this is (`copied`), at most; 1 where any zone can be reached from zone 0."""
        for count in range(self.zones, 1, -1):
            size, left = divmod(self.zones, count)
            first = self.targets[:size]
            if not left and (first < size).all() and ZoneGraph(first).copied(count) == self:
                return count
        return 1

    @property
    def zones(self) -> int:
        """|S_l|."""
        return int(self.targets.shape[0])

    @property
    def moves(self) -> int:
        """|A_l|, the largest number of moves of a zone."""
        return int(self.targets.shape[1])

    @cached_property
    def allowed(self) -> NDArray[np.bool_]:
        """Which moves a zone has, bool [zone, move]."""
        return np.asarray(self.targets != NO_MOVE)

    @cached_property
    def is_ring(self) -> bool:
        """Whether this is the ring: moves are then called next and previous, and bodies can drive it."""
        return self == ZoneGraph.ring(self.zones)

    @cached_property
    def distance(self) -> IntArray:
        """Moves of the shortest way, int64 [zone, goal], by breadth-first search; `zones` where there is no way."""
        distance = np.full((self.zones, self.zones), self.zones)
        reached = np.eye(self.zones, dtype=bool)
        steps = np.zeros_like(reached)
        rows, moves = np.nonzero(self.allowed)
        steps[rows, self.targets[rows, moves]] = True
        for moves_made in range(self.zones):
            distance[reached & (distance == self.zones)] = moves_made
            reached = reached | (reached.astype(np.int64) @ steps > 0)
        return distance

    @cached_property
    def towards(self) -> IntArray:
        """First move of a shortest way, int64 [zone, goal], of several the first; stay where there is none."""
        ahead = np.where(self.allowed[:, :, None], self.distance[self.targets], self.zones)  # [zone, move, goal]
        return np.asarray(np.argmin(ahead, axis=1), dtype=np.int64)

    def check_ways(self, zones: Sequence[str], ways: Mapping[str, Iterable[str]]) -> None:
        """Raise ZoneGraphError unless every {zone: neighbours} named is a way of the graph."""
        for zone, ends in ways.items():
            if zone not in zones:
                raise ZoneGraphError(f"{zone!r} is none of the zones{suggestion(zone, zones)}")
            neighbours = [zones[end] for end in self.targets[zones.index(zone), 1:] if end != NO_MOVE]
            for end in ends:
                if end not in neighbours:
                    hint = "" if end in zones else suggestion(end, neighbours)
                    raise ZoneGraphError(f"{end!r} is no neighbour of {zone!r}{hint}: it has {', '.join(neighbours)}")

    def move_names(self, zone: int, zones: Sequence[str] | None = None) -> tuple[str, ...]:
        """What the moves of a zone are called: next and previous on a ring, else by the zone they lead to."""
        if self.is_ring:
            return RING_MOVES
        ends = self.targets[zone, self.allowed[zone]][1:].tolist()
        return (RING_MOVES[STAY], *(f"to {end if zones is None else zones[end]}" for end in ends))

    def __str__(self) -> str:
        ways = int(self.allowed.sum()) - self.zones
        return f"a ring of {self.zones} zones" if self.is_ring else f"a graph of {self.zones} zones and {ways} ways"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ZoneGraph) and np.array_equal(self.targets, other.targets)

    def __hash__(self) -> int:
        return hash(self.targets.tobytes())


def _check_neighbours(zone: str, names: Sequence[str], zones: Sequence[str]) -> None:
    for name in (zone, *names):
        if name not in zones:
            where = "" if name is zone else f"{zone}: "
            raise ZoneGraphError(f"{where}{name!r} is none of the zones{suggestion(name, zones)}")
    if zone in names:
        raise ZoneGraphError(f"{zone}: a zone is not its own neighbour, robots may always stay")
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise ZoneGraphError(f"{zone}: neighbour {twice[0]!r} is given twice")
