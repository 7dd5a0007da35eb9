"""Learned policies of the continuous warehouse in one .npz: weights as arrays, read and run with numpy alone.

Loading never executes anything in the file (`allow_pickle=False`) and refuses damage: schema, checksum, shapes and
numbers are verified before anything is returned.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .continuous_config import LineConfig
from .errors import UserError
from .files import replacing
from .solver.continuous.networks import Layers, logits, robot_view, shares

SCHEMA = 1
NETWORKS = ("dispatcher", "robots")


@dataclass(frozen=True, eq=False)
class ContinuousBundle:
    """Both networks and the line they were learned on.

    Attributes:
        line: the model.
        k: robots polled per tick.
        dispatcher: shares per bin -> logits of a_g.
        robots: (s_g, s_i) -> logits of a_l.
        how: settings, seed, versions, what it earned; JSON-ready.

    Raises:
        UserError: layers that do not fit each other or the line, or numbers that are not finite.
    """

    line: LineConfig
    k: int
    dispatcher: Layers
    robots: Layers
    how: dict[str, Any]

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.line.robots:
            raise UserError(f"k = {self.k}, but its fleet has {self.line.robots} robots")
        bins = len(self.line.targets)
        for name, ends in (("dispatcher", (bins, bins)), ("robots", (2, len(self.line.moves)))):
            _check(name, getattr(self, name), *ends)

    def dispatch(self, histogram: ArrayLike) -> int:
        """a_g for the histogram [bin] of the polled robots.

        Raises:
            UserError: it is not one of the line's bins, or nobody is in it.
        """
        counts = np.asarray(histogram, dtype=np.int64)
        if counts.shape != (len(self.line.targets),) or (counts < 0).any() or not counts.any():
            raise UserError(f"histogram {counts.tolist()} is none of {len(self.line.targets)} bins with robots in them")
        return int(logits(self.dispatcher, shares(counts[None]))[0].argmax())

    def move(self, place: float, priority: float) -> int:
        """a_l of a robot at a place, given s_g."""
        return int(logits(self.robots, robot_view(np.array([[place]]), np.array([priority])))[0].argmax())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file whole, or not at all."""
        content: dict[str, NDArray[Any]] = {
            "schema": np.array(SCHEMA),
            "meta": np.array(json.dumps({"line": self.line.model_dump(mode="json"), "k": self.k, "how": self.how})),
        }
        for name in NETWORKS:
            for index, (weights, biases) in enumerate(getattr(self, name)):
                content |= {
                    f"{name}_weights_{index}": np.asarray(weights),
                    f"{name}_biases_{index}": np.asarray(biases),
                }
        with replacing(path) as stream:
            np.savez_compressed(stream, allow_pickle=False, checksum=np.array(_checksum(content)), **content)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ContinuousBundle:
        """Read and verify a bundle.

        Raises:
            UserError: missing, unreadable, damaged, foreign or of another schema.
        """
        content = _read(path)
        try:
            meta = json.loads(str(content["meta"]))
            line = LineConfig(**meta["line"])
            dispatcher, robots = (_layers(name, content) for name in NETWORKS)
            return cls(line, int(meta["k"]), dispatcher, robots, meta["how"])
        except UserError as error:
            raise UserError(f"{path} is no valid bundle of a continuous warehouse: {error}") from None
        except (KeyError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{path} is no valid bundle of a continuous warehouse: it lacks or garbles {reason}"
            ) from None


def _check(name: str, layers: Layers, first: int, last: int) -> None:
    width = first
    for weights, biases in layers:
        if weights.ndim != 2 or weights.shape[0] != width or biases.shape != (weights.shape[1],):
            raise UserError(f"{name}: a layer has weights {weights.shape} and biases {biases.shape} for {width} inputs")
        if weights.dtype.kind != "f" or not (np.isfinite(weights).all() and np.isfinite(biases).all()):
            raise UserError(f"{name}: weights hold something that is no finite number")
        width = weights.shape[1]
    if not layers or width != last:
        raise UserError(f"{name}: {width} outputs, expected {last}")


def _layers(name: str, content: dict[str, NDArray[Any]]) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    many = sum(key.startswith(f"{name}_weights_") for key in content)
    return [(content[f"{name}_weights_{index}"], content[f"{name}_biases_{index}"]) for index in range(many)]


def _read(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    if not Path(path).is_file():
        raise UserError(f"bundle {path} does not exist: make one with 'meanfleet continuous CONFIG --learn'")
    try:
        with np.load(path, allow_pickle=False) as archive:
            content = {name: archive[name] for name in archive.files}
        checksum = str(content.pop("checksum", ""))
        schema = int(content.get("schema", 0))
    except Exception as error:  # zip, zlib, npy header and memory errors: whatever a damaged file can cause
        raise UserError(f"{path} is damaged or no bundle of a continuous warehouse: copy or learn it again") from error
    if "meta" not in content or not checksum:
        raise UserError(f"{path} is no bundle of a continuous warehouse: give one of 'meanfleet continuous --learn'")
    if schema != SCHEMA:
        raise UserError(f"{path} has schema {schema}, this version reads schema {SCHEMA}: learn again")
    if _checksum(content) != checksum:
        raise UserError(f"{path} is damaged (its checksum does not agree): copy or learn it again")
    return content


def _checksum(content: dict[str, NDArray[Any]]) -> str:
    sha = hashlib.sha256()
    for name in sorted(content):
        array = np.asarray(content[name])
        sha.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
