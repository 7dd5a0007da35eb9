"""`meanfleet dynamics`: configurations, the study as a whole, and what is written."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from meanfleet.base.errors import UserError
from meanfleet.studies.dynamics.study import conduct, load, summary

ROOT = Path(__file__).resolve().parent.parent
PRISONERS = yaml.safe_load((ROOT / "config" / "prisoners.yaml").read_text())
QUICK = {"duration": 200, "settle": 2000, "points": 5, "runs": 4, "speedups": [1, 3], "guesses": 2}


def written(folder: Path, dynamics: dict[str, Any], base: dict[str, Any] = PRISONERS) -> Path:
    path = folder / "game.yaml"
    path.write_text(yaml.safe_dump(base | {"dynamics": base.get("dynamics", {}) | dynamics}))
    return path


def test_shipped_examples_are_whole() -> None:
    for name in ("prisoners.yaml", "warehouse.yaml"):
        setup = load(ROOT / "config" / name)
        assert np.isfinite(setup.system.drift(setup.start)).all()
    assert load(ROOT / "config" / "prisoners.yaml").start.tolist() == [30.0] * 8 + [22.0, 20.0] * 4


@pytest.mark.parametrize(
    ("dynamics", "complaint"),
    [
        ({"runs": 1}, "key 'dynamics.runs'"),
        ({"speed": 1}, "unknown key 'dynamics.speed'"),
        ({"speedups": [1, 1]}, "different whole numbers"),
        ({"players": [{"alpha": 0.1}]}, "one per player"),
        ({"players": [{"alpha": -1}, {}]}, "key 'dynamics.players.0.alpha'"),
        ({"players": [{"start": [1, 2, 3]}, {}]}, "player 0 does not fit"),
        ({"players": [{"grid": [1] * 40}, {"grid": [1] * 40}]}, "1600 combinations"),
    ],
)
def test_mistakes_name_the_key(tmp_path: Path, dynamics: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        load(written(tmp_path, dynamics))


def test_a_warehouse_without_the_section_is_told_of_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no section 'dynamics:'"):
        load(ROOT / "config" / "demo.yaml")
    with pytest.raises(UserError, match="either 'payoffs' or 'file'"):
        load(written(tmp_path, {}, PRISONERS | {"markov_game": {}}))


def test_the_warehouse_learns_beside_its_certified_equilibrium(tmp_path: Path) -> None:
    """A small warehouse: what is learned earns no more than the equilibrium, and the certificate is exact for k = 1."""
    base = {
        "zones": ["north", "east", "south"],
        "fleet": {"prefix": "r", "count": 6},
        "dispatcher": {"k": 2},
        "solver": {"starts": ["shortest", "uniform"]},
    }
    learner = {"rule": "q", "alpha": 0.1, "discount": 0.95, "start": 100}
    path = written(tmp_path, QUICK | {"k": 1, "settle": 200_000, "guesses": 0, "players": [learner] * 2}, base)
    found = summary(conduct(load(path)))
    (row,) = found["equilibrium"]["paths"]
    assert row["exploring"] < row["greedy"] <= found["equilibrium"]["certified"] + 1e-6
    assert row["greedy"] > 0.9 * found["equilibrium"]["certified"]
    assert 0 < row["time_to_99_percent"] <= 200_000


def test_the_command_writes_figures_tables_and_json(tmp_path: Path) -> None:
    written(tmp_path, QUICK)
    result = subprocess.run(
        [sys.executable, "-m", "meanfleet", "dynamics", "game.yaml", "-o", "out", "--json"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found == json.loads((tmp_path / "out" / "dynamics.json").read_text())
    assert len(found["paths"]) == 17
    for name in ("paths", "phase", "distance"):
        assert (tmp_path / "out" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader((tmp_path / "out" / "paths.csv").open()))
    assert len(rows) == 5 * 16
    first = rows[0]
    assert (first["parameter"], float(first["ode"]), float(first["mean"])) == ("Q0[0,0]", 30.0, 30.0)
    last = {row["parameter"]: row for row in rows[-16:]}
    assert float(last["Q1[3,1]"]["low"]) <= float(last["Q1[3,1]"]["mean"]) <= float(last["Q1[3,1]"]["high"])
    assert found["ode"]["end"]["Q1[3,1]"] == float(last["Q1[3,1]"]["ode"])


PLAYERS = [{"alpha": 0.1, "tau": 0.5, "epsilon": 0.1, "start": start} for start in (30, [22, 20])]


def test_without_guesses_fixed_points_are_searched_from_a_path_that_has_not_come_to_rest(tmp_path: Path) -> None:
    """The path's time is over before it comes to rest; the search from its end finds a point all the same."""
    path = written(tmp_path, QUICK | {"settle": 30_000, "guesses": 0, "runs": 2, "players": PLAYERS})
    found = conduct(load(path))
    assert [followed.ending for followed in found.followed] == ["duration"]
    assert found.points
