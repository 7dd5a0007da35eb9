"""The bundle of learned policies on a line: there and back, run robot by robot, and every kind of damage refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meanfleet.bundle import PolicyBundle
from meanfleet.continuous_bundle import ContinuousBundle
from meanfleet.continuous_config import LineConfig
from meanfleet.errors import UserError
from meanfleet.solver.continuous.networks import greedy


def network(*sizes: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(sizes[0])
    return [(rng.normal(size=(i, o)), rng.normal(size=o)) for i, o in pairwise(sizes)]


@pytest.fixture
def bundle() -> ContinuousBundle:
    return ContinuousBundle(LineConfig(), 5, network(5, 6, 6, 5), network(2, 6, 6, 3), {"seed": 3})


def test_there_and_back(bundle: ContinuousBundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "p.npz")
    again = ContinuousBundle.load(tmp_path / "p.npz")
    assert (again.line, again.k, again.how) == (bundle.line, 5, {"seed": 3})
    places, s = np.random.default_rng(1).uniform(-2, 2, (1, 40)), np.array([0.3])
    fleet = greedy(bundle.robots)(places, s, np.random.default_rng(0))[0]
    assert [again.move(x, 0.3) for x in places[0]] == fleet.tolist()
    assert len(set(fleet.tolist())) > 1
    counts = np.random.default_rng(2).multinomial(5, np.full(5, 0.2), 30)
    chosen = [again.dispatch(row) for row in counts]
    assert chosen == [bundle.dispatch(row) for row in counts]
    assert len(set(chosen)) > 1


def loaded(path: Path) -> ContinuousBundle | None:
    """None if it is refused."""
    try:
        return ContinuousBundle.load(path)
    except UserError:
        return None


def test_every_damaged_byte_is_noticed(bundle: ContinuousBundle, tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    bundle.save(path)
    whole, refused = path.read_bytes(), 0
    for at in np.random.default_rng(0).integers(len(whole), size=60).tolist():
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        again = loaded(path)
        if again is not None:  # a byte that means nothing, such as a date in the archive: then all is as it was
            assert all((a[0] == b[0]).all() for a, b in zip(again.robots, bundle.robots, strict=True))
            assert again.how == bundle.how
        refused += again is None
    assert refused > 30
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(UserError, match=r"p\.npz"):
            ContinuousBundle.load(path)


def test_missing_and_foreign_files(bundle: ContinuousBundle, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        ContinuousBundle.load(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", numbers=np.arange(3))
    with pytest.raises(UserError, match="no bundle of a continuous warehouse"):
        ContinuousBundle.load(tmp_path / "other.npz")
    np.savez(tmp_path / "pickled.npz", meta=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="damaged or no bundle"):
        ContinuousBundle.load(tmp_path / "pickled.npz")
    bundle.save(tmp_path / "line.npz")
    with pytest.raises(UserError, match=r"line\.npz"):
        PolicyBundle.load(tmp_path / "line.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 501}, "k = 501, but its fleet has 500"),
        ({"dispatcher": network(5, 6, 4)}, "dispatcher: 4 outputs, expected 5"),
        ({"robots": network(3, 6, 3)}, "robots: a layer has weights"),
        ({"robots": []}, "robots: 2 outputs, expected 3"),
        ({"robots": [(np.full((2, 3), np.nan), np.zeros(3))]}, "no finite number"),
    ],
)
def test_networks_that_do_not_fit(bundle: ContinuousBundle, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        replace(bundle, **change)


def test_a_histogram_that_is_none(bundle: ContinuousBundle) -> None:
    for wrong in ([1, 2], [0] * 5, [-1, 2, 0, 0, 0]):
        with pytest.raises(UserError, match="histogram"):
            bundle.dispatch(wrong)
