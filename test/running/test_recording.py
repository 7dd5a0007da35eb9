"""A bag of a run in one process says what the run did: zones, priorities, moves, poses, decisions, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from meanfleet.base.errors import UserError
from meanfleet.cli.app import app
from meanfleet.config import Config
from meanfleet.running.recording import RunBag
from meanfleet.running.simulation import Trajectory, simulate
from meanfleet.sim.bags.reading import Source, read_fleet
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.studies.replay.reenact import reenact

TICKS = 12


def run(path: Path, bundle: PolicyBundle, bag: Path | None, **options: object) -> tuple[Config, Trajectory]:
    config = Config.from_yaml(path).with_robots(15)
    record = None if bag is None else RunBag(bag, config)
    return config, simulate(config, bundle, k=5, ticks=TICKS, seed=3, record=record, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("observer", ["memoryless", "dirichlet"])
def test_the_bag_says_what_the_run_did(
    demo_path: Path, demo_bundle: PolicyBundle, tmp_path: Path, observer: str
) -> None:
    config, ran = run(demo_path, demo_bundle, tmp_path / "bag", observer=observer)
    log = read_fleet(tmp_path / "bag", config)
    assert log.counts == {"ticks without priority": 1}  # where the last tick's moves have led
    assert log.robots == config.robots
    assert log.moves is not None
    rows = np.arange(TICKS)
    assert np.allclose(log.stamps[rows], config.dispatcher.tick * (1 + rows))
    assert np.array_equal(log.zones[rows], ran.zones)
    assert np.array_equal(log.priority[rows], ran.priority)
    assert np.array_equal(log.moves[rows], ran.moves)
    assert [entry["dispatch"] for entry in log.ticks] == [config.zones[a] for a in ran.dispatch]
    assert reenact(log.ticks, demo_bundle, log.robots, log.zone_names).exact


def test_its_poses_lead_to_the_same_zones(demo_path: Path, demo_bundle: PolicyBundle, tmp_path: Path) -> None:
    """Odometry comes in turns, robot by robot, so that a robot's last one may be a second old at the tick."""
    config, ran = run(demo_path, demo_bundle, tmp_path / "bag")
    log = read_fleet(tmp_path / "bag", config, Source(topic="/{robot}/odom"))
    assert log.counts == {"ticks without priority": 1}
    assert np.mean(log.zones[:TICKS] == ran.zones) > 0.9


@pytest.mark.parametrize("backend", ["bullet", "kinematic"])
def test_recording_changes_nothing(demo_path: Path, demo_bundle: PolicyBundle, tmp_path: Path, backend: str) -> None:
    if backend == "bullet":
        pytest.importorskip("pybullet")
    _, recorded = run(demo_path, demo_bundle, tmp_path / "bag", backend=backend)
    _, plain = run(demo_path, demo_bundle, None, backend=backend)
    assert np.array_equal(recorded.zones, plain.zones)
    assert np.array_equal(recorded.reward, plain.reward)


def test_the_same_seed_writes_the_same_bag(demo_path: Path, demo_policy: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        arguments = ["simulate", str(demo_path), "-p", str(demo_policy), "-n", "15", "-k", "5", "--ticks", "4"]
        result = CliRunner().invoke(app, [*arguments, "--record", str(tmp_path / name / "bag")], catch_exceptions=False)
        assert result.exit_code == 0
    for name in ("bag_0.mcap", "metadata.yaml"):
        assert (tmp_path / "one" / "bag" / name).read_bytes() == (tmp_path / "two" / "bag" / name).read_bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--backend", "nowhere"), "choose from bullet"), (("--rule", "none"), "choose from")],
)
def test_a_run_that_is_refused_leaves_no_bag_in_the_way(
    demo_path: Path, demo_policy: Path, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    command = ["simulate", str(demo_path), "-p", str(demo_policy), "-n", "15", "-k", "5", "--ticks", "1"]
    command += ["--backend", "model", "--record", str(tmp_path / "bag")]
    with pytest.raises(UserError, match=words):
        CliRunner().invoke(app, [*command, *options], catch_exceptions=False)
    assert not (tmp_path / "bag").exists()
    assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
    with pytest.raises(UserError, match="exists and is not empty"):
        CliRunner().invoke(app, command, catch_exceptions=False)


def test_exploring_robots_draw_a_share_of_their_moves_evenly(demo_path: Path, demo_bundle: PolicyBundle) -> None:
    """π_l of the bundle leaves no choice, so a move that it forbids was drawn evenly: ε · 2/3 of all are."""
    law = demo_bundle.local_policy
    assert np.all(law.max(axis=2) > 0.999)
    for share in (0.0, 0.3):
        _, ran = run(demo_path, demo_bundle, None, explore=share, backend="model")
        odd = law[ran.zones, ran.priority[:, None], ran.moves] < 0.5
        spread = np.sqrt(share * 2 / 3 / odd.size)
        assert abs(odd.mean() - share * 2 / 3) <= 4 * spread


def test_a_taken_folder_is_refused_before_anything_runs(
    demo_path: Path, demo_policy: Path, demo_bundle: PolicyBundle, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="exists and is not empty"):
        run(demo_path, demo_bundle, tmp_path)
    too_many = ["simulate", str(demo_path), "-p", str(demo_policy), "-n", "3", "-k", "5"]
    with pytest.raises(UserError, match="k = 5, but the fleet has 3 robots"):
        CliRunner().invoke(app, [*too_many, "--record", str(tmp_path / "bag")], catch_exceptions=False)
    assert not (tmp_path / "bag").exists()
