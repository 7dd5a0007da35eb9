"""`meanfleet continuous` in its own process: what it prints and writes, and what it refuses."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from meanfleet.families.line.bundle import ContinuousBundle

ROOT = Path(__file__).resolve().parent.parent
SMALL: dict[str, Any] = {
    "line": {"robots": 30},
    "polled": [1, 4],
    "bins": {"kappa": 4, "fleets": 200},
    "learning": {"alternations": 1, "runs": 1, "hidden": 4, "samples": 30, "episodes": 3, "horizon": 4},
    "evaluation": {"horizon": 10, "rollouts": 40},
}
WITHOUT_JAX = """
import sys
sys.modules["jax"] = None
from meanfleet.cli import main
sys.argv = ["meanfleet", *sys.argv[1:]]
main()
"""


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    (folder / "line.yaml").write_text(yaml.safe_dump(SMALL))
    where = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=where, capture_output=True, text=True, timeout=300
    )


def test_rules_and_solved_bins_are_measured_drawn_and_written(tmp_path: Path) -> None:
    result = run(tmp_path, "-m", "meanfleet", "continuous", "line.yaml", "-o", "out")
    assert result.returncode == 0, result.stderr
    assert "solved bins, remembering" in result.stdout
    with (tmp_path / "out" / "continuous.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    names = [(row["rule"], row["k"]) for row in rows]
    assert names[:2] == [("hold", "0"), ("random", "0")]
    assert {("solved bins, remembering", "1"), ("solved bins, remembering", "4")} <= set(names)
    value = {name: float(row["mean"]) for name, row in zip(names, rows, strict=True)}
    assert value["random", "0"] < value["hold", "0"] < 10 * 15
    for name in ("reward", "population"):
        assert (tmp_path / "out" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "out" / "checkpoints").exists()
    bundle = ContinuousBundle.load(tmp_path / "out" / "solved.npz")
    assert (bundle.ks, bundle.robots, bundle.dispatcher) == ((1, 4), None, None)
    assert bundle.certificate[4]["fleet"]["mean"] == value["solved bins, memoryless", "4"]
    assert bundle.filtering is not None
    assert bundle.filtering.setting_for(4).fleet["mean"] == value["solved bins, remembering", "4"]


def test_learning_adds_its_rows_and_keeps_checkpoints(tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="learning by gradients needs the extra 'continuous'")
    pytest.importorskip("optax", reason="learning by gradients needs the extra 'continuous'")
    result = run(tmp_path, "-m", "meanfleet", "continuous", "line.yaml", "-o", "out", "--learn", "--json")
    assert result.returncode == 0, result.stderr
    learned = [row for row in json.loads(result.stdout)["rows"] if row["rule"] == "trpo"]
    assert [row["k"] for row in learned] == [1, 4]
    assert all(row["seconds"] > 0 and 0 <= row["accuracy"] <= 1 and not row["diverged"] for row in learned)
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"accuracy.png", "time.png", "continuous.json"}
    assert len(list((tmp_path / "out" / "checkpoints").iterdir())) == 2
    bundle = ContinuousBundle.load(tmp_path / "out" / "policy-k4.npz")
    assert (bundle.how["learned_for_k"], bundle.line.robots) == (4, 30)
    assert bundle.robots is not None
    assert 0 <= bundle.dispatch(2, [4, 0, 0, 0, 0]) < 5


def test_learning_without_its_packages_is_refused_before_any_work(tmp_path: Path) -> None:
    result = run(tmp_path, "-c", WITHOUT_JAX, "continuous", "line.yaml", "-o", "out", "--learn")
    assert result.returncode == 2
    assert result.stderr.startswith("meanfleet: learning by gradients needs JAX and optax: install 'meanfleet[")
    assert not (tmp_path / "out").exists()
    assert run(tmp_path, "-c", WITHOUT_JAX, "continuous", "line.yaml", "-o", "out").returncode == 0


def test_a_warehouse_with_zones_is_refused(tmp_path: Path) -> None:
    result = run(tmp_path, "-m", "meanfleet", "continuous", str(ROOT / "config" / "demo.yaml"), "-o", "out")
    assert result.returncode == 2
    assert "describes a warehouse with zones" in result.stderr
    assert not (tmp_path / "out").exists()
