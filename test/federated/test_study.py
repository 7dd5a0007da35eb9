"""Federated optimization as a whole: configuration, study, command."""

from __future__ import annotations

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
from meanfleet.config.federated import FederatedFile
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.studies.federated.data import LABELS, with_constant
from meanfleet.studies.federated.folder import StudyFolder
from meanfleet.studies.federated.policy import Learned
from meanfleet.studies.federated.study import FEDAVG, LEARNED, TUNED, Bench, conduct, first_broadcast, summary

ROOT = Path(__file__).resolve().parent.parent.parent
SHIPPED = yaml.safe_load((ROOT / "config" / "federated.yaml").read_text(encoding="utf-8"))
SMALL = {"clients": 10, "explore": 1, "rounds": 12, "last": 5}
QUICK = {"tolerance": 1e-3, "starts": ["uniform"], "alternations": 1, "rollouts": 250, "kappa": 0, "filtering": False}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(SHIPPED | {"solver": QUICK, "federated": SHIPPED["federated"] | SMALL | changes}))
    return path


def points(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(LABELS, size=200)
    return with_constant(rng.normal(size=(LABELS, 5))[labels] + 0.3 * rng.normal(size=(200, 5))), labels


def test_a_study_repeats_with_its_seed_and_compares_on_the_same_seeds(tmp_path: Path) -> None:
    file = FederatedFile.from_yaml(written(tmp_path))
    first, same = (conduct(file, points(), (2, 1), 2, 3) for _ in range(2))
    told = summary(first)
    assert told == summary(same)
    assert [point["k"] for point in told["points"]] == [1, 2]
    assert told["seeds"] == [3, 4]
    for point, sums in zip(first.points, told["points"], strict=True):
        ends = {arm.name: arm.accuracy[:, -5:].mean(axis=1) for arm in point.arms}
        assert ends.keys() == {LEARNED, FEDAVG, TUNED}
        for name in (FEDAVG, TUNED):
            assert sums["lead"][name]["end"]["mean"] == pytest.approx((ends[LEARNED] - ends[name]).mean())
        plain = Bench(file.federated, points()).run(Bench(file.federated, points()).fedavg(), point.k, 4)
        assert point.arm(FEDAVG).runs[1].accuracy.tolist() == plain.accuracy.tolist()
        # The learned rule is the bundle: every broadcast is what its table says of the round before.
        for one in point.arm(LEARNED).runs:
            assert one.broadcasts[0] == first_broadcast(point.bundle, point.k)
            for t in range(len(one.broadcasts) - 1):
                said = point.bundle.dispatch(int(one.broadcasts[t]), one.histograms[t])
                assert one.broadcasts[t + 1] == said


def test_a_killed_study_goes_on_with_the_k_it_was_at(tmp_path: Path) -> None:
    """Interrupted while k = 2 is run: k = 1 is not made again, and the study is the same as one in one go."""
    file, seeds = FederatedFile.from_yaml(written(tmp_path)), range(3, 5)
    plain = conduct(file, points(), (1, 2), 2, 3)

    def killed(note: str) -> None:
        if note == "k = 2: running tuned":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        conduct(file, points(), (1, 2), 2, 3, killed, StudyFolder(tmp_path, file, points(), seeds))
    notes: list[str] = []
    again = conduct(file, points(), (1, 2), 2, 3, notes.append, StudyFolder(tmp_path, file, points(), seeds))
    assert {note.split(":")[0] for note in notes} == {"k = 2"}
    assert summary(again) == summary(plain)
    for one, same in zip(plain.points, again.points, strict=True):
        assert one.bundle.digest == same.bundle.digest
        for arm, kept in zip(one.arms, same.arms, strict=True):
            for run, read in zip(arm.runs, kept.runs, strict=True):
                for name in ("accuracy", "broadcasts", "steps", "histograms", "queried"):
                    assert np.array_equal(getattr(run, name), getattr(read, name))
                    assert getattr(run, name).dtype == getattr(read, name).dtype


def test_points_that_are_damaged_or_of_another_study_are_made_anew(tmp_path: Path) -> None:
    file, seeds = FederatedFile.from_yaml(written(tmp_path)), range(2)
    folder = StudyFolder(tmp_path, file, points(), seeds)
    conduct(file, points(), (1, 2), 2, 0, keeper=folder)
    assert folder.point(1) is not None
    assert folder.point(3) is None
    other = FederatedFile.from_yaml(written(tmp_path, rounds=13))
    for strange in (
        StudyFolder(tmp_path, other, points(), seeds),
        StudyFolder(tmp_path, file, points(7), seeds),
        StudyFolder(tmp_path, file, points(), range(1, 3)),
    ):
        assert strange.point(1) is None
    unit, policy = tmp_path / "units" / "k0001.json", tmp_path / "policy_1.npz"
    whole, bundle = unit.read_bytes(), policy.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole.replace(b"0.", b"1.", 1), b"[]", b""):
        unit.write_bytes(damaged)
        assert folder.point(1) is None
    unit.write_bytes(whole)
    policy.write_bytes((tmp_path / "policy_2.npz").read_bytes())  # of another k
    assert folder.point(1) is None
    policy.write_bytes(bundle)
    assert folder.point(1) is not None


def test_moves_are_drawn_from_the_policy(tmp_path: Path) -> None:
    file = FederatedFile.from_yaml(written(tmp_path))
    bundle = conduct(file, points(), (1,), 2).points[0].bundle
    policy = np.random.default_rng(0).dirichlet(np.ones(bundle.game.moves), size=bundle.local_policy.shape[:2])
    mixed = PolicyBundle(bundle.game, policy, bundle.tables, bundle.how)
    rule = Learned(mixed, 0, np.random.default_rng(1))
    for level in range(bundle.game.zones):
        draws = rule.moves(np.full(40_000, level), 1)
        shares = np.bincount(draws, minlength=bundle.game.moves) / len(draws)
        assert shares == pytest.approx(policy[level, 1], abs=4 * 0.5 / 200)  # 4 standard errors


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"levels": [1.0, 0.3]}, "levels: expected ascending losses"),
        ({"fedavg": {"broadcast": "bold", "work": "much"}}, "fedavg.broadcast: expected one of careful, full, memory"),
        ({"fedavg": {"broadcast": "full", "work": "none"}}, "fedavg.work: expected one of little, much"),
        ({"works": [{"name": "a", "steps": 1}] * 2}, "works: names must differ"),
        ({"last": 30}, "last: 30 is more than the 12 rounds"),
        ({"learning_rate": 0}, "key 'federated.learning_rate'"),
        ({"shard": 3}, "unknown key 'federated.shard' (did you mean 'shards'?)"),
    ],
)
def test_mistakes_in_the_configuration_name_their_key(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError) as refused:
        FederatedFile.from_yaml(written(tmp_path, **changes))
    assert complaint in str(refused.value)
    assert str(tmp_path / "small.yaml") in str(refused.value)


def test_what_cannot_be_run_is_refused(tmp_path: Path) -> None:
    file = FederatedFile.from_yaml(written(tmp_path))
    with pytest.raises(UserError, match="k = 11, but there are 10 clients"):
        conduct(file, points(), (11,), 2)
    with pytest.raises(UserError, match="at least 2"):
        conduct(file, points(), (1,), 1)
    with pytest.raises(
        UserError, match="which 'meanfleet dynamics' takes: expected federated optimization \\('federated:'\\)"
    ):
        FederatedFile.from_yaml(ROOT / "config" / "prisoners.yaml")


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    where = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "dumb", "NO_COLOR": "1"}
    called = [sys.executable, "-m", "meanfleet", "federated", *arguments]
    return subprocess.run(called, cwd=folder, env=where, capture_output=True, text=True, timeout=120)


def test_the_command_writes_figures_table_and_bundles(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn, the extra 'federated', is not installed")
    written(tmp_path)
    result = command(tmp_path, "small.yaml", "-k", "2", "--seeds", "2", "--json")
    assert result.returncode == 0, result.stderr
    out = tmp_path / "out" / "federated"
    assert json.loads(result.stdout) == json.loads((out / "federated.json").read_text())
    names = {"rounds.png", "k.png", "rounds.csv", "federated.json", "policy_2.npz", "units"}
    assert {path.name for path in out.iterdir()} == names
    assert PolicyBundle.load(out / "policy_2.npz").ks == (2,)
    assert len((out / "rounds.csv").read_text().splitlines()) == 1 + 3 * 12
    refused = command(tmp_path, "small.yaml", "-k", "11", "-o", "elsewhere")
    assert refused.returncode == 2
    assert "k = 11, but there are 10 clients" in refused.stderr
    assert not (tmp_path / "elsewhere").exists()
