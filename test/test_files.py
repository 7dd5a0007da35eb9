"""Files appear whole or not at all, also when what they are written to goes away or is full."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from meanfleet.base.errors import UserError
from meanfleet.base.files import replacing, writable_file, write_json


def write_while(path: Path, happens: Callable[[], None]) -> None:
    with replacing(path) as stream:
        stream.write(b"{")
        happens()


def test_a_folder_that_goes_away_while_writing_is_said_in_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()

    def becomes_a_file() -> None:
        folder.rename(tmp_path / "aside")
        folder.touch()

    with pytest.raises(UserError, match=r"cannot write .*state\.json"):
        write_while(folder / "state.json", becomes_a_file)
    assert folder.is_file()


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_json(path, {"tick": 1})
    before = path.read_bytes()

    def is_full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError, match="No space left"):
        write_while(path, is_full)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_may_be_mistyped_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no folder .*ouy; make it, or choose another place"):
        writable_file(tmp_path / "ouy" / "policy.npz")
    assert not list(tmp_path.iterdir())
