"""Files appear whole or not at all: written under a temporary name, then renamed."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from .errors import UserError

LEGIBLE = 80  # letters of its name that a temporary file shows: with all of a long one, its own would be too long


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; on success it is renamed to `path`, on any error removed.

    A link stays one: what it leads to is replaced. Its folder is made where it is missing: a name that a user gives is
    looked at by `writable_file` before.

    Raises:
        UserError: as `writable_file`, the disk is full, or the file or its folder goes away meanwhile.
    """
    with suppress(OSError, ValueError):
        os.makedirs(os.path.dirname(os.path.realpath(path)), exist_ok=True)
    target = writable_file(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:LEGIBLE]}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise _cannot_write(target, error) from error
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, target)
    except BaseException as error:
        with suppress(OSError):  # the folder itself may be gone
            os.unlink(name)
        if isinstance(error, OSError):
            raise _cannot_write(target, error) from error
        raise


def _cannot_write(target: Path, error: OSError | ValueError) -> UserError:
    reason = getattr(error, "strerror", None) or error
    return UserError(f"cannot write {target}: {reason}; make room or choose another place")


def writable_file(path: str | os.PathLike[str]) -> Path:
    """The file that `path` leads to, after making sure that one can be written there.

    Raises:
        UserError: `path` is empty, too long, a folder, a device or anything else that must not be replaced, or its
            folder does not exist (a name may be mistyped, so none is made) or cannot be written to.
    """
    kind = stat.S_IFREG
    try:
        target = Path(os.path.realpath(path))
        with suppress(FileNotFoundError, NotADirectoryError):
            kind = target.stat().st_mode
    except (OSError, ValueError) as error:
        raise _cannot_write(Path(path), error) from error
    if stat.S_ISDIR(kind):
        raise UserError(f"{path} is a folder: give the name of a file to write")
    if not stat.S_ISREG(kind):
        raise UserError(f"{path} is a device or a pipe, which must not be replaced: give the name of a file to write")
    if not target.parent.exists():
        raise UserError(f"cannot write {path}: there is no folder {target.parent}; make it, or choose another place")
    writable_folder(target.parent)
    return target


def writable_folder(path: str | os.PathLike[str]) -> Path:
    """Create the folder `path` if needed and return it.

    Raises:
        UserError: it cannot be created, or it cannot be written to.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot write to folder {folder}: {reason}; choose another with -o/--out") from error
    return folder


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    with replacing(path) as stream:
        stream.write((json.dumps(value, indent=2) + "\n").encode())


def write_csv(path: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows, at least one, with the keys of the first as header, atomically."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with replacing(path) as stream:
        stream.write(text.getvalue().encode())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
