"""The dispatcher's file: one owner at a time, whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from meanfleet.base.errors import UserError
from meanfleet.dispatcher_node.checkpoint import Checkpoint

ROOT = Path(__file__).resolve().parents[2]
HOLD = "import sys; from meanfleet.dispatcher_node.checkpoint import Checkpoint; c = Checkpoint(sys.argv[1]); "


def test_what_is_written_is_read(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "state.json")
    assert checkpoint.read() is None
    assert checkpoint.write({"tick": 3}) == ""
    assert checkpoint.read() == {"tick": 3}


def test_it_has_one_owner_until_that_closes_or_dies(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    mine = Checkpoint(path)
    with pytest.raises(UserError, match=r"state\.json belongs to a dispatcher that is running"):
        Checkpoint(path)
    mine.close()
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD + "print('held', flush=True); sys.stdin.read()", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    with pytest.raises(UserError, match="running"):
        Checkpoint(path)
    other.send_signal(signal.SIGKILL)
    other.wait(timeout=10)
    Checkpoint(path).close()


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"tick": '])
def test_a_damaged_file_is_an_error_of_its_own(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(ValueError, match=r".+"):
        Checkpoint(tmp_path / "state.json").read()


def test_a_failing_disk_is_told_and_the_last_state_stays(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "state.json")
    checkpoint.write({"tick": 1})
    (tmp_path / "state.json").rename(tmp_path / "kept.json")
    (tmp_path / "state.json").mkdir()  # nothing can be renamed over a folder
    assert "state.json was not written" in checkpoint.write({"tick": 2})
    (tmp_path / "state.json").rmdir()
    (tmp_path / "kept.json").rename(tmp_path / "state.json")
    assert checkpoint.read() == {"tick": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.json", "state.json.lock"]


def test_a_folder_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        Checkpoint(tmp_path / "nowhere" / "state.json")
