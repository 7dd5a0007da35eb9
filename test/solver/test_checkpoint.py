"""A run of alternations that is killed goes on from its last accepted response and ends where it would have ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from meanfleet.config import Config, SolverConfig
from meanfleet.solver import Game, solve
from meanfleet.solver.alternation import Equilibrium, best_equilibrium, starting_policies
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.solver.checkpoint import Checkpoint, Stage
from meanfleet.solver.solving import _equilibrium
from meanfleet.solver.surrogate import KRobotSystem
from naive.surrogate import random_arrays

ROOT = Path(__file__).resolve().parents[2]


class Killed(Exception):  # noqa: N818
    """Stands for the end of the process."""


class Mortal(Checkpoint):
    """Dies right after the `lives`-th response is on disk."""

    def __init__(self, path: Path, lives: int) -> None:
        super().__init__(path, "key")
        self.lives = lives

    def note(self, stage: Stage) -> None:
        super().note(stage)
        self.lives -= 1
        if self.lives == 0:
            raise Killed


def run(game: Game, checkpoint: Checkpoint | None) -> Equilibrium:
    starts = starting_policies(game, ("uniform", "shortest", "random"), 0)
    return best_equilibrium(KRobotSystem(game, 3), starts, checkpoint=checkpoint)


@pytest.mark.parametrize("seed", [0, 5])
def test_killed_after_any_response_it_ends_at_the_same_pair(seed: int, tmp_path: Path) -> None:
    game = Game(**random_arrays(seed, priorities=3, dispatches=3, zones=3, moves=3, discount=0.9))
    whole, lives = run(game, None), 0
    while True:
        lives += 1
        path = tmp_path / f"{lives}.checkpoint"
        try:
            run(game, Mortal(path, lives))
        except Killed:
            found = run(game, Checkpoint(path, "key"))
            assert np.array_equal(found.policy, whole.policy)
            assert np.array_equal(found.table, whole.table)
            assert found.start == whole.start
            assert found.settled == whole.settled
            assert found.trace == pytest.approx(whole.trace, abs=1e-7)
            continue
        break
    assert lives > 4  # it did die at several moments


def test_another_game_or_a_damaged_file_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "c"
    stage = Stage("uniform", np.ones((1, 1, 1)), np.zeros((1, 2), dtype=np.int64), (1.0,), 1, False, False)
    Checkpoint(path, "one").note(stage)
    assert set(Checkpoint(path, "one").stages) == {"uniform"}
    assert Checkpoint(path, "two").stages == {}
    path.write_bytes(path.read_bytes()[:-40])
    assert Checkpoint(path, "one").stages == {}
    assert Checkpoint(tmp_path / "none", "one").stages == {}


def test_a_pair_of_another_k_is_not_gone_on_from(tmp_path: Path) -> None:
    """A solve whose largest k proved out of reach was killed at a smaller one: called again, it tries the largest."""
    game = Game(**random_arrays(0, priorities=2, dispatches=2, zones=3, moves=2, discount=0.8))
    path, settings = tmp_path / "c", SolverConfig(tolerance=1e-6)
    with pytest.raises(Killed):
        _die_at(game, [2], settings, path)
    assert path.exists()
    found = _equilibrium(game, [3], settings, 0, None, path, "key")
    assert found.surrogate.system.k == 3
    assert found.table.shape == (2, 10)
    assert not path.exists()


def _die_at(game: Game, leads: list[int], settings: SolverConfig, path: Path) -> None:
    """`_equilibrium`, ended as soon as its checkpoint is on disk."""

    def progress(label: str, value: float) -> None:
        if path.exists():
            raise Killed

    _equilibrium(game, leads, settings, 0, progress, path, "key")


def test_a_solve_that_is_killed_and_called_again_writes_the_same_bundle(tmp_path: Path) -> None:
    """`meanfleet solve` is killed with SIGKILL as soon as its checkpoint is there; called again, it removes it."""
    config = tmp_path / "warehouse.yaml"
    text = (ROOT / "config" / "warehouse.yaml").read_text()
    config.write_text(text.replace("kappa: 20", "kappa: 5").replace("rollouts: 4000", "rollouts: 250"))
    out = tmp_path / "policy.npz"
    checkpoint = tmp_path / "policy.npz.checkpoint"
    command = [sys.executable, "-m", "meanfleet", "solve", str(config), "-k", "7", "-o", str(out), "--json"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert checkpoint.exists()
    assert not out.exists()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    assert not checkpoint.exists()
    settings = Config.from_yaml(config)
    bundle = PolicyBundle.load(out)
    whole = solve(Game.from_yaml(config), 7, 0, n=len(settings.robots), settings=settings.solver)
    assert isinstance(settings.solver, SolverConfig)
    assert np.array_equal(bundle.local_policy, whole.local_policy)
    for found, expected in zip(bundle.tables, whole.tables, strict=True):
        assert np.array_equal(found.dispatch, expected.dispatch)
