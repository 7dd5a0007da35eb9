"""A game is checked as a whole when it is made: whoever hands in wrong arrays is told which number is wrong."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meanfleet.base.errors import UserError
from meanfleet.solver import Game, GameError
from meanfleet.solver.warehouse import transition_weights
from meanfleet.space.zone_graph import ZoneGraph
from naive.surrogate import random_arrays

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("P_g", "P_l", "r_g", "r_l", "start_priority", "start_concentration")


@pytest.fixture
def arrays() -> dict[str, Any]:
    """3 priorities, 4 dispatches, 2 zones, 3 moves: four different sizes, so that mixed-up axes show."""
    return random_arrays(1, priorities=3, dispatches=4, zones=2, moves=3)


@pytest.fixture(scope="module")
def warehouse() -> Game:
    return Game.from_yaml(ROOT / "config" / "warehouse.yaml")


def changed(arrays: dict[str, Any], name: str, index: Any, value: Any) -> dict[str, Any]:
    array = np.array(arrays[name])
    array[index] = value
    return arrays | {name: array}


def refusal(arrays: dict[str, Any]) -> str:
    with pytest.raises(GameError) as caught:
        Game(**arrays)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_sizes_come_from_the_arrays(arrays: dict[str, Any]) -> None:
    game = Game(**arrays)
    assert (game.priorities, game.dispatches, game.zones, game.moves) == (3, 4, 2, 3)


@pytest.mark.parametrize(
    ("name", "index", "shown"),
    [
        ("P_g", (2, 3, 1), "P_g[2, 3, 1]"),
        ("P_l", (1, 2, 0, 1), "P_l[1, 2, 0, 1]"),
        ("r_g", (0, 3), "r_g[0, 3]"),
        ("r_l", (1, 0, 2), "r_l[1, 0, 2]"),
        ("start_priority", (2,), "start_priority[2]"),
        ("start_concentration", (1,), "start_concentration[1]"),
    ],
)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_named(
    arrays: dict[str, Any], name: str, index: tuple[int, ...], shown: str, value: float
) -> None:
    assert f"{shown} is not a finite number" in refusal(changed(arrays, name, index, value))


@pytest.mark.parametrize(
    ("name", "index", "shown"),
    [("P_g", (1, 2, 0), "P_g[1, 2, 0]"), ("P_l", (0, 2, 1, 1), "P_l[0, 2, 1, 1]"), ("start_priority", 1, "[1]")],
)
def test_a_negative_probability_is_named(arrays: dict[str, Any], name: str, index: Any, shown: str) -> None:
    message = refusal(changed(arrays, name, index, -0.25))
    assert shown in message
    assert "-0.25" in message


@pytest.mark.parametrize(
    ("name", "row", "shown"),
    [("P_g", (1, 2), "P_g[1, 2, :]"), ("P_l", (1, 2, 0), "P_l[1, 2, 0, :]"), ("start_priority", ..., "start_priority")],
)
@pytest.mark.parametrize("factor", [0.5, 1 + 1e-6])
def test_a_row_that_does_not_sum_to_1_is_named_with_its_sum(
    arrays: dict[str, Any], name: str, row: Any, shown: str, factor: float
) -> None:
    message = refusal(changed(arrays, name, row, factor * arrays[name][row]))
    assert message.startswith(shown)
    assert f"sums to {factor:.12g}" in message


def test_rounding_in_a_row_is_forgiven(arrays: dict[str, Any]) -> None:
    Game(**changed(arrays, "P_g", (1, 2), (1 + 1e-12) * arrays["P_g"][1, 2]))


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_shape_is_named_with_the_expected_one(arrays: dict[str, Any], name: str) -> None:
    message = refusal(arrays | {name: np.concatenate([arrays[name], arrays[name]])})
    assert "has shape" in message
    assert "expected" in message
    assert name in message or name == "P_l"  # P_l sets the number of zones; r_l then disagrees


@pytest.mark.parametrize("value", [np.zeros(3), np.zeros((0, 0, 0)), "text", [[1.0], [1.0, 2.0]], None])
def test_what_is_no_such_array_is_refused(arrays: dict[str, Any], value: Any) -> None:
    assert "P_g" in refusal(arrays | {"P_g": value})


@pytest.mark.parametrize("discount", [1.0, -0.1, 2.0, np.nan])
def test_a_discount_outside_0_1_is_refused(arrays: dict[str, Any], discount: float) -> None:
    assert "discount" in refusal(arrays | {"discount": discount})


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_dirichlet_parameter_must_be_positive(arrays: dict[str, Any], value: float) -> None:
    assert "start_concentration[1]" in refusal(changed(arrays, "start_concentration", 1, value))


def test_arrays_are_read_only_copies(arrays: dict[str, Any]) -> None:
    game = Game(**arrays)
    for name in NAMES:
        with pytest.raises(ValueError, match="read-only"):
            getattr(game, name)[...] = 0
    arrays["P_g"][:] = 7.0
    assert game.P_g.max() <= 1


def test_the_digest_changes_with_every_array_and_only_then(arrays: dict[str, Any]) -> None:
    # It decides whether a bundle belongs to a configuration.
    swapped = {name: np.array(arrays[name]) for name in NAMES}
    for name in ("P_g", "P_l"):
        swapped[name] = swapped[name][..., ::-1]
    for name in ("r_g", "r_l"):
        swapped[name][..., 0] += 1e-12
    swapped["start_priority"] = swapped["start_priority"][::-1]
    swapped["start_concentration"] = 2 * swapped["start_concentration"]
    digests = [Game(**arrays).digest, Game(**(arrays | {"discount": 0.81})).digest]
    digests += [Game(**(arrays | {name: swapped[name]})).digest for name in NAMES]
    assert len(set(digests)) == len(NAMES) + 2
    assert Game(**arrays).digest == digests[0]
    assert Game.from_arrays(Game(**arrays).arrays()).digest == digests[0]


# --- files


def saved(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez(path, **arrays)
    return path


def test_a_game_survives_its_file(tmp_path: Path, arrays: dict[str, Any]) -> None:
    assert Game.from_npz(saved(tmp_path / "game.npz", arrays)).digest == Game(**arrays).digest


def test_the_start_may_be_left_out(tmp_path: Path, arrays: dict[str, Any]) -> None:
    del arrays["start_priority"], arrays["start_concentration"]
    game = Game.from_npz(saved(tmp_path / "game.npz", arrays))
    assert np.allclose(game.start_priority, 1 / 3)
    assert np.array_equal(game.start_concentration, [1, 1])


@pytest.mark.parametrize("name", ["P_g", "P_l", "r_g", "r_l", "discount"])
def test_a_missing_array_is_named(tmp_path: Path, arrays: dict[str, Any], name: str) -> None:
    del arrays[name]
    with pytest.raises(GameError, match=f"lacks {name}"):
        Game.from_npz(saved(tmp_path / "game.npz", arrays))


def test_an_unknown_array_is_named(tmp_path: Path, arrays: dict[str, Any]) -> None:
    with pytest.raises(GameError, match="unknown P_x"):
        Game.from_npz(saved(tmp_path / "game.npz", arrays | {"P_x": np.zeros(2)}))


def test_objects_in_a_file_are_never_unpickled(tmp_path: Path, arrays: dict[str, Any]) -> None:
    path = tmp_path / "game.npz"
    np.savez(path, **(arrays | {"r_g": np.array([[print]], dtype=object)}), allow_pickle=True)
    with pytest.raises(GameError, match=r"game\.npz is not an \.npz file of plain arrays"):
        Game.from_npz(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_file_is_a_users_error_and_nothing_else(tmp_path: Path, arrays: dict[str, Any], save: Any) -> None:
    save(tmp_path / "whole.npz", **arrays)
    whole = (tmp_path / "whole.npz").read_bytes()
    path = tmp_path / "game.npz"
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError):
            Game.from_npz(path)
    refusals = []
    for position in range(0, len(whole), 5):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            Game.from_npz(path)
        except UserError as error:
            refusals.append(str(error))
    assert not any("\n" in message for message in refusals)
    assert len(refusals) > len(whole) // 5 // 4  # some bytes of a zip file do not matter, many do


def test_what_is_no_npz_file_is_a_users_error(tmp_path: Path) -> None:
    with pytest.raises(GameError, match="does not exist"):
        Game.from_npz(tmp_path / "none.npz")
    with pytest.raises(GameError):
        Game.from_npz(tmp_path)
    text, single, archive = tmp_path / "a.npz", tmp_path / "b.npy", tmp_path / "c.npz"
    text.write_text("P_g: 1")
    np.save(single, np.zeros(3))
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("P_g.npy", b"no array")
    for path in (text, single, archive):
        with pytest.raises(UserError):
            Game.from_npz(path)


# --- the paper's warehouse


def test_the_papers_numbers(warehouse: Game) -> None:
    """Steering succeeds with 81 %, holding with 89 %, a robot that stays leaves with 11.6 % (math.md §1)."""
    zones = np.arange(5)
    assert warehouse.P_g.shape == (5, 5, 5)
    assert warehouse.P_l.shape == (5, 5, 3, 5)
    for s in zones:
        for a in zones:
            assert warehouse.P_g[s, a, a] == pytest.approx(0.89 if s == a else 0.81, abs=0.005)
    stays = warehouse.P_l[zones[:, None], zones[None, :], 0, zones[:, None]]
    far = [stays[z, s] for z in zones for s in zones if z != s]
    assert 1 - np.mean(far) == pytest.approx(0.116, abs=0.0005)
    # A robot that neither stands in the priority zone nor is drawn by it jumps two zones with 2.4 to 2.7 %, to the
    # priority zone with up to 3.6 %.
    away = [warehouse.P_l[z, (z + 3) % 5, a, (z + 2) % 5] for z in zones for a in range(3)]
    drawn = [warehouse.P_l[z, (z + 2) % 5, a, (z + 2) % 5] for z in zones for a in range(3)]
    assert (min(away), max(away)) == pytest.approx((0.0244, 0.0267), abs=1e-4)
    assert (min(drawn), max(drawn)) == pytest.approx((0.0330, 0.0360), abs=1e-4)


def test_the_papers_transition_by_hand(warehouse: Game) -> None:
    # Zone 1, priority 3, move next: logits 0.1 everywhere, +3.5 at 1, +1.5 at 2, +0.3 at 3.
    weights = np.exp([0.1, 3.6, 1.6, 0.4, 0.1])
    assert np.allclose(warehouse.P_l[1, 3, 1], weights / weights.sum(), rtol=1e-13)
    # Move previous leads from zone 0 round the ring to zone 4.
    weights = np.exp([3.6 + 0.3, 0.1, 0.1, 0.1, 1.6])
    assert np.allclose(warehouse.P_l[0, 0, 2], weights / weights.sum(), rtol=1e-13)


def test_the_papers_rewards_and_start(warehouse: Game) -> None:
    assert warehouse.discount == 0.95
    assert np.array_equal(warehouse.r_g, np.ones((5, 5)))
    assert np.allclose(warehouse.r_l[2, 2], [10, 10.5, 9.7])
    assert np.allclose(warehouse.r_l[0, 4], np.array([1, 1.5, 0.7]))  # neighbours round the ring: 2/(1+1)
    assert np.allclose(warehouse.r_l[0, 2], 2 / 3 + np.array([0, 0.5, -0.3]))
    assert np.allclose(warehouse.start_priority, 0.2)
    assert np.allclose(warehouse.start_concentration, 0.3)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("discount", 1 - 1e-12, r"discount is 0\.999999999999: .* lower it"),
        ("r_l", 1e308, r"r_l\[0, 0, 0\] is 1e\+308: .* divide all"),
        ("r_g", -1e200, r"r_g\[0, 0\] is -1e\+200: .* divide all"),
    ],
)
def test_numbers_that_nothing_can_be_computed_with_end_in_a_sentence(name: str, value: float, complaint: str) -> None:
    arrays = random_arrays(0)
    with pytest.raises(GameError, match=complaint):
        Game(**(arrays | {name: value if name == "discount" else np.full_like(arrays[name], value)}))


def test_rewards_too_small_to_compute_with_end_in_a_sentence() -> None:
    arrays = random_arrays(0)
    with pytest.raises(GameError, match=r"r_g and r_l vary by .*multiply all of them"):
        Game(**(arrays | {name: 1e-150 * arrays[name] for name in ("r_g", "r_l")}))


def test_a_prior_of_rows_by_priority_is_pooled_over_what_is_within_reach() -> None:
    """Nothing counted: the prior alone, a share for every zone within reach. Something: in proportion to it."""
    graph, prior = ZoneGraph.ring(5), 0.5
    counts = np.zeros((5, 2, 3, 5), dtype=np.int64)
    within = transition_weights(counts[:, 0], prior, graph)
    assert np.count_nonzero(within[0, 0]) == 3
    assert np.allclose(transition_weights(counts, prior, graph), within[:, None])
    counts[0, 0, 0, 1] = 4
    seen = transition_weights(counts, prior, graph)
    assert seen[0, 1, 0] == pytest.approx(1.5 * (np.eye(5)[1] * 4 + within[0, 0]) / 5.5)
    assert seen[0, 0, 0] == pytest.approx(seen[0, 1, 0] + 4 * np.eye(5)[1])


# --- numbers as they come in


def law(*row: Any, dtype: Any = np.float64) -> dict[str, Any]:
    """Arrays of a game with this row everywhere in P_g."""
    rest = {"P_l": np.ones((1, 3, 1, 1)), "r_g": np.ones((3, 2)), "r_l": np.zeros((1, 3, 1)), "discount": 0.9}
    return rest | {"P_g": np.tile(np.array(row, dtype=dtype), (3, 2, 1))}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rows_are_accepted_within_the_rounding_of_their_type(dtype: Any) -> None:
    third = dtype(1) / dtype(3)
    game = Game.from_arrays(law(third, third, third, dtype=dtype))
    assert np.abs(game.P_g.sum(axis=-1) - 1).max() <= 3e-16 * 3
    off = law(third + 4 * np.finfo(dtype).eps, third, third, dtype=dtype)
    with pytest.raises(GameError, match=r"expected 1: .*P_g / P_g\.sum\(-1, keepdims=True\)"):
        Game.from_arrays(off if dtype is not np.float64 else law(third + 1e-8, third, third))


def test_what_is_left_of_1_may_be_below_0_by_rounding() -> None:
    row = (0.9, 0.1, 1 - 0.9 - 0.1)
    assert row[2] < 0
    game = Game.from_arrays(law(*row))
    assert game.P_g.min() == 0
    with pytest.raises(GameError, match="negative"):
        Game.from_arrays(law(0.9, 0.1 + 1e-12, -1e-12))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.full((3, 2, 3), 1 / 3 + 1j), r"complex numbers: give its real part, P_g\.real"),
        (np.ma.masked_less(np.full((3, 2, 3), 1 / 3), 0), r"masked array: give plain numbers, P_g\.filled"),
        (np.full((3, 2, 3), "0.333"), "not an array of numbers"),
        (np.full((3, 2, 3), 1 / 3).astype(object), "not an array of numbers"),
    ],
)
def test_numbers_that_would_lose_something_are_refused(value: Any, words: str) -> None:
    with pytest.raises(GameError, match=words):
        Game.from_arrays(law(0, 0, 1) | {"P_g": value})


@pytest.mark.parametrize("discount", [np.array([0.5, 0.5]), 0.5 + 0j, "0.5", None])
def test_a_discount_is_one_number(discount: Any) -> None:
    with pytest.raises(GameError, match="discount"):
        Game.from_arrays(law(0, 0, 1) | {"discount": discount})
