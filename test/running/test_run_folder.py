"""A run's folder: an earlier run that lies there is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from meanfleet.running.folder import run_folder
from meanfleet.running.graph import warehouse_graph


def fill(folder: Path, text: str) -> None:
    (folder / "logs").mkdir(parents=True)
    for name in ("run.jsonl", "summary.json", "logs/world.log"):
        (folder / name).write_text(f"{name} {text}")


def test_runs_in_one_folder_are_all_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run_folder(out) == out
    (out / "notes.txt").write_text("mine")
    for text in ("first", "second"):
        fill(out, text)
        run_folder(out)
    assert sorted(path.name for path in out.iterdir()) == ["notes.txt", "run-1", "run-2"]
    for number, text in ((1, "first"), (2, "second")):
        for name in ("run.jsonl", "summary.json", "logs/world.log"):
            assert (out / f"run-{number}" / name).read_text() == f"{name} {text}"
    said = capsys.readouterr().err.splitlines()
    assert said == [f"meanfleet: {out} holds a run already, kept as {out / f'run-{i}'}" for i in (1, 2)]


def test_up_keeps_the_run_that_lies_in_its_folder(tmp_path: Path, demo_path: Path, demo_policy: Path) -> None:
    fill(tmp_path / "out", "first")
    given = {"config": str(demo_path), "policy": str(demo_policy), "n": 20, "k": 5, "out": str(tmp_path / "out")}
    warehouse_graph(given)
    assert (tmp_path / "out" / "run-1" / "run.jsonl").read_text() == "run.jsonl first"
    assert not (tmp_path / "out" / "run.jsonl").exists()
