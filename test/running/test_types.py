"""A fleet of two types: solved and inspected by the command line, simulated in one process, run over ROS."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from fleets import hand_made_policy
from processes import Processes
from typer.testing import CliRunner

from meanfleet.base.errors import UserError
from meanfleet.cli.app import app
from meanfleet.config import Config, SolverConfig
from meanfleet.dispatcher_node.dispatcher import Decision, Dispatcher
from meanfleet.dispatcher_node.sampling import Polling, design_from_config
from meanfleet.running.record import RunRecord
from meanfleet.running.simulation import simulate
from meanfleet.solver import Game, solve
from meanfleet.solver.bundle.policy import PolicyBundle
from naive.types import best_alone

ROOT = Path(__file__).resolve().parents[2]
N, K, TICKS = 10, 2, 40
CARRIERS, SCOUTS = range(5), range(5, 10)
QUICK = {"tolerance": 1e-3, "starts": ["shortest"], "alternations": 1, "rollouts": 250, "kappa": 0, "filtering": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """types.yaml as shipped but smaller, a policy solved by the command line, and one made by hand with more tables."""
    made = tmp_path_factory.mktemp("types")
    body = yaml.safe_load((ROOT / "config" / "types.yaml").read_text(encoding="utf-8"))
    body |= {"fleet": {"prefix": "r", "count": N}, "solver": QUICK}
    body["types"]["carrier"]["share"] = 2  # as many as scouts
    (made / "types.yaml").write_text(yaml.safe_dump(body, sort_keys=False))
    meanfleet(made, "solve", "types.yaml", "-k", "1", "-o", "solved.npz")
    hand_made_policy(Config.from_yaml(made / "types.yaml"), made / "policy.npz")
    return made


def meanfleet(folder: Path, *arguments: str) -> str:
    """What the command prints, run in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "160")
        result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def loaded(folder: Path) -> tuple[Config, PolicyBundle]:
    return Config.from_yaml(folder / "types.yaml"), PolicyBundle.load(folder / "policy.npz")


def test_inspect_shows_a_policy_for_every_type(folder: Path) -> None:
    config, bundle = Config.from_yaml(folder / "types.yaml"), PolicyBundle.load(folder / "solved.npz")
    told = json.loads(meanfleet(folder, "inspect", "solved.npz", "-c", "types.yaml", "--json"))
    assert told["moves"][4] == ["stay", "to scout/shipping", "to scout/receiving"]
    text = meanfleet(folder, "inspect", "solved.npz", "-c", "types.yaml")
    rows = [line.split("│")[1:-1] for line in text.splitlines() if line.count("│") == 5]
    shown = {row[0].strip(): [cell.split()[0] for cell in row[1:]] for row in rows if "/" in row[0]}
    assert list(shown) == list(config.states)
    for state, name in enumerate(config.states):
        best = bundle.local_policy[state].argmax(axis=1)
        assert shown[name] == [told["moves"][state][move].split()[0] for move in best]


def test_the_shipped_types_want_and_do_different_things() -> None:
    """Under a priority that lasts, the best carrier stays in its zone and the best scout never does; so solved."""
    config = Config.from_yaml(ROOT / "config" / "types.yaml")
    moves = [np.flatnonzero(row).tolist() for row in config.zone_graph.allowed]
    for name, stays in (("carrier", True), ("scout", False)):
        game = Game.from_config(config.of_type(name))
        for s in range(3):
            best = best_alone(game.P_l[:, s], game.r_l[:, s], moves, game.discount)
            assert best[s] == 0 if stays else 0 not in best
    settings = SolverConfig(**QUICK | {"alternations": 3})
    solved = solve(Game.from_config(config), [3], n=10, settings=settings).local_policy.argmax(axis=2)  # [state, s_g]
    assert (solved[[0, 1, 2], [0, 1, 2]] == 0).all(), "carriers stay where the priority is"
    assert (solved[3:] != 0).all(), "scouts go on"


def test_each_type_follows_its_own_policy_and_is_sampled_by_its_share(folder: Path) -> None:
    """A hand-made π_l: carriers always go on, scouts always go back. Decisions are on counts of (type, zone)."""
    config, solved = loaded(folder)
    policy = np.zeros_like(solved.local_policy)
    policy[:3, :, 1], policy[3:, :, 2] = 1.0, 1.0
    bundle = PolicyBundle(solved.game, policy, solved.tables, solved.how, solved.filtering)
    decisions: list[Decision] = []

    def note(tick: int, dispatcher: Dispatcher, world: object) -> None:
        assert dispatcher.last is not None
        decisions.append(dispatcher.last)

    run = simulate(config, bundle, k=K, ticks=TICKS, seed=3, on_tick=note)
    assert (run.moves[:, CARRIERS] == 1).all()
    assert (run.moves[:, SCOUTS] == 2).all()
    assert set(run.zones.ravel().tolist()) == {0, 1, 2}
    for t, decision in enumerate(decisions):
        states = {f"r{i}": int(run.zones[t, i]) + 3 * (i in SCOUTS) for i in range(N)}
        assert decision.histogram == tuple(np.bincount([states[name] for name in decision.heard], minlength=6).tolist())
        assert sum(decision.histogram[:3]) == 1  # half of the fleet are carriers
        assert decision.dispatch == bundle.dispatch(decision.priority, decision.histogram)
        earned = [bundle.game.r_l[states[f"r{i}"], run.priority[t], run.moves[t, i]] for i in range(N)]
        assert run.reward[t] == pytest.approx(bundle.game.r_g[run.priority[t], run.dispatch[t]] + np.mean(earned))


def test_a_types_robots_jump_by_its_own_law(folder: Path) -> None:
    """Robots that try to stay, 3000 ticks: the share of carriers that do, and of scouts, is that of their P_l."""
    config, solved = loaded(folder)
    policy = np.zeros_like(solved.local_policy)
    policy[:, :, 0] = 1.0
    bundle = PolicyBundle(solved.game, policy, solved.tables, solved.how, solved.filtering)
    run = simulate(config, bundle, k=K, ticks=3000, seed=4)
    for first, robots in ((0, CARRIERS), (3, SCOUTS)):
        before, after = run.zones[:-1, robots], run.zones[1:, robots]
        for s in range(3):
            for z in range(3):
                here = (before == z) & (run.priority[:-1, None] == s)
                expected = bundle.game.P_l[first + z, s, 0, first + z]
                error = np.sqrt(expected * (1 - expected) / here.sum())
                assert (after[here] == z).mean() == pytest.approx(expected, abs=4.5 * error)


def test_a_stratified_draw_gives_every_type_its_share_whatever_is_known_of_zones(folder: Path) -> None:
    config, _ = loaded(folder)
    rng, told = np.random.default_rng(5), np.random.default_rng(6)
    drawn = np.zeros(N)
    for k in (2, 3, 6):
        polling = Polling(N, k, design_from_config(config))
        for tick in range(500):
            robots = polling.begin(tick, rng)
            drawn[robots] += 1 / k
            assert abs((robots < 5).sum() - k / 2) < 1
            for robot in robots[: k // 2].tolist():  # half of them answer
                polling.roster.hear(robot, int(told.integers(3)) + 3 * (robot >= 5), tick)
    assert drawn / 1500 == pytest.approx(np.full(N, 1 / N), abs=4.5 * np.sqrt(1 / N / 1500))


def test_a_policy_for_types_does_not_fit_robots_that_are_alike(folder: Path) -> None:
    _, bundle = loaded(folder)
    alike = Config(**(yaml.safe_load((folder / "types.yaml").read_text()) | {"types": {}}))
    with pytest.raises(UserError, match="the policy is for a graph of 6 zones"):
        simulate(alike, bundle, k=K, ticks=1)


def test_over_ros_both_types_follow_the_policy_are_polled_and_watched(folder: Path, processes: Processes) -> None:
    pytest.importorskip("rclpy", reason="needs ROS 2 (wheels or an installation)")
    config, bundle = loaded(folder)
    out = processes.folder / "run"
    watch = processes.module("meanfleet", "watch", str(folder / "types.yaml"), "--once", "--json", "--wait", "120")
    up = processes.module(
        "meanfleet", "up", str(folder / "types.yaml"), "--policy", str(folder / "policy.npz"), "--k", str(K),
        "--duration", "12", "--real-time-factor", "3", "--out", str(out),
    )  # fmt: skip
    assert up.wait(timeout=180) == 0, processes.output(up)
    record = RunRecord.load(out)
    run = record.trajectory(config, bundle)
    assert len(run.priority) >= 5
    states = run.zones + 3 * (np.arange(N) >= 5)
    assert (bundle.local_policy[states, run.priority[:, None], run.moves] > 0).all()
    for tick in record.ticks:
        polled = [int(name[1:]) for name in tick["sampled"]]
        assert sum(robot < 5 for robot in polled) == 1
        counted = np.zeros(6, dtype=int)
        for name, (zone, _, _) in tick["heard"].items():
            counted[config.zones.index(zone) + 3 * (int(name[1:]) >= 5)] += 1
        if tick["table_k"] == K:
            used = np.array(tick["histogram"])  # of more answers, replacements' among them, K drawn at random
            assert used.sum() == K
            assert (used <= counted).all()
            said = bundle.dispatch(config.zones.index(tick["priority"]), used)
            assert tick["dispatch"] == config.zones[said]
    assert watch.wait(timeout=60) == 0, processes.output(watch)
    seen = json.loads(next(line for line in processes.output(watch).splitlines() if line.startswith("{")))
    assert seen["zones"] == list(config.states)
    assert (sum(seen["seen"][:3]), sum(seen["seen"])) == (5, N)
    assert len(seen["believed"]) == 6
    assert processes.left() == []
