"""Files of arrays: what would fill the memory, or run something, is refused before it is unpacked."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import zstandard

from meanfleet.base import archives
from meanfleet.base.archives import read_arrays
from meanfleet.base.errors import UserError
from meanfleet.sim.bags.files import readable
from meanfleet.solver import Game, GameError
from meanfleet.solver.bundle.policy import PolicyBundle


def header(shape: tuple[int, ...], descr: str = "<f8") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def written(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "text": np.array("Grüße"),
        "none": np.zeros((0, 3)),
        "one": np.array(1),
    }
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    found = read_arrays(tmp_path / "a.npz")
    assert found.keys() == arrays.keys()
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())


@pytest.mark.parametrize("shape", [(10**12,), (10**6, 10**6, 10**6)])
@pytest.mark.parametrize("descr", ["<f8", "<U0", "<U1"])
def test_an_array_that_claims_more_than_it_has_is_refused(tmp_path: Path, shape: tuple[int, ...], descr: str) -> None:
    path = written(tmp_path / "lie.npz", {"P_g.npy": header(shape, descr)})
    with pytest.raises(ValueError, match="claims"):
        read_arrays(path)
    with pytest.raises(GameError, match="claims"):
        Game.from_npz(path)
    with pytest.raises(UserError, match="damaged"):
        PolicyBundle.load(path)


def test_a_bomb_is_refused_by_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST", 1 << 20)
    path = written(tmp_path / "bomb.npz", {"P_g.npy": header((1 << 18,)) + bytes(1 << 21)})
    assert path.stat().st_size < 10_000
    with pytest.raises(ValueError, match="unpacks to more than"):
        read_arrays(path)
    monkeypatch.setattr(archives, "MOST", 3)
    many = written(tmp_path / "many.npz", {f"a{i}.npy": header((0,)) for i in range(4)})
    with pytest.raises(ValueError, match="3 arrays"):
        read_arrays(many)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "o.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="Object arrays"):
        read_arrays(tmp_path / "o.npz")


def test_a_packed_bag_is_not_unpacked_onto_the_last_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "run_0.mcap.zstd"
    packed.write_bytes(zstandard.compress(bytes(1 << 24)))
    assert packed.stat().st_size < 10_000
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1 << 22))
    (tmp_path / "scratch").mkdir()
    with pytest.raises(UserError, match=r"run_0\.mcap\.zstd unpacks to more than half of what is free"):
        readable(packed, tmp_path / "scratch")
    monkeypatch.undo()
    found, damage = readable(packed, tmp_path / "scratch")
    assert found.stat().st_size == 1 << 24
    assert not damage
