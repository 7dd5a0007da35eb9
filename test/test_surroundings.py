"""The command line where terminal, disk, home, display or file names are not what one hopes for: one sentence."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import meanfleet
from meanfleet.base import kernel_cache
from meanfleet.base.errors import UserError
from meanfleet.base.files import writable_file, write_json
from meanfleet.sim.display import require_display

ROOT = Path(__file__).resolve().parent.parent
NAME = "[/x] :warning:.npz"
FLEET = """\
zones: [north, east, south]
fleet: {prefix: r, count: 6}
dispatcher: {k: 2}
world: {backend: model}
solver: {tolerance: 1.0e-3, starts: [shortest], rollouts: 250}
"""


def run(folder: Path, *arguments: str, stdout: Any = subprocess.PIPE, **environment: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "meanfleet", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "dumb"} | environment,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
    )


def said(result: Any) -> str:
    """The one line of a refusal."""
    text = str(result.stderr.decode())
    assert result.returncode == 2, text
    assert text.startswith("meanfleet: ")
    assert text.count("\n") == 1
    return text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    return tmp_path


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration, and a bundle in a place whose name looks like markup."""
    folder = tmp_path_factory.mktemp("solved")
    (folder / "fleet.yaml").write_text(FLEET)
    (folder / NAME).parent.mkdir()
    result = run(folder, "solve", "fleet.yaml", "-o", NAME)
    assert result.returncode == 0, result.stderr.decode()
    assert f"written to {NAME}".encode() in result.stdout
    return folder


def test_names_that_look_like_markup_are_printed_as_they_are(solved: Path) -> None:
    assert (solved / NAME).is_file()
    assert "[/y].npz" in said(run(solved, "inspect", "[/y].npz"))


def test_letters_that_a_terminal_lacks_are_printed_as_escapes(solved: Path) -> None:
    result = run(solved, "inspect", NAME, PYTHONIOENCODING="latin-1")
    assert result.returncode == 0, result.stderr.decode()
    assert rb"\u03b3 = 0.95" in result.stdout


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_full_disk_under_the_output_is_one_sentence(solved: Path, arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        assert "No space left" in said(run(solved, "inspect", NAME, *arguments, stdout=full))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "-o has an empty name"),
        (".", "is a folder"),
        ("/dev/null", "device"),
        ("x" * 256, "File name too long"),
        ("x" * 250, "File name too long"),  # its checkpoint
        ("/proc/policy.npz", "cannot write"),
    ],
)
def test_what_cannot_be_written_is_known_before_the_work(folder: Path, name: str, words: str) -> None:
    assert words in said(run(folder, "solve", "fleet.yaml", "-o", name))
    assert [path.name for path in folder.iterdir()] == ["fleet.yaml"]


def test_devices_and_pipes_are_never_replaced_and_links_stay_links(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("target.json")
    (tmp_path / "ring").symlink_to("ring")
    (tmp_path / "null").symlink_to("/dev/null")
    for name in ("pipe", "null", "ring"):
        with pytest.raises(UserError, match=name):
            write_json(tmp_path / name, {})
    assert stat.S_ISFIFO((tmp_path / "pipe").lstat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    write_json(tmp_path / "link", {"tick": 1})
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target.json").is_file()


def test_the_longest_name_that_a_disk_takes_is_written(tmp_path: Path) -> None:
    write_json(tmp_path / ("x" * 255), {})
    with pytest.raises(UserError, match="too long"):
        writable_file(tmp_path / ("x" * 256))
    with pytest.raises(UserError, match="null"):
        writable_file(tmp_path / "a\0b")


def test_ctrl_c_while_libraries_are_imported_is_one_line(folder: Path) -> None:
    (folder / "rich").mkdir()  # an import in whose midst the interrupt comes, and which would make an error of it
    text = (
        "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\nexcept BaseException:\n    raise ImportError"
    )
    (folder / "rich" / "__init__.py").write_text(text)
    result = run(folder, "inspect", "none.npz", PYTHONPATH=f"{folder}:{ROOT}")
    assert (result.returncode, result.stderr) == (130, b"meanfleet: interrupted\n")


def test_a_process_that_ignores_interrupts_goes_on_ignoring_them(folder: Path) -> None:
    script = "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); import meanfleet.cli as c; c._run()"
    result = subprocess.run([sys.executable, "-c", f"{script}; assert 0", "--version"], cwd=ROOT, capture_output=True)
    assert result.stdout.decode().strip() == meanfleet.__version__
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_display_that_does_not_answer_is_refused_before_a_window_is_tried(
    monkeypatch: pytest.MonkeyPatch, solved: Path
) -> None:
    for display in ("", ":9999"):
        monkeypatch.setenv("DISPLAY", display)
        with pytest.raises(UserError, match=r"gui: .*display|gui: .*:9999"):
            require_display(display)
    command = ("simulate", "fleet.yaml", "-p", NAME, "--backend", "bullet", "--gui")
    assert "no X server answers at DISPLAY=:9999" in said(run(solved, *command, DISPLAY=":9999"))


# --- where numba may not write


@pytest.fixture
def unwritable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A package beside which nothing can be written, by a user without a home; for root too: proc takes no files."""
    monkeypatch.delenv(kernel_cache.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    monkeypatch.setattr(kernel_cache.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(kernel_cache, "_caches", lambda package: [Path("/proc/none/__pycache__")])
    return tmp_path


def test_kernels_go_to_a_folder_of_the_users_own(unwritable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_cache.provide_cache()
    found = Path(os.environ[kernel_cache.VARIABLE])
    assert found.parent == unwritable
    assert stat.S_IMODE(found.stat().st_mode) == 0o700
    monkeypatch.delenv(kernel_cache.VARIABLE)
    kernel_cache.provide_cache()
    assert Path(os.environ[kernel_cache.VARIABLE]) == found


def test_kernels_are_not_taken_from_a_folder_that_others_may_write(
    unwritable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = unwritable / f"meanfleet-kernels-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    kernel_cache.provide_cache()
    own = Path(os.environ[kernel_cache.VARIABLE])
    assert own != planted
    assert stat.S_IMODE(own.stat().st_mode) == 0o700


def test_where_numba_has_a_place_nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(kernel_cache.VARIABLE, raising=False)
    for home in (str(tmp_path), "/proc/none"):  # by the home, then beside the code
        monkeypatch.setenv("XDG_CACHE_HOME", home)
        monkeypatch.setattr(kernel_cache, "_caches", lambda package: [tmp_path / "__pycache__"])
        kernel_cache.provide_cache()
        assert kernel_cache.VARIABLE not in os.environ


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("unshare") is None, reason="mounts need root")
def test_a_read_only_installation_without_a_home_runs(tmp_path: Path) -> None:
    mounts = (
        f'mount --bind "{ROOT}" "{ROOT}" && mount -o remount,ro,bind "{ROOT}" && mount -t tmpfs -o ro none /mnt && '
        'exec "$@"'
    )
    kernel = "import meanfleet.solver.histograms, meanfleet.solver.next_law.layouts as l; print(l.__name__)"
    command = ["unshare", "-m", "sh", "-c", mounts, "sh", sys.executable, "-c", kernel]
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/mnt/none", "TMPDIR": str(tmp_path)}
    result = subprocess.run(command, env=clean, cwd="/", capture_output=True, text=True, timeout=120, check=False)
    if "mount" in result.stderr:
        pytest.skip(result.stderr)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / f"meanfleet-kernels-{os.getuid()}").is_dir()
