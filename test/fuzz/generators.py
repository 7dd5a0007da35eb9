"""Wrong inputs made of right ones: bytes flipped, cut and repeated; keys and values dropped, swapped and replaced."""

from __future__ import annotations

import copy
import datetime
import io
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import yaml

Rng = np.random.Generator
Arrays = dict[str, np.ndarray]
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 0.5, -0.0, 2**31, 2**63, 2**64, -(2**63), 10**18, 10**30, 10**400, 10**4000),
    *(math.inf, -math.inf, math.nan, 1e-320, 1e308, "", " ", "x", "x" * 300, "[/x]", "../..", "/dev/zero", "a\0b"),
    *("é☃", "%s{}", "1", "yes", "nan", [], {}, [[]], [None], [1, [2]], {"a": 1}, {"": {}}, [True], ["x"] * 50),
    *(datetime.date(2026, 12, 1), [0.0] * 1000, {str(i): i for i in range(200)}),
)
TEXTS = (
    *("2026-13-45", "!!int abc", "!!float x", "!!timestamp x", "!!bool x", "!!set [a]", "!!map x", "!!omap 1", "!!str"),
    *("!!binary '*'", "!!python/object:os.system x", "&a [*a]", "*none", "<<: 1", "? [a]", "{[]: 1}", "'", "- -", "\t"),
    *("9" * 5000, "0x" + "f" * 5000, "1:2:3:4", "[" * 3000, "{a: " * 500, "!!null x", ".inf", "-.INF", "~", "%TAG ! !"),
)


def bytes_of(rng: Rng, content: bytes) -> bytes:
    """Some bytes flipped, a piece cut out, repeated or replaced, or the end cut off."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        begin, end = sorted(rng.integers(0, len(data) + 1, 2).tolist())
        kind = int(rng.integers(5))
        if kind == 0 and begin < len(data):
            data[begin] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del data[begin:]
        elif kind == 2:
            del data[begin : min(end, begin + 40)]
        elif kind == 3:
            data[begin:begin] = data[begin : min(end, begin + 400)]
        else:
            data[begin : begin + 4] = rng.bytes(4)
    return bytes(data)


def value_of(rng: Rng, value: Any) -> Any:
    """The same tree with one to three changes anywhere in it."""
    tree = {"": copy.deepcopy(value)}
    for _ in range(int(rng.integers(1, 4))):
        _change(rng, tree)
    return tree.get("")


def _change(rng: Rng, tree: dict[str, Any]) -> None:
    places = [(tree, "")] if not isinstance(tree.get(""), dict | list) else _places(tree[""])
    if not places:
        return
    parent, key = places[int(rng.integers(len(places)))]
    odd = copy.deepcopy(ODD[int(rng.integers(len(ODD)))])
    kind = int(rng.integers(6))
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, dict):
        parent[f"{key}x"] = parent.pop(key)
    elif kind == 2:
        other, place = places[int(rng.integers(len(places)))]
        other[place] = copy.deepcopy(parent[key])
    elif kind == 3 and isinstance(parent, list):
        parent.extend([copy.deepcopy(parent[key])] * int(rng.integers(1, 5)))
    elif kind == 4 and isinstance(parent[key], int | float) and abs(parent[key]) < 2.0**63:
        parent[key] = parent[key] * float(rng.choice([-1, 0, 1e3, 1e9, 1e300, 0.5]))
    else:
        parent[key] = odd


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    found = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], dict | list):
            found += _places(value[key])
    return found


def yaml_of(rng: Rng, text: str) -> bytes:
    """A YAML file: its tree changed, a value replaced by what is hard to read, or its bytes."""
    kind = rng.random()
    if kind < 0.2:
        return bytes_of(rng, text.encode())
    if kind < 0.4:
        parts = text.split(" ")
        parts[int(rng.integers(len(parts)))] = TEXTS[int(rng.integers(len(TEXTS)))]
        return " ".join(parts).encode()
    return str(yaml.safe_dump(value_of(rng, yaml.safe_load(text)), sort_keys=False, allow_unicode=True)).encode()


def json_of(rng: Rng, value: Any, seal: Callable[[Any], Any] = lambda changed: changed) -> bytes:
    """A JSON file: its tree changed and sealed as if it were right, or its bytes."""
    if rng.random() < 0.25:
        return bytes_of(rng, json.dumps(seal(value)).encode())
    try:
        return json.dumps(seal(value_of(rng, value)), default=str).encode()
    except (TypeError, AttributeError, KeyError, IndexError):  # what was changed cannot be sealed
        return json.dumps(value_of(rng, seal(value)), default=str).encode()


def npz_of(rng: Rng, arrays: Arrays, seal: Callable[[Arrays], Arrays] = lambda changed: changed) -> bytes:
    """An .npz file: one to three arrays changed and sealed as if it were right, or its bytes."""
    if rng.random() < 0.15:
        return bytes_of(rng, packed(seal(arrays)))
    changed = dict(arrays)
    for _ in range(int(rng.integers(1, 4))):
        name = list(changed)[int(rng.integers(len(changed)))]
        kind = int(rng.integers(8))
        if kind == 0 and len(changed) > 1:
            del changed[name]
        elif kind == 1:
            changed[name + "x"] = changed.pop(name)
        else:
            changed[name] = array_of(rng, changed[name])
    return packed(seal(changed))


def array_of(rng: Rng, array: np.ndarray) -> np.ndarray:
    """An array of another type or shape, or with a value that does not belong there; JSON in it as a tree."""
    if array.dtype.kind == "U" and array.shape == () and str(array)[:1] in ("{", "["):
        try:
            tree = json.loads(str(array))
        except ValueError:  # changed before
            return np.array("")
        return np.array(json_of(rng, tree).decode("utf-8", "replace"))
    kind = int(rng.integers(7))
    if kind == 0:
        types = ("c16", "U4", "S3", "?", "f2", "f4", "i1", "u8", "M8[s]", "i8,f4")
        with np.errstate(all="ignore"):
            try:
                return array.astype(types[int(rng.integers(len(types)))])
            except (TypeError, ValueError):
                return np.zeros(array.shape, "c16")
    if kind == 1:
        shapes = (array[None], array.ravel(), array.T, np.zeros((0, *array.shape)), np.zeros((*array.shape, 0)))
        return np.array(shapes[int(rng.integers(len(shapes)))])
    if kind == 2 and array.ndim:
        return np.concatenate([array, array])
    if kind == 3 and array.ndim:
        return array[:-1]
    if kind == 4:
        values = (np.nan, np.inf, -1, 2**40, 0.5, "text", True, 1e308, -1e308)
        return np.full(array.shape, values[int(rng.integers(len(values)))])
    if array.dtype.kind == "U":
        return np.array(str(ODD[int(rng.integers(20, len(ODD)))]))
    result = np.array(array)
    if result.size:
        with np.errstate(all="ignore"):
            new = np.array(rng.choice([np.nan, np.inf, -1.0, 1e300, 3.0, 1000.0, 0.25]))
            result.reshape(-1)[int(rng.integers(result.size))] = new.astype(result.dtype)
    return result


def packed(arrays: Arrays) -> bytes:
    """As the bytes of an .npz file."""
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    return stream.getvalue()
