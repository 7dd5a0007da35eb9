"""Types of robots as product states, against computations in which every robot is its own; start laws by types."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.config.types import counts_of
from meanfleet.solver import Game, GameError
from meanfleet.solver.fleet.counts import Fleet
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.policies import pure, shortest_way
from meanfleet.solver.surrogate import KRobotSystem
from meanfleet.solver.types import concentrations, draw_shares, log_start, type_shares, typed_game
from meanfleet.space.zone_graph import ZoneGraph
from naive.surrogate import random_arrays, random_policy
from naive.types import dealt, optimal_value

ROOT = Path(__file__).resolve().parents[2]
ZONES, MOVES = 3, 3


def two_types(seed: int, shares: tuple[float, float] = (1.0, 2.0)) -> tuple[Game, Game, Game]:
    """A game per type on a ring of three zones, and their product."""
    arrays = random_arrays(seed, ZONES, ZONES, ZONES, MOVES)
    other = random_arrays(seed + 100, ZONES, ZONES, ZONES, MOVES)
    one, two = Game(**arrays), Game(**(arrays | {name: other[name] for name in ("P_l", "r_l")}))
    return one, two, typed_game([one, two], shares)


@pytest.mark.parametrize("types", [(0, 1), (0, 0, 1), (1, 1)])
def test_the_product_has_the_value_of_robots_that_are_each_their_own(types: tuple[int, ...]) -> None:
    """G-LEARN on product states against value iteration over the zones of robots with their own P_l, r_l and π_l."""
    *own, product = two_types(1)
    policies = [random_policy(7 + i, ZONES, ZONES, MOVES) for i in range(2)]
    best = learn_exact(KRobotSystem(product, len(types)).under(np.concatenate(policies)), 1e-9)
    moves = [np.einsum("zsa,zsay->szy", policies[i], own[i].P_l) for i in types]
    rewards = [np.einsum("zsa,zsa->sz", policies[i], own[i].r_l) for i in types]
    oracle = optimal_value(product.P_g, product.r_g, moves, rewards, product.discount)
    order = {tuple(mu): h for h, mu in enumerate(KRobotSystem(product, len(types)).histograms.tolist())}
    for s, zones in itertools.product(range(ZONES), itertools.product(range(ZONES), repeat=len(types))):
        states = [ZONES * kind + zone for kind, zone in zip(types, zones, strict=True)]
        histogram = tuple(np.bincount(states, minlength=2 * ZONES).tolist())
        assert best.optimal.middle[s, order[histogram]] == pytest.approx(oracle[s, zones], abs=1e-8)


def test_a_robots_type_never_changes_and_a_product_of_equal_types_is_the_plain_game() -> None:
    one, _, product = two_types(2)
    assert (product.types, product.zones, product.priorities) == (2, 2 * ZONES, ZONES)
    assert not product.P_l[:ZONES, :, :, ZONES:].any()
    assert not product.P_l[ZONES:, :, :, :ZONES].any()
    twice, policy = typed_game([one, one], (1, 3)), random_policy(3, ZONES, ZONES, MOVES)
    plain = learn_exact(KRobotSystem(one, 2).under(policy), 1e-9).optimal.middle
    split = KRobotSystem(twice, 2)
    value = learn_exact(split.under(np.concatenate([policy, policy])), 1e-9).optimal.middle
    pooled = split.histograms[:, :ZONES] + split.histograms[:, ZONES:]
    order = {tuple(mu): h for h, mu in enumerate(KRobotSystem(one, 2).histograms.tolist())}
    assert value == pytest.approx(plain[:, [order[tuple(mu)] for mu in pooled.tolist()]], abs=1e-8)


def test_the_start_law_is_that_of_drawing_type_then_zone() -> None:
    """P(states of two robots) by types, then by Pólya's urn of each type, summed over orders."""
    *_, product = two_types(4, (1.0, 3.0))
    share, own = type_shares(product), concentrations(product)
    assert share == pytest.approx([0.25, 0.75])
    assert own == pytest.approx(np.stack([random_arrays(4, 3, 3, 3, 3)["start_concentration"]] * 2))
    system = KRobotSystem(product, 2)
    expected = np.zeros(len(system.histograms))
    order = {tuple(mu): h for h, mu in enumerate(system.histograms.tolist())}
    for first, second in itertools.product(range(2 * ZONES), repeat=2):
        (a, x), (b, y) = divmod(first, ZONES), divmod(second, ZONES)
        seen = float(a == b)
        chance = share[a] * own[a, x] / own[a].sum()
        chance *= share[b] * (own[b, y] + seen * (x == y)) / (own[b].sum() + seen)
        expected[order[tuple(np.bincount([first, second], minlength=2 * ZONES).tolist())]] += chance
    assert expected.sum() == pytest.approx(1)
    assert system.start.sum(axis=0) == pytest.approx(expected)
    law = np.exp(log_start(product, system.histograms))
    assert law / law.sum() == pytest.approx(expected)


def test_a_fleet_begins_with_as_many_robots_of_each_type_as_the_shares_say() -> None:
    *_, product = two_types(5)
    _, counts = Fleet(product, 50, 2).starts(400, np.random.default_rng(0))
    assert set(map(tuple, counts.reshape(-1, 2, ZONES).sum(axis=2).tolist())) == {(17, 33)}
    shares = draw_shares(product, np.random.default_rng(1), 20_000)
    means = (concentrations(product) / concentrations(product).sum(axis=1, keepdims=True)) * type_shares(product)[
        :, None
    ]
    assert shares.mean(axis=0) == pytest.approx(means.ravel(), abs=4 * 0.5 / np.sqrt(20_000))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=5), st.integers(0, 200))
def test_robots_are_dealt_to_types_by_largest_remainders(shares: list[float], n: int) -> None:
    counts = counts_of(shares, n)
    assert sum(counts) == n
    assert all(abs(count - n * share / sum(shares)) < 1 + 1e-9 for count, share in zip(counts, shares, strict=True))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.decimals("0.01", "10", places=2).map(str), min_size=2, max_size=5),
    st.integers(1, 300),
    st.floats(0.05, 5),
)
@example(["0.1", "0.9"], 5, 0.3)
@example(["0.1", "0.9"], 15, 0.3)
@example(["0.1", "0.9"], 25, 0.3)
@example(["0.7", "0.1", "0.2"], 25, 0.3)
def test_simulated_fleets_and_live_ones_hold_as_many_robots_of_each_type(
    shares: list[str], n: int, concentration: float
) -> None:
    """By the configuration's shares, and by those that a game's arrays tell: where n robots divide by halves too."""
    written = [float(share) for share in shares]
    arrays = random_arrays(3, ZONES, ZONES, ZONES, MOVES)
    one = Game(**(arrays | {"start_concentration": np.full(ZONES, concentration)}))
    told = type_shares(typed_game([one] * len(shares), written)).tolist()
    assert counts_of(written, n) == counts_of(told, n) == dealt(shares, n)


def test_the_shortest_way_leads_to_the_priority_in_the_robots_own_type() -> None:
    one, _, product = two_types(6)
    assert shortest_way(product).tolist() == np.concatenate([shortest_way(one)] * 2).tolist()
    targets = ZoneGraph.ring(4).towards
    four = typed_game([Game(**random_arrays(1, 4, 4, 4, 3))] * 3, (1, 1, 1))
    assert shortest_way(four).tolist() == np.concatenate([pure(targets, 3)] * 3).tolist()


def test_copies_of_a_graph_are_counted() -> None:
    hub = ZoneGraph.from_neighbours("abc", {"a": "bc", "b": "a", "c": "ab"})
    for graph in (hub, ZoneGraph.ring(1), ZoneGraph.ring(2), ZoneGraph.ring(6)):
        assert graph.copies == 1
        for count in (2, 3):
            copied = graph.copied(count)
            assert copied.copies == count
            assert copied.targets[-1].max() == copied.zones - 1
            assert copied.allowed.tolist() == graph.allowed.tolist() * count


def test_games_that_are_no_types_of_one_fleet_are_refused() -> None:
    one, two, _ = two_types(8)
    other = Game(**random_arrays(9, ZONES, ZONES, ZONES, MOVES))
    with pytest.raises(GameError, match="type 1 has another P_g"):
        typed_game([one, other], (1, 1))
    with pytest.raises(GameError, match="a share above 0"):
        typed_game([one, two], (1, 0))
    with pytest.raises(GameError, match="a priority per zone"):
        typed_game([Game(**random_arrays(1, 2, 2, 3, 3))] * 2, (1, 1))


# --- configuration

SHIPPED = yaml.safe_load((ROOT / "config" / "types.yaml").read_text(encoding="utf-8"))


def configured(**types: Any) -> Config:
    return Config(**(SHIPPED | {"types": types}))


def test_a_type_is_the_game_with_its_own_keys() -> None:
    config = Config.from_yaml(ROOT / "config" / "types.yaml")
    game = Game.from_config(config)
    carriers = Config(
        **{k: v for k, v in SHIPPED.items() if k != "types"}
        | {
            "game": SHIPPED["game"]
            | {
                "P_l": SHIPPED["game"]["P_l"] | {"stay": 5.0, "move": 1.0},
                "r_l": SHIPPED["game"]["r_l"] | {"same_zone": 20.0},
            }
        }
    )
    scouts = Config(
        **{k: v for k, v in SHIPPED.items() if k != "types"}
        | {
            "game": SHIPPED["game"] | {"r_l": SHIPPED["game"]["r_l"] | {"same_zone": 2.0, "move": [0.0, 3.0, 3.0]}},
        }
    )
    for block, alone in enumerate((carriers, scouts)):
        own, zones = Game.from_config(alone), slice(3 * block, 3 * block + 3)
        assert game.P_l[zones, :, :, zones].tolist() == own.P_l.tolist()
        assert game.r_l[zones].tolist() == own.r_l.tolist()
    assert config.type_of == (0,) * 20 + (1,) * 40
    assert config.with_robots(10).type_of == (0,) * 3 + (1,) * 7
    assert config.states[2:4] == ("carrier/shipping", "scout/receiving")


@pytest.mark.parametrize(
    ("types", "complaint"),
    [
        ({"a": {"share": 0}}, "types.a.share"),
        ({"a": {"share": 1, "P_l": {"sty": 1.0}}}, "types.a: unknown key 'P_l.sty'"),
        ({"a": {"share": 1, "r_l": {"same_zone": "much"}}}, "types.a: key 'r_l.same_zone'"),
        ({"a": {"share": 1, "r_g": 2.0}}, "types.a.r_g"),
    ],
)
def test_mistakes_in_types_name_their_key(tmp_path: Path, types: dict[str, Any], complaint: str) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(yaml.safe_dump(SHIPPED | {"types": types}))
    with pytest.raises(UserError) as refused:
        Config.from_yaml(path)
    assert complaint in str(refused.value)
