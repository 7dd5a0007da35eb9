"""YAML that a person or a fuzzer writes: read within bounds, or refused in one sentence with the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from meanfleet.base.errors import UserError
from meanfleet.base.yaml_files import read_yaml
from meanfleet.config import Config

HEAD = "zones: [north, east, south]\n"
FLEET = "fleet: {prefix: r, count: 5}\n"


def refusal(folder: Path, text: str) -> str:
    path = folder / "fleet.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        Config.from_yaml(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 500
    return message


@pytest.mark.parametrize(
    "value",
    ["2026-13-45", "!!int abc", "!!int ''", "!!timestamp abc", "!!float abc", "!!bool abc", "!!map abc", "9" * 5000],
)
def test_a_value_that_is_not_what_its_form_says_is_refused_with_its_line(tmp_path: Path, value: str) -> None:
    assert "line 3" in refusal(tmp_path, f"{HEAD}{FLEET}game: {{r_g: {value}}}\n")


@pytest.mark.parametrize("text", ["[" * 3000, "a: " + "{b: " * 3000, "- " * 3000])
def test_what_is_nested_too_deeply_is_refused(tmp_path: Path, text: str) -> None:
    assert "nested too deeply" in refusal(tmp_path, text)


def test_aliases_of_aliases_are_counted_before_they_are_followed(tmp_path: Path) -> None:
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert "aliases repeat more than" in refusal(tmp_path, "\n".join(["a0: &a0 [x, x]", *levels]))
    assert "aliases repeat more than" in refusal(tmp_path, "a: &a [*a]")


def test_an_endless_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"/dev/zero is larger than"):
        read_yaml("/dev/zero")
    with pytest.raises(UserError, match="null byte"):
        read_yaml("a\0b")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("zones: [no, se, fi]\n" + FLEET, r"key 'zones.0': expected text, not False: put it in quotes"),
        ("zones: [1, 2, 3]\n" + FLEET, r"key 'zones.0': expected text, not 1: put it in quotes"),
        ("zones: [2026-12-01, b, c]\n" + FLEET, "put it in quotes"),
        ('zones: ["dock-1"]\n' + FLEET, "letters (a to z), digits and _ that begins with a letter, not 'dock-1'"),
        ('zones: ["Prüfung"]\n' + FLEET, "letters (a to z), digits and _"),
        (HEAD + "fleet: {prefix: r, count: yes}\n", "key 'fleet.count': expected a number; YAML reads yes"),
        (HEAD + FLEET + "game: {r_l: {move: [yes, 0, 0]}}\n", "expected a number"),
        (HEAD + FLEET + "dispatcher: {rho: on}\n", "key 'dispatcher.rho': expected a number"),
        (
            HEAD + FLEET + "dispatcher: {probabilities: {r0: yes}}\n",
            "key 'dispatcher.probabilities': expected a number",
        ),
        (HEAD + "fleet: {prefix: r, count: 100000000}\n", "key 'fleet.count'"),
        (HEAD + f"fleet: {{prefix: r, count: 1{'0' * 4000}}}\n", "key 'fleet.count'"),
        (HEAD + f"fleet: {{prefix: r, count: 0x{'f' * 5000}}}\n", "key 'fleet.count'"),
        (HEAD + f"fleet: {{names: [{'r' * 300}]}}\n", "300 letters"),
        (f"zones: [{'z' * 300}]\n" + FLEET, "zones.0"),
        (HEAD + FLEET + f"{'x' * 1000}: 1\n", "unknown key"),
    ],
)
def test_values_of_the_wrong_kind_are_named_with_the_remedy(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(tmp_path, text)


def test_truth_values_stay_where_they_belong_and_numbers_may_be_whole(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(HEAD + FLEET + "solver: {filtering: yes, tolerance: 1}\n")
    assert Config.from_yaml(path).solver.filtering is True


def test_a_fleet_is_not_resized_beyond_bounds(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(HEAD + FLEET)
    with pytest.raises(UserError, match="100000 robots at most"):
        Config.from_yaml(path).with_robots(100_000_000)
