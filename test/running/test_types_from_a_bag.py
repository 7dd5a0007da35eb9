"""A recorded fleet of two types: read over (type, zone), polled again, its decisions re-enacted, its game fitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from fleets import hand_made_policy
from typer.testing import CliRunner

from meanfleet.base.errors import UserError
from meanfleet.cli.app import app
from meanfleet.config import Config
from meanfleet.dispatcher_node.dispatcher import Dispatcher
from meanfleet.running.recording import RunBag
from meanfleet.running.simulation import Trajectory, simulate
from meanfleet.sim.bags.kinds import kinds_by_name, of_type, over_states
from meanfleet.sim.bags.log import FleetLog
from meanfleet.sim.bags.reading import read_fleet
from meanfleet.solver import Game
from meanfleet.solver.bundle.filtering import FilterModel, FilterSetting
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.surrogate import KRobotSystem
from meanfleet.studies.replay.reenact import reenact
from meanfleet.studies.replay.resampling import resample
from meanfleet.studies.replay.scene import scene_of

ROOT = Path(__file__).resolve().parents[2]
N, K, TICKS, CARRIERS = 12, 2, 150, 4
KIND = np.arange(N) >= CARRIERS


class Recorded:
    """types.yaml as shipped but for fewer robots, a policy with tables and a filter, and a bag of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        body = yaml.safe_load((ROOT / "config" / "types.yaml").read_text(encoding="utf-8"))
        body["fleet"] = {"prefix": "r", "count": N}
        body["interactions"] = {"receiving": {"carrier": 6.0}}
        self.path = folder / "types.yaml"
        self.path.write_text(yaml.safe_dump(body, sort_keys=False))
        self.config = Config.from_yaml(self.path)
        made = PolicyBundle.load(hand_made_policy(self.config, folder / "policy.npz"))
        q = learn_exact(KRobotSystem(made.game, 3).under(made.local_policy), 1e-3).q
        model = FilterModel(3, q, made.game.start_concentration, {K: FilterSetting(0.9, "posterior", {})})
        self.bundle = PolicyBundle(made.game, made.local_policy, made.tables, made.how, model)
        self.bundle.save(folder / "policy.npz")
        self.run, self.log = self.record("bag", TICKS)

    def record(self, name: str, ticks: int, **steering: str) -> tuple[Trajectory, FleetLog]:
        """A run, and what its bag tells."""
        bag = RunBag(self.folder / name, self.config, poses=False)
        run = simulate(self.config, self.bundle, k=K, ticks=ticks, seed=2, record=bag, **steering)  # type: ignore[arg-type]
        return run, read_fleet(self.folder / name, self.config)

    def meanfleet(self, *arguments: str) -> str:
        """What the command prints, run in the folder."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setenv("COLUMNS", "160")
            result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout

    def said(self, *arguments: str) -> tuple[dict[str, Any], str]:
        """The JSON that the command prints, run in the folder, and its complaints."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        assert result.exit_code == 0
        return json.loads(result.stdout), result.stderr


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(tmp_path_factory.mktemp("bag"))


def test_the_bag_is_read_over_types_and_zones(fleet: Recorded) -> None:
    log = over_states(fleet.log, fleet.config)
    assert log.zone_names == fleet.config.states
    assert log.steered == fleet.config.zones
    order = [fleet.config.robots.index(name) for name in log.robots]  # robots of a log are sorted by name
    assert np.array_equal(log.zones[:TICKS], (fleet.run.zones + 3 * KIND)[:, order])
    assert np.array_equal(log.priority[:TICKS], fleet.run.priority)
    carriers, scouts = (of_type(fleet.log, fleet.config, name) for name in ("carrier", "scout"))
    assert set(carriers.robots) == {"r00", "r01", "r02", "r03"}
    assert sorted(carriers.robots + scouts.robots) == sorted(fleet.config.robots)
    assert np.array_equal(scouts.zones[:TICKS], fleet.run.zones[:, CARRIERS:])


@pytest.mark.parametrize("observer", ["memoryless", "dirichlet"])
def test_the_bag_polled_again_is_decided_as_by_the_dispatcher(fleet: Recorded, observer: str) -> None:
    """`Dispatcher` itself, told types by name and the recorded zones, decides and believes the same, tick by tick."""
    log, bundle = over_states(fleet.log, fleet.config), fleet.bundle
    scene = scene_of(log, bundle)
    found = resample(scene, bundle, K, observer, [5])
    kinds = kinds_by_name(fleet.config)
    assert kinds is not None
    one = Dispatcher(bundle, log.robots, K, observer, 5, kinds=[kinds[name] for name in log.robots])
    for t in range(TICKS):
        zones = {name: int(zone) for name, zone in zip(fleet.log.robots, fleet.log.zones[t], strict=True)}
        one.observe({name: zones[name] for name in one.sample()})
        one.priority = int(log.priority[t])
        assert one.decide() == found.dispatch[0, t]
        assert one.last is not None
        share = np.array([sum(zones[name] + 3 * kinds[name] == state for name in zones) for state in range(6)]) / N
        gap = np.abs(np.array(one.last.belief.mean) - share).sum() / 2
        assert found.distance[0, t] == pytest.approx(gap, abs=1e-9)


@pytest.mark.parametrize("sampling", ["stratified", "graphon"])
@pytest.mark.parametrize("observer", ["memoryless", "dirichlet"])
def test_recorded_decisions_are_reenacted(fleet: Recorded, observer: str, sampling: str) -> None:
    """And are not if the record is changed, or the types are not known."""
    _, log = fleet.record(f"{observer}_{sampling}", 25, observer=observer, sampling=sampling)
    kinds = kinds_by_name(fleet.config)
    found = reenact(log.ticks, fleet.bundle, log.robots, log.zone_names, kinds=kinds)
    assert found.exact, found.mismatches[:3]
    assert found.ticks == 25
    wrong = {name: 1 - kind for name, kind in (kinds or {}).items()}
    assert reenact(log.ticks, fleet.bundle, log.robots, log.zone_names, kinds=wrong).mismatches
    with pytest.raises(UserError, match="whose type the configuration does not tell"):
        reenact(log.ticks, fleet.bundle, (*log.robots, "r99"), log.zone_names, kinds=kinds)


def test_replay_writes_its_report_and_fit_a_game_of_types(fleet: Recorded) -> None:
    common = ("bag", "-c", "types.yaml")
    fleet.meanfleet("replay", *common, "--policy", "policy.npz", "-k", "1,2", "--seeds", "3", "--rollouts", "50")
    told = json.loads((fleet.folder / "out" / "replay" / "replay.json").read_text())
    assert told["bag"]["zones"] == list(fleet.config.states)
    assert told["reenacted"]["mismatches"] == 0
    assert told["reenacted"]["ticks"] == TICKS
    messages = told["curve"][0]["messages"]
    names = [len(fleet.config.zones[zone]) for zone in fleet.log.zones.ravel()]
    assert messages["bytes_saved_per_tick"] / messages["saved_per_tick"] == pytest.approx(17 + np.mean(names))

    shown = fleet.meanfleet("fit", *common, "-o", "fitted.yaml", "--pooled", "-k", "1")
    assert "P_l of type carrier from" in shown
    assert "without a model (Q-learning, k = 1" in shown
    said = json.loads((fleet.folder / "fitted.fit.json").read_text())
    counts = {name: np.zeros((3, 3, 3), dtype=int) for name in fleet.config.types}
    for t in range(TICKS - 1):  # the bag ends with the last tick
        for i in range(N):
            after = fleet.log.zones[t + 1][fleet.log.robots.index(fleet.config.robots[i])]
            counts["scout" if KIND[i] else "carrier"][fleet.run.zones[t, i], fleet.run.moves[t, i], after] += 1
    for name, own in counts.items():
        assert said["types"][name]["counts"] == own.tolist()
    game = Game.from_yaml(fleet.folder / "fitted.yaml")
    assert game.digest == said["game"]
    assert (game.types, Config.from_yaml(fleet.folder / "fitted.yaml").type_of) == (2, fleet.config.type_of)
    assert np.array_equal(game.r_l, fleet.bundle.game.r_l), "rewards and interaction weights stay"
    for kind, own in enumerate(counts.values()):  # posterior means, each type by itself
        weights = own + 0.5
        law = game.P_l[3 * kind : 3 * kind + 3, 0, :, 3 * kind : 3 * kind + 3]
        np.testing.assert_allclose(law, weights / weights.sum(axis=2, keepdims=True), rtol=1e-12)
    page = (fleet.folder / "fitted.fit.html").read_text()
    assert "robots of type carrier go" in page
    assert "robots of type scout go" in page
    fleet.meanfleet("replay", *common, "--policy", "policy.npz", "-k", "2", "--seeds", "2", "--rollouts", "20",
                    "--game", "fitted.yaml")  # fmt: skip


def test_a_bag_of_a_smaller_run_is_read_with_its_n(fleet: Recorded) -> None:
    """A third of 12 robots are carriers, of 18 the first 6: the size of the recorded fleet deals the types."""
    body = yaml.safe_load(fleet.path.read_text())
    body["fleet"]["count"] = 18
    body["safety"] = {"exclude": ["r17"]}
    (fleet.folder / "whole.yaml").write_text(yaml.safe_dump(body, sort_keys=False))
    replay = ("replay", "--policy", "policy.npz", "-k", "2", "--seeds", "2", "--rollouts", "0", "--json")
    fit = ("fit", "-o", "of_whole.yaml", "-k", "0", "--pooled", "--json")
    told, doubts = {}, {}
    for size in ((), ("--n", "12")):
        for name, *options in (replay, fit):
            told[name, size], doubts[name, size] = fleet.said(name, "bag", "-c", "whole.yaml", *size, *options)
    assert "--n how many robots" in doubts["replay", ()]
    assert "--n how many robots" in doubts["fit", ()]
    assert not doubts["replay", ("--n", "12")] + doubts["fit", ("--n", "12")]
    assert told["replay", ()]["reenacted"]["mismatches"] > 0, "the dispatcher knew scouts"
    assert told["replay", ("--n", "12")]["reenacted"]["mismatches"] == 0
    own, _ = fleet.said("fit", "bag", "-c", "types.yaml", "-o", "of_own.yaml", *fit[3:])
    assert told["fit", ("--n", "12")]["types"] == own["types"]
    assert told["fit", ()]["types"] != own["types"], "without it two scouts count as carriers"
    assert len(Config.from_yaml(fleet.folder / "of_whole.yaml").robots) == 18


def test_what_has_no_meaning_for_types_is_refused(fleet: Recorded) -> None:
    with pytest.raises(UserError, match=r"which robots are of which type stands in no array: write NAME\.yaml"):
        fleet.meanfleet("fit", "bag", "-c", "types.yaml", "-o", "fitted.npz")
    body = yaml.safe_load(fleet.path.read_text())
    body["fleet"]["count"] = N - 1
    (fleet.folder / "fewer.yaml").write_text(yaml.safe_dump(body, sort_keys=False))
    for command in (("replay", "--policy", "policy.npz"), ("fit",)):
        with pytest.raises(UserError, match=r"robot 'r11' of the bag is not in the fleet .*, so its type is not known"):
            fleet.meanfleet(command[0], "bag", "-c", "fewer.yaml", *command[1:])
    for name in ("fitted.npz", "fitted.npz.tmp"):
        assert not (fleet.folder / name).exists()
