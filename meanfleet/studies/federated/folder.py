"""Finished points of a study on disk: each appears whole or not at all, so a study killed at any moment resumes.

OUT/policy_5.npz             the policy bundle solved for k = 5
OUT/units/k0005.json         the runs of all rules at k = 5, with the digest of that bundle and of all they depend on

Points of another configuration, other seeds, other data or another version are made anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

import meanfleet
from meanfleet.base.arrays import FloatArray, IntArray
from meanfleet.base.errors import UserError
from meanfleet.base.files import write_json
from meanfleet.config.federated import FederatedFile
from meanfleet.solver.bundle.policy import PolicyBundle

from .rounds import Run
from .study import Arm, Point

INTEGERS = ("broadcasts", "histograms", "queried")


class StudyFolder:
    """The finished points in a folder.

    Args:
        out: the folder.
        file: configuration of the study.
        digits: pixels and labels.
        seeds: of the runs.
    """

    def __init__(
        self, out: Path, file: FederatedFile, digits: tuple[FloatArray, IntArray], seeds: Sequence[int]
    ) -> None:
        self.out = out
        data = [hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest() for array in digits]
        self._digest = _checksum([file.model_dump(mode="json"), data, list(seeds), meanfleet.__version__])

    def bundle_path(self, k: int) -> Path:
        """Where the bundle for k is."""
        return self.out / f"policy_{k}.npz"

    def keep(self, point: Point) -> None:
        """Write a finished point; the unit last, so that it never speaks of a bundle that is not there."""
        point.bundle.save(self.bundle_path(point.k))
        content = {
            "policy": point.bundle.digest,
            "arms": [{"name": a.name, "about": a.about, "runs": [_as_lists(r) for r in a.runs]} for a in point.arms],
        }
        write_json(self._unit(point.k), {"digest": self._digest, "checksum": _checksum(content), "content": content})

    def point(self, k: int) -> Point | None:
        """The point for k; None if it is missing, damaged or of another study."""
        try:
            found = json.loads(self._unit(k).read_text(encoding="utf-8"))
            content = found["content"]
            if found["digest"] != self._digest or found["checksum"] != _checksum(content):
                return None
            bundle = PolicyBundle.load(self.bundle_path(k))
            if bundle.digest != content["policy"]:
                return None
            arms = (Arm(a["name"], a["about"], tuple(map(_as_run, a["runs"]))) for a in content["arms"])
            return Point(k, bundle, tuple(arms))
        except (OSError, ValueError, KeyError, TypeError, UserError):
            return None

    def _unit(self, k: int) -> Path:
        return self.out / "units" / f"k{k:04d}.json"


def _as_lists(run: Run) -> dict[str, Any]:
    return {field.name: getattr(run, field.name).tolist() for field in fields(run)}


def _as_run(lists: dict[str, Any]) -> Run:
    arrays: dict[str, Any] = {
        name: np.array(values, dtype=np.int64 if name in INTEGERS else np.float64) for name, values in lists.items()
    }
    return Run(**arrays)


def _checksum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
