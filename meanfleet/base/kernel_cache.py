"""Where numba keeps compiled kernels on a computer where neither this package nor a home can be written.

Without a place for them numba refuses to import a function with `cache=True`. Standard library alone.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"
PACKAGE = Path(__file__).resolve().parent.parent


def provide_cache(package: Path = PACKAGE) -> None:
    """Set NUMBA_CACHE_DIR to a folder under the temporary one, unless numba finds a place of its own."""
    if os.environ.get(VARIABLE) or _writable(_home_cache()) or all(map(_writable, _caches(package))):
        return
    os.environ[VARIABLE] = str(_own_folder())


def _home_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "numba"


def _caches(package: Path) -> list[Path]:
    """Where numba would write beside the code; solver and sim are links in a checkout."""
    walk = os.walk(package, followlinks=True)
    return [Path(folder).resolve() / "__pycache__" for folder, _, files in walk if "__init__.py" in files]


def _writable(folder: Path) -> bool:
    """Whether it could be made and written."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        tempfile.TemporaryFile(dir=folder).close()  # as numba tries
    except OSError:
        return False
    return True


def _own_folder() -> Path:
    """This user's, and nobody else's, or compiled code could be slipped in; otherwise one for this process."""
    folder = Path(tempfile.gettempdir()) / f"meanfleet-kernels-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
            return folder
    except OSError:
        pass
    alone = tempfile.mkdtemp(prefix="meanfleet-kernels-")
    atexit.register(shutil.rmtree, alone, ignore_errors=True)
    return Path(alone)
