"""The configuration is read as a whole, and every error says where it is and, if it can, what was meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from meanfleet.base.errors import UserError
from meanfleet.config import Config, CountedTransition, FleetConfig, LocalTransition
from meanfleet.config.counts import read_counts, world_digest, write_counts
from meanfleet.solver import Game

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = sorted((ROOT / "config").glob("*.yaml"))
SMALL: dict[str, Any] = {"zones": ["north", "east", "south"], "fleet": {"prefix": "r", "count": 12}}


def written(folder: Path, content: dict[str, Any] | str) -> Path:
    path = folder / "fleet.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return path


def refusal(folder: Path, content: dict[str, Any] | str) -> str:
    """The one-line message with which a configuration is refused, without the file's name."""
    path = written(folder, content)
    with pytest.raises(UserError) as caught:
        Config.from_yaml(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_robots_wait_for_two_ticks_at_least_before_they_hold(tmp_path: Path) -> None:
    def timed(**robot: float) -> dict[str, Any]:
        return SMALL | {"dispatcher": {"tick": 10.0}, "robot": robot}

    assert "robot.priority_timeout: 19.9 s is less than two ticks (dispatcher.tick is 10 s)" in refusal(
        tmp_path, timed(priority_timeout=19.9)
    )
    assert Config.from_yaml(written(tmp_path, timed(priority_timeout=20.0))).priority_timeout == 20.0
    assert Config.from_yaml(written(tmp_path, timed())).priority_timeout == 50.0
    assert Config.from_yaml(written(tmp_path, SMALL)).priority_timeout == 5.0


# --- what is shipped and the defaults


# These hold small games or a line, no warehouse: test/test_learning.py, test/test_peers.py, test/federated and
# test/test_continuous_config.py read them.
OTHER = ("prisoners.yaml", "continuous.yaml", "squeeze.yaml", "exploration.yaml", "federated.yaml")
WAREHOUSES = [p for p in SHIPPED if not p.name.endswith(".counts.yaml") and p.name not in OTHER]


@pytest.mark.parametrize("path", WAREHOUSES, ids=lambda p: p.name)
def test_the_shipped_configurations_load_and_describe_a_game(path: Path) -> None:
    config = Config.from_yaml(path)
    game = Game.from_config(config)
    assert game.zones == len(config.states)
    assert config.dispatcher.k <= len(config.robots)
    assert Game.from_yaml(path).digest == game.digest


def test_the_demos_game_is_counted_in_its_own_world() -> None:
    config = Config.from_yaml(ROOT / "config" / "demo.yaml")
    assert isinstance(config.game.P_l, CountedTransition)
    counts = read_counts(ROOT / "config" / config.game.P_l.counted, config)
    assert counts.shape == (5, 3, 5)
    # Every zone was left by every move often enough to know its law.
    assert counts.sum(axis=2).min() > 1000


def test_zones_and_fleet_are_all_it_takes(tmp_path: Path) -> None:
    config = Config.from_yaml(written(tmp_path, SMALL))
    assert config.zones == ("north", "east", "south")
    assert config.game.P_l == LocalTransition()
    assert config.source == tmp_path / "fleet.yaml"


def test_a_configuration_is_frozen(tmp_path: Path) -> None:
    config = Config.from_yaml(written(tmp_path, SMALL))
    with pytest.raises(ValidationError):
        config.dispatcher.k = 3  # type: ignore[misc]


# --- keys


@pytest.mark.parametrize(
    ("content", "path", "meant"),
    [
        ({"fleets": {}}, "fleets", "fleet"),
        ({"dispatcher": {"gather_timeuot": 0.5}}, "dispatcher.gather_timeuot", "gather_timeout"),
        ({"game": {"r_l": {"samezone": 1}}}, "game.r_l.samezone", "same_zone"),
        ({"world": {"layout": {"row": 3}}}, "world.layout.row", "rows"),
        ({"fleet": {"prefix": "r", "cuont": 12}}, "fleet.cuont", "count"),
        ({"robot": {"zzz": 1}}, "robot.zzz", None),
    ],
)
def test_an_unknown_key_is_named_with_its_path_and_what_was_meant(
    tmp_path: Path, content: dict[str, Any], path: str, meant: str | None
) -> None:
    message = refusal(tmp_path, SMALL | content)
    assert f"unknown key '{path}'" in message
    assert (f"did you mean '{meant}'" in message) if meant else ("did you mean" not in message)


@pytest.mark.parametrize("P_l", [{"stya": 3.5}, {"counted": "a.yaml", "piror": 1}])
def test_an_unknown_key_of_either_kind_of_transition_is_named(tmp_path: Path, P_l: dict[str, Any]) -> None:
    message = refusal(tmp_path, SMALL | {"game": {"P_l": P_l}})
    assert "game.P_l" in message
    assert "stya" in message or "piror" in message


def test_a_key_that_only_the_program_sets_is_unknown(tmp_path: Path) -> None:
    assert "unknown key 'source'" in refusal(tmp_path, SMALL | {"source": "x"})


@pytest.mark.parametrize("key", ["zones", "fleet"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    content = {name: value for name, value in SMALL.items() if name != key}
    assert f"key '{key}' is missing" in refusal(tmp_path, content | {"game": {}})


def test_a_key_given_twice_is_refused_at_every_depth(tmp_path: Path) -> None:
    text = yaml.safe_dump(SMALL)
    assert "'zones' given twice" in refusal(tmp_path, text + "zones: [a, b]\n")
    assert "'k' given twice" in refusal(tmp_path, text + "dispatcher:\n  k: 1\n  tick: 1.0\n  k: 2\n")
    assert "'same_zone' given twice" in refusal(tmp_path, text + "game: {r_l: {same_zone: 1, same_zone: 2}}\n")


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"dispatcher": {"k": 0}}, "dispatcher.k"),
        ({"dispatcher": {"k": "ten"}}, "dispatcher.k"),
        ({"dispatcher": {"tick": 0}}, "dispatcher.tick"),
        ({"dispatcher": {"tick": -1.0}}, "dispatcher.tick"),
        ({"dispatcher": {"tick": float("nan")}}, "dispatcher.tick"),
        ({"dispatcher": {"max_age": float("inf")}}, "dispatcher.max_age"),
        ({"dispatcher": {"priority_dynamics": "modle"}}, "dispatcher.priority_dynamics"),
        ({"game": {"discount": 1.0}}, "game.discount"),
        ({"game": {"discount": float("nan")}}, "game.discount"),
        ({"game": {"start": 0}}, "game.start"),
        ({"game": {"r_l": {"move": [0, 1]}}}, "game.r_l.move"),
        ({"game": {"P_g": {"target": float("inf")}}}, "game.P_g.target"),
        ({"game": {"P_l": {"stay": "much"}}}, "game.P_l"),
        ({"game": {"P_l": 3}}, "game.P_l"),
        ({"fleet": {"prefix": "r", "count": 0}}, "fleet.count"),
        ({"fleet": "many"}, "fleet"),
        ({"world": {"backend": "gazebo"}}, "world.backend"),
        ({"world": {"real_time_factor": -1}}, "world.real_time_factor"),
        ({"solver": {"tolerance": 0}}, "solver.tolerance"),
        ({"solver": {"starts": ["unifrom"]}}, "solver.starts.0"),
        ({"zones": []}, "zones"),
        ({"zones": ["a b"]}, "zones.0"),
        ({"zones": "north"}, "zones"),
    ],
    ids=str,
)
def test_a_value_out_of_range_is_named_with_its_path(tmp_path: Path, content: dict[str, Any], path: str) -> None:
    assert f"key '{path}" in refusal(tmp_path, SMALL | content)


def test_zone_names_must_differ(tmp_path: Path) -> None:
    assert "zones: names must differ" in refusal(tmp_path, SMALL | {"zones": ["a", "b", "a"]})


def test_an_empty_list_of_starts_is_refused(tmp_path: Path) -> None:
    assert "solver.starts" in refusal(tmp_path, SMALL | {"solver": {"starts": []}})


def test_a_heartbeat_slower_than_half_the_age_limit_would_make_healthy_robots_stale(tmp_path: Path) -> None:
    def content(heartbeat: float) -> dict[str, Any]:
        return SMALL | {"dispatcher": {"max_age": 2.0}, "robot": {"heartbeat": heartbeat}}

    message = refusal(tmp_path, content(1.01))
    assert "robot.heartbeat" in message
    assert "dispatcher.max_age" in message
    assert Config.from_yaml(written(tmp_path, content(1.0))).robot.heartbeat == 1.0


@pytest.mark.parametrize(
    ("layout", "words"), [({"slot_pitch": 0.36}, "slot_pitch"), ({"lane_offset": 0.3}, "lane_offset")]
)
def test_bodies_need_room(tmp_path: Path, layout: dict[str, float], words: str) -> None:
    message = refusal(tmp_path, SMALL | {"world": {"layout": layout}})
    assert "world.layout" in message
    assert words in message


# --- files


@pytest.mark.parametrize(
    "text", ["", "just text", "- a\n- b\n", "1: 2\n", "zones: [a\n", "a: &x [*x]\n", "\tzones: 1", "!!python/none"]
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    refusal(tmp_path, text)


def test_unreadable_files_are_users_errors(tmp_path: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(bytes(range(256)))
    for path in (tmp_path / "none.yaml", tmp_path, binary):
        with pytest.raises(UserError, match=str(path)):
            Config.from_yaml(path)


def test_yaml_cannot_run_code(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    refusal(tmp_path, f"zones: !!python/object/apply:os.mkdir ['{marker}']\n")
    assert not marker.exists()


# --- the fleet


@pytest.mark.parametrize(
    ("count", "first", "last"), [(1, "r0", "r0"), (10, "r0", "r9"), (11, "r00", "r10"), (1000, "r000", "r999")]
)
def test_prefix_and_count_number_the_robots_with_equal_width(count: int, first: str, last: str) -> None:
    robots = FleetConfig(prefix="r", count=count).robots
    assert (len(robots), robots[0], robots[-1]) == (count, first, last)
    assert sorted(robots) == list(robots)


@given(st.integers(1, 300), st.integers(1, 300), st.one_of(st.none(), st.integers(1, 5)))
def test_a_resized_fleet_keeps_the_names_that_it_had(count: int, n: int, digits: int | None) -> None:
    """-n against a real fleet, or a bag of another n: who is in both is called the same in both."""
    fleet = FleetConfig(prefix="r", count=count, digits=digits)
    shared = min(count, n)
    assert len(fleet.resized(n).robots) == n
    assert fleet.resized(n).robots[:shared] == fleet.robots[:shared]
    assert fleet.resized(n).resized(count).robots == fleet.robots
    width = digits or len(str(count - 1))
    assert fleet.resized(n).robots == tuple("r" + str(i).rjust(width, "0") for i in range(n))


def test_a_list_names_robots_as_they_are() -> None:
    names = ("alice", "site_b/bob", "C3")
    assert FleetConfig(names=names).robots == names


@pytest.mark.parametrize(
    ("fleet", "words"),
    [
        ({}, "either 'names'"),
        ({"prefix": "r"}, "either 'names'"),
        ({"count": 3}, "either 'names'"),
        ({"names": ["a"], "prefix": "r", "count": 2}, "either 'names'"),
        ({"names": ["a"], "digits": 2}, "'digits' belongs to 'prefix'"),
        ({"names": []}, "at least one robot"),
        ({"names": ["a", "b", "a"]}, "must differ"),
        ({"names": ["a", "2b"]}, "'2b' is no valid ROS name"),
        ({"names": ["a", "b-c"]}, "'b-c' is no valid ROS name"),
        ({"names": ["a", "/b"]}, "'/b' is no valid ROS name"),
        ({"names": ["a//b"]}, "no valid ROS name"),
        ({"names": [""]}, "no valid ROS name"),
        ({"names": ["roböt"]}, "no valid ROS name"),
        ({"prefix": "", "count": 2}, "no valid ROS name"),
        ({"prefix": "a b", "count": 2}, "no valid ROS name"),
    ],
    ids=str,
)
def test_other_forms_of_a_fleet_are_refused(tmp_path: Path, fleet: dict[str, Any], words: str) -> None:
    assert words in refusal(tmp_path, SMALL | {"fleet": fleet})


def test_a_fleet_is_resized_by_its_form(tmp_path: Path) -> None:
    assert FleetConfig(prefix="r", count=3).resized(12).robots[-1] == "r11"
    assert FleetConfig(names=("a", "b", "c")).resized(2).robots == ("a", "b")
    with pytest.raises(UserError, match=r"n = 4.*3 robots"):
        FleetConfig(names=("a", "b", "c")).resized(4)
    config = Config.from_yaml(written(tmp_path, SMALL))
    assert len(config.with_robots(40).robots) == 40
    assert config.with_robots(None) is config
    assert config.with_robots(40).source == config.source


# --- counted transitions


def counted(folder: Path, **changes: Any) -> Config:
    """A configuration whose game is counted, and its file of counts."""
    game = {"P_l": {"counted": "fleet.counts.yaml", "prior": 0.5}}
    config = Config.from_yaml(written(folder, SMALL | {"game": game} | changes))
    counts = np.arange(27).reshape(3, 3, 3)
    if not (folder / "fleet.counts.yaml").exists():
        write_counts(folder / "fleet.counts.yaml", config, counts, {"seed": 0})
    return config


GRAPH = {"north": ["south", "east"], "east": ["south"], "south": ["north"]}


def with_moves(move: Any) -> dict[str, Any]:
    return SMALL | {"graph": GRAPH, "game": {"r_l": {"move": move}}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            SMALL | {"graph": GRAPH | {"east": ["suoth"]}},
            "key 'graph': east: 'suoth' is none of the zones (did you mean",
        ),
        (SMALL | {"graph": GRAPH | {"east": ["east"]}}, "key 'graph': east: a zone is not its own neighbour"),
        (SMALL | {"graph": GRAPH | {"south": []}}, "key 'graph': no way leads from 'east' to 'north'"),
        (SMALL | {"graph": {"north": ["east"], "east": ["north"]}}, "key 'graph': zone 'south' has no entry"),
        (SMALL | {"graph": ["north", "east"]}, "key 'graph'"),
        (with_moves([0, 1, 2, 3]), "key 'game.r_l.move': 4 rewards for 3 moves: give {stay: …, drive: …}"),
        (with_moves({"stay": 0, "dirve": 1}), "dirve"),
        (with_moves({"ways": {"nroth": {"east": 1}}}), "'nroth' is none of the zones (did you mean 'north'?)"),
        (with_moves({"ways": {"east": {"north": 1}}}), "'north' is no neighbour of 'east': it has south"),
        (with_moves({"ways": {"north": {"est": 1}}}), "'est' is no neighbour of 'north' (did you mean 'east'?)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_graph_that_is_none_is_refused_with_its_key(tmp_path: Path, content: dict[str, Any], said: str) -> None:
    assert said in refusal(tmp_path, content)


def test_moves_on_a_graph_earn_nothing_unless_said_otherwise(tmp_path: Path) -> None:
    bare = Game.from_config(Config.from_yaml(written(tmp_path, SMALL | {"graph": GRAPH})))
    assert (bare.r_l == bare.r_l[:, :, :1]).all()
    ring = Game.from_config(Config.from_yaml(written(tmp_path, SMALL)))
    np.testing.assert_allclose(ring.r_l - ring.r_l[:, :, :1], np.broadcast_to([0, 0.5, -0.3], (3, 3, 3)))


def test_counts_survive_their_file_and_make_the_law(tmp_path: Path) -> None:
    config = counted(tmp_path)
    assert np.array_equal(read_counts(tmp_path / "fleet.counts.yaml", config), np.arange(27).reshape(3, 3, 3))
    # 3 zones in a ring: stay, next and previous reach all of them, so all get the prior.
    law = np.arange(27).reshape(3, 3, 3) + 0.5
    law /= law.sum(axis=2, keepdims=True)
    P_l = Game.from_config(config).P_l
    for priority in range(3):
        assert np.allclose(P_l[:, priority], law, rtol=1e-14)


@pytest.mark.parametrize(
    "change",
    [{"world": {"speed": 1.0}}, {"world": {"layout": {"aisle": 3.0}}}, {"dispatcher": {"tick": 2.0}}],
    ids=str,
)
def test_counts_of_another_world_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    counted(tmp_path)
    other = counted(tmp_path, **change)
    with pytest.raises(UserError, match=r"another world.*meanfleet count"):
        Game.from_config(other)


@pytest.mark.parametrize("change", [{"solver": {"eta": 1.0}}, {"robot": {"heartbeat": 0.5}}], ids=str)
def test_counts_hold_for_what_bodies_do_not_feel(tmp_path: Path, change: dict[str, Any]) -> None:
    first = counted(tmp_path)
    assert world_digest(counted(tmp_path, **change)) == world_digest(first)


@pytest.mark.parametrize(
    "counts",
    [
        [[1]],
        "many",
        None,
        np.zeros((2, 3, 2), dtype=int).tolist(),
        np.full((3, 3, 3), -1).tolist(),
        [[[1, 2], [3]]],
        [[["a"] * 3] * 3] * 3,
        [[[10**30] * 3] * 3] * 3,
    ],
)
def test_counts_that_are_none_are_refused(tmp_path: Path, counts: Any) -> None:
    config = counted(tmp_path)
    path = tmp_path / "fleet.counts.yaml"
    path.write_text(yaml.safe_dump({"world": world_digest(config), "counts": counts}))
    with pytest.raises(UserError, match="counts"):
        Game.from_config(config)


def test_a_row_never_counted_without_a_prior_is_no_law(tmp_path: Path) -> None:
    config = counted(tmp_path)
    counts = np.ones((3, 3, 3), dtype=np.int64)
    counts[1, 2] = 0
    write_counts(tmp_path / "fleet.counts.yaml", config, counts, {})
    game = config.game.model_copy(update={"P_l": CountedTransition(counted="fleet.counts.yaml", prior=0)})
    with pytest.raises(UserError, match="P_l: zone 1 was never counted under move 2"):
        Game.from_config(config.model_copy(update={"game": game}))


@pytest.mark.parametrize("change", [{"kappa": 0}, {"filtering": False}], ids=str)
def test_robots_are_fitted_to_an_observer_only_where_there_is_one(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="observer: dirichlet needs"):
        counted(tmp_path, solver=change | {"observer": "dirichlet"})


@pytest.mark.parametrize("rho", [[], [0.0], [1.1]], ids=str)
def test_a_belief_keeps_a_share_of_itself(tmp_path: Path, rho: list[float]) -> None:
    with pytest.raises(UserError, match=r"solver\.rho"):
        counted(tmp_path, solver={"rho": rho})


@pytest.mark.parametrize(
    ("runs", "said", "given", "expected"),
    [
        ("memoryless", None, None, "memoryless"),
        ("dirichlet", None, None, "dirichlet"),
        ("particle", None, None, "dirichlet"),
        ("dirichlet", "memoryless", None, "memoryless"),
        ("memoryless", "dirichlet", None, "dirichlet"),
        ("dirichlet", None, "memoryless", "memoryless"),
        ("memoryless", "memoryless", "dirichlet", "dirichlet"),
    ],
)
def test_robots_are_solved_for_the_dispatcher_that_will_run(
    tmp_path: Path, runs: str, said: str | None, given: str | None, expected: str
) -> None:
    """A dispatcher with any belief counts as one that remembers; a word of the solver's section or a caller's wins."""
    config = counted(tmp_path, dispatcher={"observer": runs}, solver={"observer": said})
    assert config.solving(given).observer == expected


def test_without_a_filter_robots_are_solved_for_a_dispatcher_that_forgets(tmp_path: Path) -> None:
    config = counted(tmp_path, dispatcher={"observer": "dirichlet"}, solver={"kappa": 0})
    assert config.solving().observer == "memoryless"
    with pytest.raises(UserError, match="observer dirichlet needs"):
        config.solving("dirichlet")
