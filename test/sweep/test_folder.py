"""Units on disk: what is damaged or foreign is not taken, and a folder belongs to one sweep at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meanfleet.base.errors import UserError
from meanfleet.config import SolverConfig
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.solver.fleet import Estimate
from meanfleet.studies.sweep.folder import SweepFolder
from meanfleet.studies.sweep.plan import SweepPlan
from meanfleet.studies.sweep.units import Returns, solve_at
from naive.surrogate import random_arrays

GAME = Game.from_arrays(random_arrays(0))


def plan(**changes: Any) -> SweepPlan:
    return SweepPlan(**({"game": GAME, "ks": (1, 2), "n": 10} | changes))


@pytest.fixture(scope="module")
def bundle() -> PolicyBundle:
    return solve_at(GAME, 2, None, SolverConfig(), 0)


def estimate(mean: float) -> Estimate:
    return Estimate(mean, 0.25, 50, 100)


def test_what_was_kept_comes_back_from_another_opening_of_the_folder(tmp_path: Path, bundle: PolicyBundle) -> None:
    folder = SweepFolder(tmp_path, plan())
    assert folder.bundle(2) is None
    assert folder.returns(2, "policy") == {}
    folder.keep_bundle(bundle)
    folder.keep_returns(Returns(2, "policy", {0: estimate(1.5)}))
    folder.keep_returns(Returns(2, "policy", {3: estimate(-1 / 3)}))
    again = SweepFolder(tmp_path, plan())
    found = again.bundle(2)
    assert found is not None
    assert found.digest == bundle.digest
    assert again.returns(2, "policy") == {0: estimate(1.5), 3: estimate(-1 / 3)}
    assert again.returns(2, "another policy") == {}
    assert again.bundle(1) is None


def test_no_flipped_byte_and_no_cut_in_a_unit_is_taken(tmp_path: Path, bundle: PolicyBundle) -> None:
    """Returns at every byte and every length; a bundle's bytes are tested with bundles, here a sample of them."""
    folder = SweepFolder(tmp_path, plan())
    folder.keep_bundle(bundle)
    folder.keep_returns(Returns(2, "policy", {0: estimate(1.5), 1: estimate(2.5)}))
    truth = folder.returns(2, "policy")
    for name, step in (("k0002.json", 1), ("k0002.npz", 97)):
        path = folder.units / name
        whole = path.read_bytes()
        for place in range(0, len(whole) - 1, step):
            for damaged in (
                whole[:place],
                whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :],
            ):
                path.write_bytes(damaged)
                if name.endswith("json"):
                    assert folder.returns(2, "policy") in ({}, truth)  # truth: a byte of white space
                else:
                    found = folder.bundle(2)
                    assert found is None or found.digest == bundle.digest
        path.write_bytes(whole[: len(whole) // 2])
        assert folder.returns(2, "policy") == {} if name.endswith("json") else folder.bundle(2) is None
        path.write_bytes(whole)
    assert folder.returns(2, "policy") == truth


def test_a_bundle_of_another_k_or_game_under_the_name_is_not_taken(tmp_path: Path, bundle: PolicyBundle) -> None:
    folder = SweepFolder(tmp_path, plan())
    bundle.save(folder.units / "k0001.npz")
    assert folder.bundle(1) is None
    other = Game.from_arrays(random_arrays(1))
    solve_at(other, 2, None, SolverConfig(), 0).save(folder.units / "k0002.npz")
    assert folder.bundle(2) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"game": Game.from_arrays(random_arrays(1))}, "another game:"),
        ({"rollouts": 51}, r"another rollouts \(50 there, 51 now\)"),
        ({"full": True}, "another full"),
        ({"settings": SolverConfig(tolerance=1e-3)}, "another solver"),
    ],
)
def test_the_folder_of_another_sweep_is_refused_and_untouched(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    SweepFolder(tmp_path, plan())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=words):
        SweepFolder(tmp_path, plan(**changes))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    SweepFolder(tmp_path, plan(ks=(1, 2, 3), seeds=20))  # more k and seeds of the same sweep are welcome


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"game": 1}', b"3"])
def test_damaged_options_are_refused_not_overwritten(tmp_path: Path, content: bytes) -> None:
    path = SweepFolder(tmp_path, plan()).units / "options.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        SweepFolder(tmp_path, plan())
    assert path.read_bytes() == content


def test_one_sweep_at_a_time(tmp_path: Path) -> None:
    first, second = SweepFolder(tmp_path, plan()), SweepFolder(tmp_path, plan())
    (first.units / ".k0001.npz.abc.part").write_bytes(b"left by a kill")
    with first.locked():
        assert list(first.units.glob(".*")) == []
        with pytest.raises(UserError, match="another sweep is at work"), second.locked():
            pass
    with second.locked():
        pass


def test_options_are_plain_json(tmp_path: Path) -> None:
    path = SweepFolder(tmp_path, plan()).units / "options.json"
    assert json.loads(path.read_text()) == plan().identity()
