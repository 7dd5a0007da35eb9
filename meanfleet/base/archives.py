"""Files of arrays (.npz), read without running anything in them and without unpacking more than a computer holds."""

from __future__ import annotations

import math
import os
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 1 << 31  # [byte] of all arrays, unpacked
MOST = 10_000  # arrays


def read_arrays(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """All arrays of a file, by name.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, holds more than plain arrays, or more than LARGEST bytes; one sentence says which.
    """
    with open(path, "rb") as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                _check_sizes(archive)
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as found:
                return {name: found[name] for name in found.files}
        except _TooLargeError as error:
            raise ValueError(str(error)) from None
        except Exception as error:  # zip, zlib, npy header: numpy and zipfile raise a dozen kinds on damaged files
            raise ValueError(" ".join(str(error).split()) or type(error).__name__) from None


class _TooLargeError(Exception):
    """More than is unpacked; the message says so."""


def _check_sizes(archive: zipfile.ZipFile) -> None:
    """By what the zip says and by what each array's head says: either may lie, and neither is unpacked for it."""
    members = archive.infolist()
    if len(members) > MOST or sum(member.file_size for member in members) > LARGEST:
        raise _TooLargeError(
            f"it unpacks to more than {LARGEST >> 30} GiB or {MOST} arrays: no such file is written here"
        )
    for member in members:
        with archive.open(member) as stream:
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(stream)
        values = math.prod(shape)
        if values * max(dtype.itemsize, 1) > max(member.file_size, 1):
            raise _TooLargeError(f"array {member.filename[:80]!r} claims {values} values, and has fewer bytes")
