"""Files appear whole or not at all, also when what they are written to goes away or is full."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from meanfleet.errors import UserError
from meanfleet.files import replacing, write_json


def test_a_folder_that_goes_away_while_writing_is_said_in_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with pytest.raises(UserError, match="cannot write .*state.json"), replacing(folder / "state.json") as stream:
        stream.write(b"{")
        folder.rename(tmp_path / "aside")
        folder.touch()
    assert folder.is_file()


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_json(path, {"tick": 1})
    before = path.read_bytes()
    with pytest.raises(UserError, match="No space left"), replacing(path) as stream:
        stream.write(b"{")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
