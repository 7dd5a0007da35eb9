"""Whole arrays as short text, for checkpoints: bytes of equal rank side by side, compressed, in base64."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = 1
KINDS = ("<u1", "<u2", "<u4", "<i8", "<f8")
LEVEL = 1  # of compression: ten times as fast as the highest, which saves another twentieth


def pack(array: NDArray[Any]) -> dict[str, Any]:
    """JSON-ready; `unpack` gives the very same numbers. Counts take no more bytes each than the largest one needs."""
    kind = _kind(array)
    planes = np.ascontiguousarray(array, dtype=kind).view(np.uint8).reshape(-1, np.dtype(kind).itemsize).T
    data = base64.b64encode(zlib.compress(planes.tobytes(), LEVEL)).decode()
    return {"version": VERSION, "kind": kind, "shape": list(array.shape), "data": data}


def unpack(packed: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """What `pack` was given: float64, or int64 for counts.

    Raises:
        ValueError, KeyError or TypeError: it is damaged, of another version, or of another shape than expected.
    """
    if not isinstance(packed, Mapping) or packed.get("version") != VERSION:
        raise ValueError(f"its arrays are not in version {VERSION} of their format")
    if packed["kind"] not in KINDS or tuple(packed["shape"]) != shape:
        raise ValueError(f"an array of shape {packed['shape']}, expected {list(shape)}")
    kind = np.dtype(packed["kind"])
    size = int(np.prod(shape)) * kind.itemsize
    try:
        stream = zlib.decompressobj()
        data = stream.decompress(base64.b64decode(packed["data"], validate=True), size + 1)
    except (zlib.error, binascii.Error) as error:
        raise ValueError(f"a damaged array: {error}") from None
    if len(data) != size or not stream.eof:
        raise ValueError(f"a damaged array: {len(data)} bytes, expected {size}")
    planes = np.frombuffer(data, dtype=np.uint8).reshape(kind.itemsize, -1)
    values = np.ascontiguousarray(planes.T).reshape(-1).view(kind).reshape(shape)
    return values.astype(np.float64 if kind.kind == "f" else np.int64)


def _kind(array: NDArray[Any]) -> str:
    if array.dtype.kind == "f":
        return "<f8"
    if array.size == 0 or array.min() < 0:
        return "<i8"
    largest = int(array.max())
    return next((kind for kind in KINDS[:3] if largest <= np.iinfo(kind).max), "<i8")
