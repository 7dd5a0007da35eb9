"""Finished units on disk: each file appears whole or not at all, so a sweep killed at any moment resumes from them.

OUT/units/options.json       what all units depend on; another game or other options are refused
OUT/units/k0012.npz          the policy bundle solved for k = 12
OUT/units/k0012.json         its returns by seed, with the digest of the bundle they belong to
OUT/units/k0000.json         those of the plain rule
OUT/units/m0012.json         those of the dispatcher that remembers, with k = 12
OUT/units/m0000.json         those of the dispatcher that sees the whole fleet
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from meanfleet.base.errors import UserError
from meanfleet.base.files import writable_folder, write_json
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.solver.fleet import Estimate

from .plan import SweepPlan
from .units import Returns, as_json

OPTIONS = "options.json"
LEGIBLE = 500  # letters of an option that are shown


class SweepFolder:
    """The units of one sweep.

    Raises:
        UserError: not writable, or the folder belongs to another game or other options.
    """

    def __init__(self, out: Path, plan: SweepPlan) -> None:
        self.out, self.plan = out, plan
        self.units = out / "units"
        self._claim()

    def _claim(self) -> None:
        path, wanted = self.units / OPTIONS, self.plan.identity()
        if not path.exists():
            writable_folder(self.units)
            write_json(path, wanted)
            return
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or found.keys() != wanted.keys():
            raise UserError(f"{path} is damaged or of another version: choose another -o, or remove {self.out}")
        differing = next((key for key in wanted if found[key] != wanted[key]), None)
        if differing is not None:
            change = (
                "" if differing == "game" else f" ({_short(found[differing])} there, {_short(wanted[differing])} now)"
            )
            raise UserError(
                f"{self.out} holds a sweep with another {differing}{change}: choose another with -o, or remove it"
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other sweeps out of the folder; the lock ends with the process, however that ends.

        Raises:
            UserError: another sweep is at work here.
        """
        with open(self.units / "lock", "wb") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"another sweep is at work in {self.out}: wait for it, or choose another -o") from None
            for left in self.units.glob(".*.part"):  # of a killed run
                left.unlink(missing_ok=True)
            yield

    def bundle(self, k: int) -> PolicyBundle | None:
        """The bundle for k, None if it is missing or damaged."""
        path = self._path(k, "npz")
        if not path.exists():
            return None
        try:
            bundle = PolicyBundle.load(path, self.plan.game)
        except UserError:
            return None
        return bundle if bundle.ks == (k,) else None

    def keep_bundle(self, bundle: PolicyBundle) -> None:
        """Write a bundle."""
        bundle.save(self._path(bundle.ks[0], "npz"))

    def returns(self, k: int, policy: str, remembers: bool = False) -> dict[int, Estimate]:
        """The returns by seed of the policy with that digest; empty if missing, damaged or of another policy."""
        try:
            found = json.loads(self._path(k, "json", remembers).read_text(encoding="utf-8"))
            if found["checksum"] != _checksum(found["content"]) or found["content"]["policy"] != policy:
                return {}
            return {int(seed): Estimate(**estimate) for seed, estimate in found["content"]["returns"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    def keep_returns(self, returns: Returns) -> None:
        """Add returns to those of the same policy that are there."""
        every = self.returns(returns.k, returns.policy, returns.remembers) | returns.by_seed
        content = {"policy": returns.policy, "returns": as_json(every)}
        path = self._path(returns.k, "json", returns.remembers)
        write_json(path, {"checksum": _checksum(content), "content": content})

    def _path(self, k: int, kind: str, remembers: bool = False) -> Path:
        return self.units / f"{'m' if remembers else 'k'}{k:04d}.{kind}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LEGIBLE else f"{text[:LEGIBLE]}…"


def _checksum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
