"""What tests share: small configurations, bundles solved once, and real processes on a ROS domain of their own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from meanfleet.config import Config, SolverConfig
from meanfleet.families.line.bundle import ContinuousBundle
from meanfleet.solver import Game, solve
from meanfleet.solver.bundle.policy import PolicyBundle

ROOT = Path(__file__).resolve().parent.parent

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")  # of nodes in the tests' own process too
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="meanfleet-test-state-")  # what operators did to a real fleet

# No test asserts how long something takes; the first call of a kernel compiles it.
settings.register_profile("meanfleet", deadline=None)
settings.load_profile("meanfleet")


@pytest.fixture(scope="session")
def demo_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's configuration, faster and on the kinematic world, beside the demo's counts."""
    folder = tmp_path_factory.mktemp("config")
    text = (ROOT / "config" / "demo.yaml").read_text()
    text = text.replace("backend: bullet", "backend: kinematic")
    (folder / "demo.yaml").write_text(text)
    (folder / "demo.counts.yaml").write_text((ROOT / "config" / "demo.counts.yaml").read_text())
    return folder / "demo.yaml"


@pytest.fixture(scope="session")
def demo_policy(demo_path: Path) -> Path:
    """A bundle for the demo's game with tables for k = 1, 2 and 5."""
    config = Config.from_yaml(demo_path)
    settings = SolverConfig(starts=("shortest",), tolerance=1e-4, kappa=8, rollouts=500)
    path = demo_path.with_name("policy.npz")
    solve(Game.from_config(config), [1, 2, 5], n=20, settings=settings).save(path)
    return path


@pytest.fixture(scope="session")
def demo_bundle(demo_policy: Path) -> PolicyBundle:
    """The same, loaded."""
    return PolicyBundle.load(demo_policy)


@pytest.fixture(scope="session")
def fleet_policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for the game of the example's fleet, drawn by hand."""
    from fleets import hand_made_policy

    config = Config.from_yaml(ROOT / "config" / "fleet.example.yaml")
    return hand_made_policy(config, tmp_path_factory.mktemp("fleet") / "policy.npz")


@pytest.fixture(scope="session")
def line_bundle() -> ContinuousBundle:
    """Solved policies of robots on a line."""
    from lines import solved_bundle

    return solved_bundle()


@pytest.fixture
def processes() -> Iterator[object]:
    """Starts the product's processes on a ROS domain of this test; ends what is left of them."""
    from processes import Processes

    started = Processes()
    try:
        yield started
    finally:
        started.end_all()
