"""Zones and the ways between them: a ring by its closed forms, any graph by an oracle, mistakes named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfleet.space.zone_graph import NO_MOVE, ZoneGraph, ZoneGraphError
from naive.ways import distances, first_move

Ways = dict[int, list[int]]


def graph_of(ways: Ways) -> ZoneGraph:
    """From plain neighbours, padded by hand."""
    longest = max(len(ends) for ends in ways.values())
    return ZoneGraph(np.array([[z, *ends, *[NO_MOVE] * (longest - len(ends))] for z, ends in ways.items()]))


@st.composite
def any_ways(draw: st.DrawFn) -> Ways:
    """Directed, of any degree, perhaps in several pieces."""
    zones = draw(st.integers(1, 6))
    others = [st.lists(st.sampled_from([y for y in range(zones) if y != z] or [z]), unique=True) for z in range(zones)]
    return {z: draw(others[z]) if zones > 1 else [] for z in range(zones)}


@given(any_ways())
def test_distances_and_first_moves_are_those_of_the_oracle(ways: Ways) -> None:
    graph, far = graph_of(ways), distances(ways)
    for z in ways:
        for y in ways:
            assert graph.distance[z, y] == min(far[z, y], graph.zones)
            assert graph.towards[z, y] == first_move(ways, z, y)


@given(any_ways())
def test_going_towards_a_goal_arrives_after_its_distance(ways: Ways) -> None:
    graph = graph_of(ways)
    for z in ways:
        for goal in ways:
            where = z
            for _ in range(graph.distance[z, goal]):
                where = graph.targets[where, graph.towards[where, goal]]
            assert (where == goal) == (graph.distance[z, goal] < graph.zones)


@pytest.mark.parametrize("zones", range(1, 9))
def test_a_ring_goes_the_shorter_way_round_and_a_tie_goes_to_next(zones: int) -> None:
    ring = ZoneGraph.ring(zones)
    for z in range(zones):
        assert ring.targets[z].tolist() == [z, (z + 1) % zones, (z - 1) % zones]
        for goal in range(zones):
            ahead = (goal - z) % zones
            assert ring.distance[z, goal] == min(ahead, zones - ahead)
            assert ring.towards[z, goal] == (0 if ahead == 0 else 1 if 2 * ahead <= zones else 2)
    assert ring.is_ring
    assert ring.allowed.all()
    assert str(ring) == f"a ring of {zones} zones"


def test_neighbours_by_name_in_the_order_of_moves() -> None:
    zones = ("hub", "east", "west")
    graph = ZoneGraph.from_neighbours(zones, {"west": ["hub"], "hub": ["west", "east"], "east": ["west"]})
    assert graph.targets.tolist() == [[0, 2, 1], [1, 2, NO_MOVE], [2, 0, NO_MOVE]]
    assert graph.allowed.tolist() == [[True] * 3, [True, True, False], [True, True, False]]
    assert graph.move_names(0, zones) == ("stay", "to west", "to east")
    assert graph.move_names(1) == ("stay", "to 2")
    assert not graph.is_ring
    assert str(graph) == "a graph of 3 zones and 4 ways"


def test_a_ring_spelled_out_is_the_ring_and_turned_round_it_is_not() -> None:
    zones = ("a", "b", "c", "d")
    ring = {zone: [zones[(i + 1) % 4], zones[i - 1]] for i, zone in enumerate(zones)}
    spelled = ZoneGraph.from_neighbours(zones, ring)
    assert spelled == ZoneGraph.ring(4)
    assert hash(spelled) == hash(ZoneGraph.ring(4))
    assert spelled.move_names(2, zones) == ("stay", "next", "previous")
    turned = ZoneGraph.from_neighbours(zones, {zone: ends[::-1] for zone, ends in ring.items()})
    assert turned != spelled
    assert turned.move_names(2, zones) == ("stay", "to b", "to d")


@pytest.mark.parametrize(
    ("neighbours", "said"),
    [
        (
            {"hub": ["eastt"], "east": ["hub"], "west": ["hub"]},
            "hub: 'eastt' is none of the zones (did you mean 'east'?)",
        ),
        ({"hub": ["east"], "east": ["hub"], "wets": ["hub"]}, "'wets' is none of the zones (did you mean 'west'?)"),
        ({"hub": ["hub"], "east": ["hub"], "west": ["hub"]}, "hub: a zone is not its own neighbour"),
        ({"hub": ["east", "west", "east"], "east": ["hub"], "west": ["hub"]}, "hub: neighbour 'east' is given twice"),
        ({"hub": ["east"], "east": ["hub"]}, "zone 'west' has no entry"),
        ({}, "zone 'hub' has no entry"),
        ({"hub": ["east"], "east": ["hub"], "west": ["hub"]}, "no way leads from 'hub' to 'west'"),
        ({"hub": ["east", "west"], "east": ["hub"], "west": []}, "no way leads from 'west' to 'hub'"),
    ],
)
def test_a_graph_that_is_wrong_is_told_where(neighbours: dict[str, list[str]], said: str) -> None:
    with pytest.raises(ZoneGraphError) as caught:
        ZoneGraph.from_neighbours(("hub", "east", "west"), neighbours)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    "targets",
    [[0, 1], [[]], [[0, 2], [1, 0]], [[0, -2], [1, 0]], [[1, 0], [0, 1]], [[0, -1, 1], [1, 0, -1]], [[0, 0.5], [1, 0]]],
    ids=str,
)
def test_targets_that_are_none_are_refused(targets: list[object]) -> None:
    with pytest.raises(ZoneGraphError, match="targets"):
        ZoneGraph(np.array(targets))


def test_targets_cannot_be_changed_later() -> None:
    mine = np.array([[0, 1], [1, 0]])
    graph = ZoneGraph(mine)
    mine[0, 1] = 0
    assert graph.targets[0, 1] == 1
    with pytest.raises(ValueError, match="read-only"):
        graph.targets[0, 1] = 0
