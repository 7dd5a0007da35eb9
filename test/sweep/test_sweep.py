"""`meanfleet sweep` in its own processes: killed and resumed, extended, refused, and on a Dask cluster."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from processes import Processes, wait_for

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.solver.fleet import fleet_return
from meanfleet.studies.sweep.plan import SweepPlan
from meanfleet.studies.sweep.pool import pool
from meanfleet.studies.sweep.results import summarise
from meanfleet.studies.sweep.running import run_sweep
from meanfleet.studies.sweep.units import WHOLE, as_json, remembering_unit

ROOT = Path(__file__).resolve().parent.parent.parent
SMALL: dict[str, Any] = {
    "zones": ["a", "b"],
    "fleet": {"prefix": "r", "count": 40},
    "world": {"backend": "model"},
    "solver": {"tolerance": 1e-6, "starts": ["uniform", "shortest"]},
}
OPTIONS = ("-k", "1:6,18:24", "--seeds", "3", "--rollouts", "10", "--horizon", "20", "--json")
FILES = (
    "sweep.json",
    "sweep.csv",
    "returns.csv",
    *(f"{n}.{e}" for n in ("reward", "seconds", "gap") for e in ("png", "svg")),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweeps")
    (path / "fleet.yaml").write_text(yaml.safe_dump(SMALL))
    return path


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict[str, Any]:
    """What a sweep that nobody disturbs prints; it is in folder/whole."""
    return sweep(folder, "-o", "whole")


def sweep(folder: Path, *arguments: str, options: tuple[str, ...] = OPTIONS) -> dict[str, Any]:
    result = run(folder, *options, *arguments)
    assert result.returncode == 0, result.stderr
    value = json.loads(result.stdout)
    assert isinstance(value, dict)
    return value


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "meanfleet", "sweep", "fleet.yaml", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "dumb", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def planned(folder: Path, **options: Any) -> SweepPlan:
    config = Config.from_yaml(folder / "fleet.yaml")
    return SweepPlan(Game.from_config(config), n=len(config.robots), settings=config.solver, **options)


def here(plan: SweepPlan, out: Path) -> dict[str, Any]:
    """The summary of a sweep in this process."""
    with pool("processes", workers=1) as parallel:
        return json.loads(json.dumps(summarise(run_sweep(plan, out, parallel))))


CHANGING = ("seconds", "cpu_seconds", "process", "digest")  # of a bundle: it notes the times


def timeless(value: Any) -> Any:
    """The same without what may differ between two runs."""
    if isinstance(value, dict):
        return {key: timeless(each) for key, each in value.items() if key not in CHANGING}
    return [timeless(each) for each in value] if isinstance(value, list) else value


def units(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "units").glob("k*")}


def test_tables_and_figures_say_what_the_units_say(folder: Path, whole: dict[str, Any]) -> None:
    out = folder / "whole"
    assert {path.name for path in out.iterdir()} == {*FILES, "units"}
    assert json.loads((out / "sweep.json").read_text()) == whole
    assert whole["ks"] == [1, 2, 3, 4, 5, 6, 18, 19, 20, 21, 22, 23, 24]
    game = Game.from_yaml(folder / "fleet.yaml")
    rows = list(csv.DictReader((out / "returns.csv").open()))
    assert len(rows) == 13 * 3
    for row in rows[::7]:
        k, seed = int(row["k"]), int(row["seed"])
        bundle = PolicyBundle.load(out / "units" / f"k{k:04d}.npz", game)
        table = bundle.tables[0].dispatch.astype(np.int64)
        expected = fleet_return(game, table, bundle.local_policy, k, 40, 10, 20, seed)
        assert float(row["mean"]) == pytest.approx(expected.mean, rel=1e-12)
        assert float(row["error"]) == pytest.approx(expected.error, rel=1e-12)
    by_k = {int(row["k"]): row for row in csv.DictReader((out / "sweep.csv").open())}
    for point in whole["curve"]:
        means = [float(row["mean"]) for row in rows if int(row["k"]) == point["k"]]
        last = [float(row["mean"]) for row in rows if row["k"] == "24"]
        assert point["return"]["mean"] == pytest.approx(np.mean(means))
        assert point["gap"]["mean"] == pytest.approx(np.mean(last) - np.mean(means), abs=1e-12)
        assert float(by_k[point["k"]]["return_mean"]) == point["return"]["mean"]
        assert point["certificate"]["global_gap"] < 1e-4
        again = remembering_unit(game, point["k"], 40, 20, 10, 20, (0, 1, 2))
        assert point["remembering"]["by_seed"] == as_json(again.by_seed)
        assert float(by_k[point["k"]]["remembering_mean"]) == point["remembering"]["mean"]
    assert [by_k[k]["warm_from"] for k in (20, 21, 22, 23, 24)] == ["", "20", "20", "21", "22"]
    assert whole["fit"]["shape"] == "gap(k) = offset + slope/sqrt(k)"
    assert whole["whole"]["by_seed"] == as_json(remembering_unit(game, WHOLE, 40, 20, 10, 20, (0, 1, 2)).by_seed)
    for name in FILES[3:]:
        assert (out / name).read_bytes().startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")


def test_killed_it_resumes_and_ends_as_if_nothing_had_happened(
    folder: Path, whole: dict[str, Any], processes: Processes
) -> None:
    """After kill -9 nothing is left running; what was finished before is taken as it is, the rest is done."""
    out = folder / "killed"
    process = processes.module("meanfleet", "sweep", str(folder / "fleet.yaml"), *OPTIONS, "-o", str(out))
    wait_for(lambda: len(units(out)) >= 5, 60, "five units")
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=10)
    wait_for(lambda: not processes.left(), 20, "the workers of the killed sweep to end")
    assert not (out / "sweep.json").exists()
    kept = units(out)
    assert 5 <= len(kept) < 2 * 13 + 1
    resumed = sweep(folder, "-o", "killed")
    assert timeless(resumed) == timeless(whole)
    assert kept.items() <= units(out).items()


def test_damaged_units_are_done_again(folder: Path, whole: dict[str, Any]) -> None:
    before = units(folder / "whole")
    (folder / "whole" / "units" / "k0005.npz").write_bytes(before["k0005.npz"][:1000])
    (folder / "whole" / "units" / "k0006.json").write_bytes(before["k0006.json"].replace(b"1", b"2", 1))
    plan = planned(folder, ks=tuple(whole["ks"]), seeds=3, rollouts=10, horizon=20)
    assert timeless(here(plan, folder / "whole")) == timeless(whole)
    changed = {name for name, content in units(folder / "whole").items() if content != before[name]}
    assert changed == {"k0005.npz", "k0005.json"}  # its returns name the bundle, whose times are new


def test_more_k_and_seeds_add_units_and_leave_the_rest(folder: Path) -> None:
    out, brief = folder / "grown", {"rollouts": 5, "horizon": 5}
    first = here(planned(folder, ks=(1, 2), seeds=2, **brief), out)
    bundles = {name: content for name, content in units(out).items() if name.endswith("npz")}
    grown = here(planned(folder, ks=(1, 2, 3, 4), seeds=3, **brief), out)
    assert bundles.items() <= units(out).items()
    assert (grown["ks"], grown["seeds"]) == ([1, 2, 3, 4], [0, 1, 2])
    for old, new in zip(first["curve"], grown["curve"], strict=False):
        assert old["by_seed"].items() <= new["by_seed"].items()
    assert first["fit"] is None
    assert here(planned(folder, ks=(1, 2), seeds=2, **brief), out) == first  # and fewer take them away again


def test_the_folder_of_another_sweep_is_one_sentence_and_exit_code_2(folder: Path, whole: dict[str, Any]) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    result = run(folder, "-k", "1:6", "--horizon", "20", "-o", "whole")
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = filter(None, result.stderr.splitlines())
    assert line.startswith("meanfleet: whole holds a sweep with another rollouts (10 there, 50 now)")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"backend": "dsak"}, r"backend 'dsak' is unknown: .*did you mean 'dask'\?"),
        ({"backend": "dask"}, "go together"),
        ({"backend": "dask", "scheduler": "tcp://127.0.0.1:1", "workers": 2}, "--workers is for processes"),
        ({"backend": "processes", "scheduler": "tcp://127.0.0.1:1"}, "go together"),
    ],
)
def test_pools_that_make_no_sense_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words), pool(**arguments):
        pass


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x", "127.0.0.1:99999"])
def test_a_scheduler_that_is_not_there_is_one_sentence(address: str) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed")
    with pytest.raises(UserError, match=f"no Dask scheduler answers at {address}: "), pool("dask", None, address, 0.5):
        pass


def test_a_dask_cluster_of_two_workers_gives_the_same(
    folder: Path, whole: dict[str, Any], processes: Processes, tmp_path: Path
) -> None:
    """Scheduler and workers are processes of this test on loopback; the units name the processes they ran in."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    contact = processes.folder / "scheduler.json"
    loopback = ("--host", "127.0.0.1", "--no-dashboard")
    processes.module("distributed.cli.dask_scheduler", *loopback, "--port", "0", "--scheduler-file", str(contact))
    wait_for(lambda: contact.exists() and contact.read_text().endswith("}"), 60, "the scheduler's contact file, whole")
    address = json.loads(contact.read_text())["address"]
    with pytest.raises(UserError, match="has no workers"), pool("dask", None, address, 0.5):
        pass
    worker = ("distributed.cli.dask_worker", address, *loopback, "--nthreads", "1", "--no-nanny",
              "--local-directory", str(tmp_path))  # fmt: skip
    workers = {str(processes.module(*worker).pid) for _ in range(2)}
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    found = sweep(folder, "-o", "dask", "--backend", "dask", "--scheduler", address)
    assert timeless(found) == timeless(whole)
    assert {point["solve"]["process"].rpartition(":")[2] for point in found["curve"]} == workers

    # A third worker, where another version is installed.
    (tmp_path / "meanfleet").mkdir()
    (tmp_path / "meanfleet" / "__init__.py").write_text("__version__ = '0.0.1'")
    elsewhere = processes.environment | {"PYTHONPATH": str(tmp_path)}
    processes.started.append(subprocess.Popen([sys.executable, "-m", *worker], cwd=tmp_path, env=elsewhere))
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(3, timeout=60)
    with pytest.raises(UserError, match=r"runs meanfleet 0\.0\.1: install"), pool("dask", None, address):
        pass
