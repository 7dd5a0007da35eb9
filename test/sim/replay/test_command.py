"""`meanfleet replay` and `meanfleet fit` on real bags: report, verdict, game, and back to `meanfleet solve`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from bag_files import Said, T, header, write_bag
from typer.testing import CliRunner

from meanfleet.base.errors import UserError
from meanfleet.cli.app import app
from meanfleet.config import Config
from meanfleet.dispatcher_node.dispatcher import Dispatcher
from meanfleet.dispatcher_node.gather import Gather
from meanfleet.dispatcher_node.report import Ledger, tick_report
from meanfleet.robot_node.robot import Robot, robot_seed
from meanfleet.solver import Game, solve
from meanfleet.solver.bundle.policy import PolicyBundle

ROOT = Path(__file__).resolve().parent.parent.parent.parent
SMALL: dict[str, Any] = {
    "zones": ["north", "east", "south"],
    "fleet": {"prefix": "r", "count": 12},
    "dispatcher": {"k": 2},
    "world": {"backend": "model"},
    "solver": {"tolerance": 1e-4, "starts": ["shortest"], "rollouts": 250, "kappa": 4, "rho": [0.95]},
}
TICKS = 80


def meanfleet(folder: Path, *arguments: str) -> str:
    """What the command prints, run in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "160")
        result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def said(config: Config, bundle: PolicyBundle, observer: str) -> Iterator[Said]:
    """What a fleet of the model world, its dispatcher and its robots publish; now and then a robot is silent."""
    rng, names = np.random.default_rng(5), config.robots
    robots = [Robot(bundle, robot_seed(0, name)) for name in names]
    one = Dispatcher(bundle, names, 2, observer, seed=8)
    zones = rng.integers(3, size=len(names))
    for t in range(1, TICKS + 1):
        at = t * 10**9
        silent = set(rng.choice(len(names), size=2, replace=False).tolist())
        for i, name in enumerate(names):
            if i not in silent:
                yield f"/{name}/zone", "std_msgs/msg/Header", at, header(t, config.zones[zones[i]])
        asked = one.sample()
        gather = Gather(asked, 0.0, 0.5, 2.0, one.more, one.reach)
        for now in (0.1, 0.4):
            for name in asked:
                if names.index(name) not in silent:
                    gather.receive(name, int(zones[names.index(name)]), 0.0, 0)
            asked = tuple(gather.replace(now))
        one.observe(gather.zones | gather.late, gather.ages)
        priority = one.priority
        one.decide()
        assert one.last is not None
        yield "/priority_zone", "std_msgs/msg/Header", at, header(t, config.zones[priority])
        report = tick_report(gather, one.last, one, config.zones, float(t), 0.1, Ledger(), 0)
        yield "/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", at, told(t, "dispatcher", report.values())
        moves = [robot.move(int(z), priority) for robot, z in zip(robots, zones, strict=True)]
        values = {"stamp": float(t), "robots": list(names), "moves": moves}
        yield "/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", at, told(t, "robots r", values)
        laws = [bundle.game.P_l[z, priority, a] for z, a in zip(zones, moves, strict=True)]
        zones = np.array([rng.choice(3, p=law) for law in laws])


def told(seconds: float, name: str, values: dict[str, Any]) -> Any:
    entries = [T["diagnostic_msgs/msg/KeyValue"](key, json.dumps(value)) for key, value in values.items()]
    status = T["diagnostic_msgs/msg/DiagnosticStatus"](0, name, "", "meanfleet", entries)
    return T["diagnostic_msgs/msg/DiagnosticArray"](header(seconds), [status])


@pytest.fixture(scope="module")
def solved() -> PolicyBundle:
    config = Config(**SMALL)
    return solve(Game.from_config(config), [1, 2, 5], n=12, settings=config.solver)


@pytest.fixture
def folder(tmp_path: Path, solved: PolicyBundle) -> Path:
    """fleet.yaml, policy.npz and the bags of a remembering and of a memoryless dispatcher."""
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(SMALL))
    solved.save(tmp_path / "policy.npz")
    config = Config.from_yaml(tmp_path / "fleet.yaml")
    for observer in ("dirichlet", "memoryless"):
        write_bag(tmp_path / observer, said(config, solved, observer))
    return tmp_path


REPLAY = ("-c", "fleet.yaml", "--policy", "policy.npz", "-k", "1,2,5", "--seeds", "20", "--rollouts", "250")


@pytest.mark.parametrize("observer", ["dirichlet", "memoryless"])
def test_a_bag_is_replayed_and_its_live_decisions_are_reenacted(folder: Path, observer: str) -> None:
    summary = json.loads(meanfleet(folder, "replay", observer, *REPLAY, "--out", "out", "--json"))
    assert summary["reenacted"] == {"ticks": TICKS, "anchored": 0, "mismatches": 0, "said": ""}
    assert summary["bag"]["ticks"] == TICKS
    assert summary["bag"]["priorities_assumed"] == 0
    assert len(summary["curve"]) == 6
    assert summary["verdict"]["policy"] == PolicyBundle.load(folder / "policy.npz").digest
    assert json.loads((folder / "out" / "replay.json").read_text()) == summary
    text = meanfleet(folder, "replay", observer, *REPLAY, "--out", "again")
    assert "80 ticks re-enacted, 0 differences" in text
    assert "report.html, replay.json, replay.csv, seeds.csv written to again" in text
    for name in ("report.html", "replay.json", "replay.csv", "seeds.csv"):
        assert (folder / "out" / name).read_bytes() == (folder / "again" / name).read_bytes()
    assert "80 ticks re-enacted" in (folder / "out" / "report.html").read_text()


def test_another_policy_than_the_live_one_is_noticed(folder: Path, solved: PolicyBundle) -> None:
    tables = tuple(replace(table, dispatch=(table.dispatch + 1) % 3) for table in solved.tables)
    replace(solved, tables=tables).save(folder / "policy.npz")
    summary = json.loads(meanfleet(folder, "replay", "memoryless", *REPLAY, "--out", "out", "--json"))
    assert summary["reenacted"]["mismatches"] > 0
    assert summary["reenacted"]["said"].startswith("first at tick")


def test_a_fitted_game_is_solved_and_rolled_out(folder: Path) -> None:
    (folder / "fit").mkdir()
    text = meanfleet(folder, "fit", "dirichlet", "-c", "fleet.yaml", "-o", "fit/game.yaml")
    assert "moves recorded" in text
    assert "without a model (Q-learning, k = 2" in text
    known = json.loads((folder / "fit" / "game.fit.json").read_text())
    assert known["transitions"] > 500
    assert Game.from_yaml(folder / "fit" / "game.yaml").digest == known["game"]
    told = (folder / "fit" / "game.fit.html").read_text()
    assert f"{known['transitions']} transitions" in told
    assert f"{known['model_free']['updates']} updates" in told
    assert told.count("<tr>") == 1 + known["coverage"]["rows"] + 1 + known["steering"]["rows"]
    assert "http" not in told
    (meanfleet(folder, "solve", "fit/game.yaml", "-k", "2", "-o", "fitted.npz"))
    assert PolicyBundle.load(folder / "fitted.npz").game.digest == known["game"]
    summary = json.loads(
        meanfleet(folder, "replay", "dirichlet", *REPLAY, "--game", "fit/game.yaml", "--out", "out", "--json")
    )
    assert (summary["whole"]["worlds"], summary["whole"]["draws"]) == (20, 20)
    assert "20 draws of its blocks, and as many of the transitions" in (folder / "out" / "report.html").read_text()
    assert summary["whole"]["game"] == known["game"]
    assert summary["whole"]["fitted"]


def test_a_known_steering_is_not_fitted(folder: Path) -> None:
    text = meanfleet(folder, "fit", "dirichlet", "-c", "fleet.yaml", "-o", "game.yaml", "-k", "0", "--known-steering")
    assert "P_g: the configuration's stays\n" in text
    game = Game.from_yaml(folder / "game.yaml")
    assert np.array_equal(game.P_g, Game.from_yaml(folder / "fleet.yaml").P_g)
    assert "How the priority follows" not in (folder / "game.fit.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("replay", "nowhere", *REPLAY), "nowhere"),
        (("replay", "dirichlet", *REPLAY, "--observer", "oracle"), "observer 'oracle'"),
        (("replay", "dirichlet", *REPLAY, "-k", "0"), "-k '0'"),
        (("replay", "dirichlet", *REPLAY, "--policy", "missing.npz"), "missing.npz does not exist"),
        (("fit", "dirichlet", "-c", "fleet.yaml", "-o", "game.txt"), "game.txt"),
        (("fit", "dirichlet", "-c", "fleet.yaml", "--moves", "guess"), "moves from 'guess'"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    before = {path.name for path in folder.iterdir()}
    with pytest.raises(UserError) as refused:
        meanfleet(folder, *arguments)
    assert said in str(refused.value)
    assert not {path.name for path in folder.iterdir()} - before - {"out"}


def test_from_a_shell_a_mistake_is_exit_code_2(folder: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "meanfleet", "replay", "nowhere", *REPLAY],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "dumb", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 2
    assert "nowhere" in result.stderr
    assert "Traceback" not in result.stderr
