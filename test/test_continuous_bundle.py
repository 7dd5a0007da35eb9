"""The bundle of policies on a line: there and back, run robot by robot, and every kind of damage refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lines import network
from typer.testing import CliRunner

from meanfleet.base.errors import UserError
from meanfleet.cli.app import app
from meanfleet.config import Config
from meanfleet.families.line.bundle import ContinuousBundle
from meanfleet.solver.bundle.loading import load_any, load_policies
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.solver.continuous.networks import greedy
from meanfleet.solver.continuous.rules import Toward

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def learned(line_bundle: ContinuousBundle) -> ContinuousBundle:
    """With networks for both."""
    return replace(line_bundle, dispatcher=network(5, 6, 6, 5), robots=network(2, 6, 6, 3), how={"seed": 3})


def test_networks_there_and_back(learned: ContinuousBundle, tmp_path: Path) -> None:
    learned.save(tmp_path / "p.npz")
    again = ContinuousBundle.load(tmp_path / "p.npz")
    assert (again.line, again.slack, again.how, again.digest) == (learned.line, 0.075, {"seed": 3}, learned.digest)
    places, s = np.random.default_rng(1).uniform(-2, 2, (1, 40)), np.array([0.3])
    assert learned.robots is not None
    fleet = greedy(learned.robots)(places, s, np.random.default_rng(0))[0]
    assert again.moves(places[0], 0.3).tolist() == fleet.tolist()
    assert len(set(fleet.tolist())) > 1
    counts = np.random.default_rng(2).multinomial(5, np.full(5, 0.2), 30)
    chosen = [again.dispatch(0, row) for row in counts]
    assert chosen == [learned.dispatch(4, row) for row in counts]  # it sees shares alone
    assert len(set(chosen)) > 1
    again.require_k(75)
    assert [again.table_for(m) for m in (0, 1, 75)] == [None, 1, 75]


def test_networks_run_as_they_were_learned(learned: ContinuousBundle, tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="learning by gradients needs the extra 'continuous'")
    from meanfleet.solver.continuous.learning.objectives import outputs

    learned.save(tmp_path / "p.npz")
    again = ContinuousBundle.load(tmp_path / "p.npz")
    rng = np.random.default_rng(4)
    places, s = rng.uniform(-2, 2, 200), rng.uniform(-2, 2, 200)
    rated = np.asarray(outputs(learned.robots, np.column_stack([s, places])))
    gap = np.sort(rated, axis=1)
    clear = gap[:, -1] - gap[:, -2] > 1e-4  # of float32, which JAX computes in unless it is told otherwise
    moves = np.array([again.moves([x], p)[0] for x, p in zip(places, s, strict=True)])
    assert clear.mean() > 0.9
    assert (moves == rated.argmax(axis=1))[clear].all()


def test_solved_bins_there_and_back(line_bundle: ContinuousBundle, tmp_path: Path) -> None:
    line_bundle.save(tmp_path / "p.npz")
    again = load_any(tmp_path / "p.npz")
    assert isinstance(again, ContinuousBundle)
    assert (again.ks, again.robots, again.dispatcher) == ((1, 5), None, None)
    for k in again.ks:
        assert (again.tables[again.ks.index(k)].dispatch == line_bundle.tables[again.ks.index(k)].dispatch).all()
    places = np.linspace(-2, 2, 50)
    rule = Toward(again.warehouse(), again.slack)
    assert (
        again.moves(places, 0.4).tolist() == rule(places[None], np.array([0.4]), np.random.default_rng(0))[0].tolist()
    )
    assert again.dispatch(2, [5, 0, 0, 0, 0]) in (0, 2)  # goes where everybody is, or where robots would come by
    with pytest.raises(UserError, match=r"no table for k = 3, only .*: choose one of these, or observer diri") as told:
        again.require_k(3)
    assert "solve again" not in str(told.value), "'meanfleet solve' takes no line"


def loaded(path: Path) -> ContinuousBundle | None:
    """None if it is refused."""
    try:
        return ContinuousBundle.load(path)
    except UserError:
        return None


def test_every_damaged_byte_is_noticed(learned: ContinuousBundle, tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    learned.save(path)
    whole, refused = path.read_bytes(), 0
    for at in np.random.default_rng(0).integers(len(whole), size=60).tolist():
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        again = loaded(path)
        if again is not None:  # a byte that means nothing, such as a date in the archive: then all is as it was
            assert again.digest == learned.digest
        refused += again is None
    assert refused > 30
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(UserError, match=r"p\.npz"):
            ContinuousBundle.load(path)


def test_missing_and_foreign_files(line_bundle: ContinuousBundle, demo_policy: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not exist: make one with 'meanfleet continuous CONFIG'"):
        ContinuousBundle.load(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", numbers=np.arange(3))
    with pytest.raises(UserError, match="no policy bundle"):
        ContinuousBundle.load(tmp_path / "other.npz")
    np.savez(tmp_path / "pickled.npz", meta=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="damaged or no policy bundle"):
        ContinuousBundle.load(tmp_path / "pickled.npz")
    line_bundle.save(tmp_path / "line.npz")
    with pytest.raises(UserError, match=r"line\.npz is no valid policy bundle: its policies are for robots on a line"):
        PolicyBundle.load(tmp_path / "line.npz")
    with pytest.raises(UserError, match="its policies are for zones"):
        ContinuousBundle.load(demo_policy)


def test_another_line_is_told_by_what_differs(line_bundle: ContinuousBundle, tmp_path: Path) -> None:
    line_bundle.save(tmp_path / "line.npz")
    assert load_policies(tmp_path / "line.npz", Config.from_yaml(ROOT / "config" / "continuous.yaml"))  # of 500 robots
    (tmp_path / "short.yaml").write_text("line: {limit: 1.9}\n")
    with pytest.raises(UserError, match=r"a line with limit 2, but the configuration has 1\.9"):
        load_policies(tmp_path / "line.npz", Config.from_yaml(tmp_path / "short.yaml"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dispatcher": network(5, 6, 4)}, "dispatcher: 4 outputs, expected 5"),
        ({"robots": network(3, 6, 3)}, "robots: a layer has weights"),
        ({"robots": []}, "robots: 2 outputs, expected 3"),
        ({"robots": [(np.full((2, 3), np.nan), np.zeros(3))]}, "no finite number"),
        ({"robots": [(np.zeros((2, 3)), np.zeros(3, dtype=int))]}, "no finite number"),
        ({"slack": -1.0}, "slack is -1.0"),
    ],
)
def test_parts_that_do_not_fit(line_bundle: ContinuousBundle, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        replace(line_bundle, **change)
    with pytest.raises(UserError, match="not one of the 3 bins of its line"):
        replace(line_bundle, line=line_bundle.line.model_copy(update={"targets": (-1.0, 0.0, 1.0)}))


def test_a_histogram_that_is_none(learned: ContinuousBundle) -> None:
    for wrong in ([1, 2], [0] * 5, [-1, 2, 0, 0, 0]):
        with pytest.raises(UserError, match="histogram"):
            learned.dispatch(0, wrong)


def test_inspect_shows_both_kinds(learned: ContinuousBundle, line_bundle: ContinuousBundle, tmp_path: Path) -> None:
    learned.save(tmp_path / "learned.npz")
    line_bundle.save(tmp_path / "solved.npz")
    shown = [CliRunner().invoke(app, ["inspect", str(tmp_path / f"{name}.npz")]) for name in ("learned", "solved")]
    assert "network, 2 × 6 × 6 × 3" in shown[0].stdout
    assert "towards the priority while they are further away than 0.075" in shown[1].stdout
    told = json.loads(CliRunner().invoke(app, ["inspect", str(tmp_path / "learned.npz"), "--json"]).stdout)
    assert told["networks"] == {"dispatcher": [5, 6, 6, 5], "robots": [2, 6, 6, 3]}
    assert (told["digest"], told["slack"], told["filtering"]["kappa"]) == (learned.digest, 0.075, 6)
