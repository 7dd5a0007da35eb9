"""Games on graphs of zones: the warehouse's numbers, moves that zones do not have, best responses by brute force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.solver import Game, GameError, policies
from meanfleet.solver.alternation import best_equilibrium, starting_policies
from meanfleet.solver.bundle.policy import PolicyBundle, Table
from meanfleet.solver.chained.at_once import at_once, at_once_values
from meanfleet.solver.chained.bound import one_by_one
from meanfleet.solver.chained.episodic import episodes_of
from meanfleet.solver.chained.finite import enumerate_chain
from meanfleet.solver.chained.replicas import ReplicaChain
from meanfleet.solver.fleet.robots import best_robots
from meanfleet.solver.histograms import enumerate_histograms
from meanfleet.solver.local_learning import improve
from meanfleet.solver.surrogate import KRobotSystem
from meanfleet.space.zone_graph import NO_MOVE, ZoneGraph
from naive.surrogate import TupleSystem, random_arrays
from naive.ways import distances, plans, robots_law

ROOT = Path(__file__).resolve().parents[2]
WAYS = {0: [2, 1], 1: [2], 2: [0]}
"""Three zones: 0 → 2, 0 → 1 → 2 → 0. Zone 0 has three moves, the others two."""
GRAPH = ZoneGraph(np.array([[0, 2, 1], [1, 2, NO_MOVE], [2, 0, NO_MOVE]]))


def arrays_on_graph(seed: int, priorities: int = 2) -> dict[str, Any]:
    """A random game in whose arrays the moves that zones do not have are worth a fortune."""
    arrays = random_arrays(seed, priorities, 2, 3, 3, discount=0.7)
    for z, a in np.argwhere(~GRAPH.allowed):
        arrays["r_l"][z, :, a] = 1e6
    return arrays


def pure_policies(priorities: int) -> list[np.ndarray]:
    """Every deterministic π_l on WAYS."""
    return [np.eye(3)[np.reshape(plan, (3, priorities))] for plan in plans(WAYS, priorities)]


# --- the warehouse on a graph


@pytest.fixture(scope="module")
def shipped() -> Config:
    return Config.from_yaml(ROOT / "config" / "graph.yaml")


def test_the_warehouse_on_a_graph_has_the_numbers_of_its_parameters(shipped: Config) -> None:
    game, index = Game.from_config(shipped), {zone: i for i, zone in enumerate(shipped.zones)}
    assert shipped.graph is not None
    ways = {index[zone]: [index[end] for end in ends] for zone, ends in shipped.graph.items()}
    far = distances(ways)
    for z in ways:
        for s in ways:
            place = 10.0 if z == s else 2.0 / (1 + far[z, s])
            for a in range(1 + len(ways[z])):
                law = robots_law(ways, z, s, a, 0.1, 3.5, 4.5, 0.3)
                np.testing.assert_allclose(game.P_l[z, s, a], law, rtol=1e-13)
                hub_to_storage = a > 0 and (z, ways[z][a - 1]) == (index["hub"], index["storage"])
                earned = 0.0 if a == 0 else -0.3 if hub_to_storage else 0.5
                assert game.r_l[z, s, a] == pytest.approx(place + earned)


def test_a_ring_spelled_out_is_the_very_same_game(shipped: Config) -> None:
    ring = Config.from_yaml(ROOT / "config" / "warehouse.yaml")
    zones = ring.zones
    spelled = {zone: (zones[(i + 1) % len(zones)], zones[i - 1]) for i, zone in enumerate(zones)}
    assert Game.from_config(ring.model_copy(update={"graph": spelled})).digest == Game.from_config(ring).digest
    assert Game.from_config(shipped).digest != Game.from_config(shipped.model_copy(update={"graph": None})).digest


def test_rewards_by_number_and_by_name_are_the_same(shipped: Config) -> None:
    plain = shipped.game.r_l.model_copy(update={"move": (0.0, 0.5, -0.3, 0.5, 0.5)})
    listed = Game.from_config(shipped.model_copy(update={"game": shipped.game.model_copy(update={"r_l": plain})}))
    named = Game.from_config(shipped)
    assert np.array_equal(listed.r_l[0], named.r_l[0])
    assert (listed.r_l[1:, :, 2] != named.r_l[1:, :, 2]).all()  # other zones' second neighbours are no way to storage
    assert np.array_equal(listed.P_l, named.P_l)


# --- moves that zones do not have


def test_what_stands_in_the_rows_of_moves_that_are_none_does_not_matter() -> None:
    arrays = arrays_on_graph(1)
    game = Game(**arrays, graph=GRAPH)
    others = {name: np.array(array) for name, array in arrays.items()}
    for z, a in np.argwhere(~GRAPH.allowed):
        others["P_l"][z, :, a], others["r_l"][z, :, a] = np.nan, -np.inf
        assert np.array_equal(game.P_l[z, :, a], arrays["P_l"][z, :, 0])
    assert Game(**others, graph=GRAPH).digest == game.digest
    assert arrays["r_l"].max() == 1e6  # the caller's arrays stay as they are


def test_the_graph_is_part_of_the_game() -> None:
    arrays = arrays_on_graph(1)
    game = Game(**arrays, graph=GRAPH)
    again = Game.from_arrays(game.arrays())
    assert again.graph == GRAPH
    assert again.digest == game.digest
    turned = ZoneGraph(np.array([[0, 1, 2], [1, 2, NO_MOVE], [2, 0, NO_MOVE]]))
    assert Game(**arrays, graph=turned).digest != game.digest
    assert Game(**arrays).graph == ZoneGraph.ring(3)  # three moves and no graph: the ring
    assert Game(**random_arrays(1, zones=3, moves=4)).graph is None


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ([[0, 1], [1, 0]], "the graph has 2 zones with 2 moves at most, the game's arrays 3 zones with 3 moves"),
        ([[0, 1, 2], [1, 2, 7], [2, 0, 1]], "targets have shape"),
        ([["a", "b", "c"]] * 3, "targets have shape"),
    ],
)
def test_targets_that_do_not_fit_are_refused(targets: list[list[Any]], said: str) -> None:
    with pytest.raises(GameError, match=said):
        Game.from_arrays(random_arrays(1, zones=3, moves=3) | {"targets": np.array(targets)})


def test_a_game_of_arrays_takes_the_graph_of_its_configuration(tmp_path: Path) -> None:
    zones = ("a", "b", "c")
    bare = Game(**random_arrays(3, 3, 3, 3, 3)).arrays()
    body: dict[str, Any] = {"zones": list(zones), "fleet": {"prefix": "r", "count": 5}, "game": {"file": "game.npz"}}
    body["graph"] = {"a": ["c", "b"], "b": ["c"], "c": ["a"]}
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(body))
    np.savez(tmp_path / "game.npz", **bare)
    game = Game.from_yaml(tmp_path / "fleet.yaml")
    assert game.graph == GRAPH
    assert np.array_equal(game.r_l[1, :, 2], game.r_l[1, :, 0])
    np.savez(tmp_path / "game.npz", **game.arrays())
    assert Game.from_yaml(tmp_path / "fleet.yaml").digest == game.digest
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(body | {"graph": body["graph"] | {"b": ["a", "c"]}}))
    with pytest.raises(GameError, match=r"fleet\.yaml: key 'graph' is another graph than that of game\.npz"):
        Game.from_yaml(tmp_path / "fleet.yaml")


def test_policies_to_start_from_make_the_moves_of_their_zone_only() -> None:
    game = Game(**arrays_on_graph(2, 3), graph=GRAPH)
    shares = policies.uniform(game)[:, 0].tolist()
    assert shares == [[1 / 3] * 3, [0.5, 0.5, 0.0], [0.5, 0.5, 0.0]]
    assert policies.shortest_way(game).argmax(axis=2).tolist() == [[0, 2, 1], [1, 0, 1], [1, 1, 0]]
    rng = np.random.default_rng(0)
    drawn = np.mean([policies.random_pure(game, rng) for _ in range(4000)], axis=0)
    # Each of 3 (or 2) moves equally often: standard error of a share below 0.008.
    np.testing.assert_allclose(drawn, policies.uniform(game), atol=0.04)
    assert (drawn[1:, :, 2] == 0).all()


# --- best responses, by trying everything


@settings(max_examples=8)
@given(seed=st.integers(0, 10**6))
def test_robots_that_nobody_asks_are_the_best_of_all_policies_on_the_graph(seed: int) -> None:
    game = Game(**arrays_on_graph(seed), graph=GRAPH)
    dispatch = np.array([1, 0])
    policy, value = best_robots(game, dispatch)
    by_hand = [
        TupleSystem(game.arrays(), one, 1).expected_return(lambda s, _: int(dispatch[s])) for one in pure_policies(2)
    ]
    assert value == pytest.approx(max(by_hand), abs=1e-7)
    assert policy[~GRAPH.allowed[:, None].repeat(2, axis=1)].max() == 0


@settings(max_examples=5)
@given(seed=st.integers(0, 10**6))
def test_an_equilibrium_on_a_graph_cannot_be_improved_by_any_move_that_there_is(seed: int) -> None:
    game = Game(**arrays_on_graph(seed), graph=GRAPH)
    system, k = KRobotSystem(game, 2), 2
    found = best_equilibrium(system, starting_policies(game, ["uniform", "shortest", "random"], seed), 1e-8)
    assert found.policy[~GRAPH.allowed[:, None].repeat(2, axis=1)].max() == 0
    order = {tuple(h): i for i, h in enumerate(enumerate_histograms(k, 3).tolist())}

    def dispatch(s: int, histogram: tuple[int, ...]) -> int:
        return int(found.table[s, order[histogram]])

    own = TupleSystem(game.arrays(), found.policy, k).expected_return(dispatch)
    assert found.expected_return == pytest.approx(own, abs=1e-7)
    others = [TupleSystem(game.arrays(), one, k).expected_return(dispatch) for one in pure_policies(2)]
    switches = [switched(found.policy, z, s, a) for z, s in np.ndindex(3, 2) for a in range(1 + len(WAYS[z]))]
    assert max(TupleSystem(game.arrays(), one, k).expected_return(dispatch) for one in switches) <= own + 1e-6
    certificate = found.certificate(1e-8)
    assert own + certificate.local_gap_high >= max(others) - 1e-7


def switched(policy: np.ndarray, z: int, s: int, a: int) -> np.ndarray:
    changed = policy.copy()
    changed[z, s] = np.eye(3)[a]
    return changed


def test_slopes_never_lead_to_a_move_that_is_none() -> None:
    game = Game(**arrays_on_graph(4), graph=GRAPH)
    system = KRobotSystem(game, 3)
    table = np.zeros((2, len(system.histograms)), dtype=np.int64)
    best = improve(system.under(policies.uniform(game)), table, 1e-8)
    assert best.policy[~GRAPH.allowed[:, None].repeat(2, axis=1)].max() == 0
    assert np.allclose(best.policy.sum(axis=2), 1)


# --- bounds and chains


def test_bounds_are_those_of_a_game_that_says_another_move_twice() -> None:
    """Without a graph, three moves each: a zone's missing move is its second once more, which adds nothing either."""
    arrays = arrays_on_graph(5)
    game = Game(**arrays, graph=GRAPH)
    for z, a in np.argwhere(~GRAPH.allowed):
        for name in ("P_l", "r_l"):
            arrays[name][z, :, a] = arrays[name][z, :, a - 1]
    twice = Game(**arrays)
    k, rng = 3, np.random.default_rng(0)
    values = rng.uniform(0, 5, (2, len(enumerate_histograms(k, 3))))
    for s in range(2):
        for a in range(2):
            np.testing.assert_allclose(at_once(game, k, values, s, a), at_once(twice, k, values, s, a), rtol=1e-12)
            np.testing.assert_allclose(
                one_by_one(game, k, values, s, a), one_by_one(twice, k, values, s, a), rtol=1e-12
            )
    assert at_once_values(game, k) < at_once_values(twice, k)


def test_chains_offer_the_moves_of_the_zone_only() -> None:
    game = Game(**arrays_on_graph(6), graph=GRAPH)
    system = KRobotSystem(game, 2)
    chain = enumerate_chain(ReplicaChain(system, np.zeros((2, len(system.histograms)), dtype=np.int64)))
    offered = episodes_of(chain, 0.1).actions[: len(chain.states)]
    assert offered.tolist() == [1 + len(WAYS[z]) for z, _ in chain.cells.tolist()]
    assert (chain.optimum()[1] < offered).all()
    environment, rng = chain.environment, np.random.default_rng(0)
    seen = set()
    for _ in range(60):
        z, _ = environment.cell(environment.reset(rng))
        seen.add(z)
        environment.step(len(WAYS[z]), rng)  # the last move that there is
        environment.reset(rng)
        z, _ = environment.cell(environment.state)
        with pytest.raises(UserError, match=f"expected one of 0…{len(WAYS[z])}"):
            environment.step(1 + len(WAYS[z]), rng)
    assert seen == {0, 1, 2}


# --- bundles


def bundle_on_graph() -> PolicyBundle:
    game = Game(**random_arrays(7, 3, 3, 3, 3), graph=GRAPH)
    return PolicyBundle(game, policies.uniform(game), (Table(1, np.zeros((3, 3), dtype=np.int64), {}),), {})


def test_a_bundle_keeps_its_graph_and_asks_for_it(tmp_path: Path) -> None:
    bundle = bundle_on_graph()
    bundle.save(tmp_path / "policy.npz")
    loaded = PolicyBundle.load(tmp_path / "policy.npz", bundle.game)
    assert loaded.game.graph == GRAPH
    loaded.require_graph(GRAPH)
    turned = ZoneGraph(np.array([[0, 1, 2], [1, 2, NO_MOVE], [2, 0, NO_MOVE]]))
    for graph, said in (
        (ZoneGraph.ring(3), "a ring of 3 zones"),
        (turned, "other ways: a graph of 3 zones and 4 ways"),
    ):
        with pytest.raises(UserError, match=f"for a graph of 3 zones and 4 ways, .*the configuration has {said}"):
            loaded.require_graph(graph)


def test_a_policy_that_makes_a_move_that_is_none_is_refused() -> None:
    bundle = bundle_on_graph()
    with pytest.raises(UserError, match="a move that the zone does not have"):
        replace(bundle, local_policy=np.full((3, 3, 3), 1 / 3))
