"""The file of what operators did: where it is, what is read back, what a damaged one says. No ROS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meanfleet.base.errors import UserError
from meanfleet.ros.parameters import EXCLUDE, MODE, ParameterSpec
from meanfleet.safety import KEEP_NONE, OperatorState, Word, state_file

HOME = {"HOME": "/home/lee"}


@pytest.mark.parametrize(
    ("folder", "environment", "expected"),
    [
        ("", HOME, "/home/lee/.local/state/meanfleet/domain_0/site/dispatcher.json"),
        ("", HOME | {"XDG_STATE_HOME": "/s", "ROS_DOMAIN_ID": "7"}, "/s/meanfleet/domain_7/site/dispatcher.json"),
        (
            "",
            HOME | {"XDG_STATE_HOME": "", "ROS_DOMAIN_ID": ""},
            "/home/lee/.local/state/meanfleet/domain_0/site/dispatcher.json",
        ),
        ("/mine", HOME, "/mine/site/dispatcher.json"),
    ],
)
def test_every_node_has_its_file(folder: str, environment: dict[str, str], expected: str) -> None:
    assert state_file(folder, "/site/dispatcher", environment) == Path(expected)
    assert state_file(KEEP_NONE, "/site/dispatcher", environment) is None


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "robots.json"
    first = OperatorState(path)
    assert not first.found
    first.set("mode", "shadow")
    first.set("exclude", ("a", "b"))
    first.set("k", 3)
    first.set("k", None)
    first.stops = {"button:/robots": Word(True, 4, 2, "/robots", "/robots")}
    first.drove = True
    first.write()
    second = OperatorState(path)
    assert second.found
    assert second.settings == {"mode": "shadow", "exclude": ["a", "b"]}
    assert second.stops == first.stops
    assert second.drove
    assert first.wrong == second.wrong == ""


def test_nothing_is_kept_where_nothing_is_to_be(tmp_path: Path) -> None:
    state = OperatorState(None)
    state.set("mode", "run")
    state.write()
    assert state.wrong == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"settings": {}, "stops": {}}',
        '{"settings": [1], "stops": {}, "drove": false}',
        '{"settings": {}, "stops": {"a": {}}, "drove": false}',
        '{"settings": {}, "drove": false, "stops": {"a": {"pressed": 1, "number": 1, "cleared": 1}}}',
        "[" * 100_000,
        "\xff",
    ],
)
def test_a_damaged_file_is_no_release(tmp_path: Path, text: str) -> None:
    path = tmp_path / "robots.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(
        UserError, match=r"state file .*robots\.json is damaged .*remove it once you know that no emerg"
    ):
        OperatorState(path)


def test_a_place_that_cannot_be_written_is_said_and_the_node_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    state = OperatorState(tmp_path / "robots.json")
    state.path = tmp_path / "file" / "robots.json"
    state.set("mode", "run")
    assert "a restart would forget it" in state.wrong
    assert state.settings == {"mode": "run"}


def test_a_file_that_is_killed_while_it_is_written_is_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "robots.json"
    state = OperatorState(path)
    state.set("mode", "shadow")
    before = path.read_text()
    (tmp_path / ".robots.json.abc.part").write_text(json.dumps({"settings": {}})[:9])
    assert OperatorState(path).settings == {"mode": "shadow"}
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("spec", "value", "default"),
    [
        (MODE, "", True),
        (MODE, "run", False),
        (EXCLUDE, None, True),
        (EXCLUDE, [], True),
        (EXCLUDE, [""], False),
        (ParameterSpec("k", 0, ""), 0, True),
        (ParameterSpec("k", 0, ""), 3, False),
    ],
)
def test_a_default_takes_a_setting_back(spec: ParameterSpec, value: Any, default: bool) -> None:
    assert spec.is_default(value) is default
