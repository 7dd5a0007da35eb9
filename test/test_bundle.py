"""The policy bundle: what goes in comes out, and whatever is no whole bundle is refused in one sentence."""

from __future__ import annotations

import io
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meanfleet.base.errors import UserError
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PolicyBundle, Table, _checksum
from meanfleet.space.zone_graph import ZoneGraph
from naive.surrogate import histograms, random_arrays, random_policy


def make_bundle(seed: int = 0, ks: tuple[int, ...] = (1, 3), dispatches: int = 4) -> PolicyBundle:
    """A bundle with random tables; nothing here depends on how they were learned."""
    game = Game(**random_arrays(seed, priorities=2, dispatches=dispatches, zones=3, moves=3))
    rng = np.random.default_rng(seed)
    tables = tuple(
        Table(k, rng.integers(dispatches, size=(2, len(histograms(k, 3)))), {"k": k, "value_low": k / 3}) for k in ks
    )
    return PolicyBundle(game, random_policy(seed, 3, 2, 3), tables, {"seed": seed, "note": "Grüße"})


@pytest.fixture
def bundle() -> PolicyBundle:
    return make_bundle()


@pytest.fixture
def saved(bundle: PolicyBundle, tmp_path: Path) -> Path:
    bundle.save(tmp_path / "policy.npz")
    return tmp_path / "policy.npz"


def refusal(path: Path, game: Game | None = None) -> str:
    """The one-line message with which a file is refused; any other exception fails the test."""
    with pytest.raises(UserError) as caught:
        PolicyBundle.load(path, game)
    message = str(caught.value)
    assert message
    assert "\n" not in message
    assert str(path) in message
    return message


def contents(path: Path) -> dict[str, Any]:
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


# --- round trip and lookups


def test_a_bundle_survives_its_file(bundle: PolicyBundle, saved: Path) -> None:
    loaded = PolicyBundle.load(saved, bundle.game)
    assert loaded.digest == bundle.digest
    assert loaded.ks == (1, 3)
    assert loaded.game.digest == bundle.game.digest
    assert loaded.certificate == bundle.certificate
    assert loaded.how == bundle.how
    assert np.array_equal(loaded.local_policy, bundle.local_policy)
    assert loaded.local_policy.dtype == np.float64
    for left, right in zip(loaded.tables, bundle.tables, strict=True):
        assert np.array_equal(left.dispatch, right.dispatch)


def test_the_same_bundle_gives_the_same_bytes(bundle: PolicyBundle, saved: Path, tmp_path: Path) -> None:
    make_bundle().save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == saved.read_bytes()


def test_dispatch_is_the_tables_entry_at_the_histograms_place(bundle: PolicyBundle) -> None:
    for table in bundle.tables:
        for index, histogram in enumerate(histograms(table.k, 3)):
            for priority in range(2):
                assert bundle.dispatch(priority, histogram) == table.dispatch[priority, index]
                assert isinstance(bundle.dispatch(priority, np.array(histogram)), int)


@pytest.mark.parametrize("histogram", [[0, 0, 0], [1, 1, 0], [2, 2, 0]])
def test_without_a_table_for_so_many_robots_dispatch_says_which_there_are(
    bundle: PolicyBundle, histogram: list[int]
) -> None:
    with pytest.raises(UserError, match=rf"no dispatch table for {sum(histogram)} robots.*k = 1, 3"):
        bundle.dispatch(0, histogram)


@pytest.mark.parametrize(
    ("priority", "histogram"), [(0, [1, 0]), (0, [2, -1, 0]), (2, [1, 0, 0]), (-1, [1, 0, 0]), (0, [[1, 0, 0]])]
)
def test_a_state_outside_the_game_is_refused(bundle: PolicyBundle, priority: int, histogram: Any) -> None:
    with pytest.raises(UserError, match="outside the game"):
        bundle.dispatch(priority, histogram)


@pytest.mark.parametrize(("answered", "k"), [(0, None), (1, 1), (2, 1), (3, 3), (50, 3)])
def test_fewer_answers_use_the_largest_table_they_fill(bundle: PolicyBundle, answered: int, k: int | None) -> None:
    assert bundle.table_for(answered) == k


def test_a_missing_k_is_refused_with_the_remedy(bundle: PolicyBundle) -> None:
    bundle.require_k(3)
    with pytest.raises(UserError, match=r"no table for k = 2.*1, 3.*-k 2"):
        bundle.require_k(2)


def test_a_bundle_of_another_ring_is_refused() -> None:
    square = random_arrays(0, 3, 3, 3, 3)
    ring = PolicyBundle(Game(**square), np.full((3, 3, 3), 1 / 3), (Table(1, np.zeros((3, 3), int), {}),), {})
    ring.require_graph(ZoneGraph.ring(3))
    for bundle, zones in ((ring, 4), (make_bundle(), 3)):
        with pytest.raises(UserError, match=f"ring of {zones} zones"):
            bundle.require_graph(ZoneGraph.ring(zones))


# --- what is no bundle


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"local_policy": np.full((3, 2, 2), 0.5)}, "local policy"),
        ({"local_policy": np.full((3, 2, 3), 0.3)}, "does not sum to 1"),
        ({"local_policy": np.full((3, 2, 3), np.nan)}, "local policy"),
        ({"local_policy": np.tile([1.5, -0.5, 0.0], (3, 2, 1))}, "non-negative"),
        ({"tables": ()}, "at least one"),
        ({"tables": (Table(1, np.zeros((2, 3), int), {}),) * 2}, "each k once"),
        ({"tables": (Table(2, np.zeros((2, 3), int), {}),)}, "k = 2 has shape"),
        ({"tables": (Table(0, np.zeros((2, 1), int), {}),)}, "k starts at 1"),
        ({"tables": (Table(1, np.zeros((2, 3)), {}),)}, "whole numbers"),
        ({"tables": (Table(1, np.full((2, 3), 4), {}),)}, "outside 0…3"),
        ({"tables": (Table(1, np.full((2, 3), -1), {}),)}, "outside 0…3"),
    ],
)
def test_parts_that_do_not_fit_the_game_are_refused(bundle: PolicyBundle, change: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        replace(bundle, **change)


def test_a_truncated_file_is_refused_at_every_length(saved: Path) -> None:
    whole = saved.read_bytes()
    for length in range(0, len(whole), 10):
        saved.write_bytes(whole[:length])
        refusal(saved)


def test_a_flipped_byte_is_refused_or_changes_nothing(bundle: PolicyBundle, saved: Path) -> None:
    """Some bytes of a zip file carry no content (times, attributes); whatever loads must be the very bundle."""
    whole = saved.read_bytes()
    refused = 0
    for position in range(0, len(whole), 4):
        saved.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        try:
            loaded = PolicyBundle.load(saved)
        except UserError:
            refused += 1
            refusal(saved)
        else:
            assert loaded.digest == bundle.digest
    assert refused > len(whole) / 4 / 2


def npy(array: np.ndarray, pickled: bool = False) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=pickled)
    return stream.getvalue()


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.npz"
    np.savez(path, weights=np.zeros(3))
    assert "no policy bundle" in refusal(path)
    np.savez(path, schema=np.array(1), checksum=np.array("0"))
    assert "checksum" in refusal(path)
    for junk in (b"", b"zones: [a, b]\n", b"PK\x03\x04" + bytes(100), npy(np.zeros(3)), b"\x80\x04N."):
        path.write_bytes(junk)
        refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
        archive.writestr("schema.npy", b"no array")
    refusal(path)
    with zipfile.ZipFile(path, "w"):
        pass
    refusal(path)


def test_a_pickle_in_the_file_is_never_executed(saved: Path, tmp_path: Path) -> None:
    marker = tmp_path / "executed"

    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(marker),)

    for name in ("local_policy.npy", "schema.npy", "checksum.npy", "extra.npy"):
        path = tmp_path / f"{name}.npz"
        with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, "w") as target:
            for entry in source.namelist():
                if entry != name:
                    target.writestr(entry, source.read(entry))
            target.writestr(name, npy(np.array([Trap()], dtype=object), pickled=True))
        refusal(path)
    assert not marker.exists()


@pytest.mark.parametrize("schema", [np.array(0), np.array(2), np.array([1]), np.array(1.0), np.array("1")])
def test_another_schema_is_refused(saved: Path, schema: np.ndarray) -> None:
    content = contents(saved)
    np.savez(saved, **(content | {"schema": schema}))
    assert "schema" in refusal(saved)


def test_contents_that_were_edited_are_refused(saved: Path) -> None:
    content = contents(saved)
    policy = content["local_policy"].copy()
    policy[0, 0] = policy[0, 0][::-1]
    for edit in ({"local_policy": policy}, {"meta": np.array("{}")}, {"another": np.zeros(1)}):
        np.savez(saved, **(content | edit))
        assert "checksum" in refusal(saved)
    del content["dispatch_3"]
    np.savez(saved, **content)
    assert "checksum" in refusal(saved)


@pytest.mark.parametrize(
    "edit",
    [
        {"meta": np.array("{}")},
        {"meta": np.array("[]")},
        {"meta": np.array("no JSON")},
        {"meta": np.array(3.5)},
        {"meta": np.array('{"how": {}, "certificates": {"1": 2, "3": {}}}')},
        {"meta": np.array('{"how": [], "certificates": {"1": {}, "3": {}}}')},
        {"ks": np.array([1, 2])},
        {"ks": np.array([], dtype=int)},
        {"ks": np.array(3)},
        {"ks": np.array([[1, 3]])},
        {"ks": np.array(["a"])},
        {"ks": np.array([-1])},
        {"dispatch_3": np.zeros((2, 4), dtype=int)},
        {"dispatch_3": np.full((2, 10), 4)},
        {"dispatch_3": np.full((2, 10), 0.5)},
        {"dispatch_3": np.full((2, 10), "x")},
        {"dispatch_3": np.array(0)},
        {"local_policy": np.zeros((3, 2, 3))},
        {"local_policy": np.array("x")},
        {"game_digest": np.array("0")},
        {"game_P_g": np.zeros((2, 4, 2))},
        {"game_P_x": np.zeros(1)},
        {"game_discount": np.array(1.5)},
    ],
    ids=lambda edit: f"{next(iter(edit))}={str(next(iter(edit.values())))[:12]!r}",
)
def test_wrong_contents_under_a_right_checksum_are_refused(saved: Path, edit: dict[str, np.ndarray]) -> None:
    """A file made by a program that means ill or errs: the checksum alone proves nothing."""
    content = contents(saved) | edit
    del content["checksum"]
    np.savez(saved, **content, checksum=np.array(_checksum(content)))
    refusal(saved)


def test_a_bundle_for_another_game_is_refused(saved: Path) -> None:
    assert "another game" in refusal(saved, make_bundle(seed=1).game)


def test_a_missing_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    assert "meanfleet solve" in refusal(tmp_path / "none.npz")
    refusal(tmp_path)


# --- saving


class PowerFailure(BaseException):
    """Stands for whatever ends a process in the middle of writing."""


def test_an_interrupted_save_leaves_the_old_file_and_no_other(
    saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = saved.read_bytes()

    def written_in_part(stream: Any, **arrays: Any) -> None:
        stream.write(b"PK half of a bundle")
        raise PowerFailure

    monkeypatch.setattr("numpy.savez_compressed", written_in_part)
    with pytest.raises(PowerFailure):
        make_bundle(seed=1).save(saved)
    assert saved.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["policy.npz"]


def test_a_save_replaces_the_old_file_and_makes_folders(saved: Path, tmp_path: Path) -> None:
    other = make_bundle(seed=1)
    other.save(saved)
    assert PolicyBundle.load(saved).digest == other.digest
    other.save(tmp_path / "new" / "deep" / "policy.npz")
    assert PolicyBundle.load(tmp_path / "new" / "deep" / "policy.npz").digest == other.digest


def test_a_folder_that_cannot_be_written_is_a_users_error(bundle: PolicyBundle, saved: Path) -> None:
    # A path below a regular file: refused for every user, root included.
    with pytest.raises(UserError, match="cannot write to folder"):
        bundle.save(saved / "policy.npz")
    with pytest.raises(UserError, match="is a folder"):
        bundle.save(saved.parent)
