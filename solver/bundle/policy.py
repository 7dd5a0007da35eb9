"""The policy bundle: one .npz with the game, a dispatch table per k, the robots' policy and the certificates.

Needs numpy alone. Loading never executes anything in the file (`allow_pickle=False`) and refuses damage: schema,
shapes, ranges and a checksum over every array are verified before anything is returned.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfleet.base.archives import read_arrays
from meanfleet.base.errors import UserError
from meanfleet.base.files import replacing
from meanfleet.space.zone_graph import ZoneGraph

from ..game import ROW_SUM_TOLERANCE, Game, GameError
from ..histograms import count_histograms, enumerate_histograms, rank
from .filtering import FilterModel, FilterSetting

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Table:
    """One dispatch table.

    Attributes:
        k: robots it decides on.
        dispatch: int [s_g, histogram index].
        certificate: its gaps and values, JSON-ready.
    """

    k: int
    dispatch: NDArray[Any]
    certificate: dict[str, Any]


@dataclass(frozen=True, eq=False)
class PeerPlan:
    """What robots do that sample each other (SUBSAMPLE-MFQ).

    Attributes:
        k: robots in a sample, the one that decides included.
        plan: robots of the sample by zone and move, int [s_g, histogram index, zone, move].
    """

    k: int
    plan: NDArray[Any]


@dataclass(frozen=True, eq=False)
class PolicyBundle:
    """Both policies and what is known of them.

    Attributes:
        game: the game they were solved for.
        local_policy: π_l, float64 [zone, priority, move], rows sum to 1.
        tables: one per k, ascending.
        how: settings, seed, versions, trace of the alternation; JSON-ready.
        filtering: what a dispatcher that remembers needs; None if the bundle is for memoryless ones only.
        peers: plans of robots that sample each other; `local_policy` is then that of a robot which hears nobody.
    """

    game: Game
    local_policy: NDArray[np.float64]
    tables: tuple[Table, ...]
    how: dict[str, Any]
    filtering: FilterModel | None = None
    peers: tuple[PeerPlan, ...] = ()

    made_by: ClassVar[str] = "meanfleet solve CONFIG -o FILE"
    family: ClassVar[str] = "zones"

    def __post_init__(self) -> None:
        shape = (self.game.zones, self.game.priorities, self.game.moves)
        policy = self.local_policy
        if policy.shape != shape or not np.isfinite(policy).all() or (policy < 0).any():
            raise UserError(f"local policy: expected non-negative probabilities of shape {shape}, got {policy.shape}")
        if (np.abs(policy.sum(axis=2) - 1) > ROW_SUM_TOLERANCE).any():
            raise UserError("local policy: some row does not sum to 1")
        if policy.max(axis=1)[~self.game.allowed].any():
            raise UserError("local policy: robots in some zone make a move that the zone does not have")
        if not all(isinstance(part, dict) for part in (self.how, *self.certificate.values())):
            raise UserError("its notes or certificates are no mappings")
        if any(table.k < 1 for table in self.tables):
            raise UserError("dispatch tables: k starts at 1")
        if not self.tables or [table.k for table in self.tables] != sorted({table.k for table in self.tables}):
            raise UserError("dispatch tables: expected at least one, each k once, ascending")
        shape = (self.game.priorities, self.game.zones, self.game.dispatches)
        model = self.filtering
        if model is not None and (model.q.shape[0], len(model.prior), model.q.shape[2]) != shape:
            raise UserError("filter: its numbers of priorities, zones and dispatches are not the game's")
        for peer in self.peers:
            self._check_plan(peer)
        for table in self.tables:
            expected = (self.game.priorities, count_histograms(table.k, self.game.zones))
            if table.dispatch.shape != expected:
                raise UserError(
                    f"dispatch table for k = {table.k} has shape {table.dispatch.shape}, expected {expected}"
                )
            if table.dispatch.dtype.kind not in "iu":
                raise UserError(
                    f"dispatch table for k = {table.k} holds {table.dispatch.dtype}, expected whole numbers"
                )
            if table.dispatch.min() < 0 or table.dispatch.max() >= self.game.dispatches:
                raise UserError(
                    f"dispatch table for k = {table.k} names a dispatch outside 0…{self.game.dispatches - 1}"
                )

    def _check_plan(self, peer: PeerPlan) -> None:
        """Every plan moves exactly the robots of its histogram."""
        zones, plan = self.game.zones, peer.plan
        if peer.k < 1 or plan.dtype.kind not in "iu":
            raise UserError(f"plan for k = {peer.k} holds {plan.dtype}: expected whole numbers, and k of at least 1")
        expected = (self.game.priorities, count_histograms(peer.k, zones), zones, self.game.moves)
        if plan.shape != expected:
            raise UserError(f"plan for k = {peer.k} has shape {plan.shape}, expected {expected}")
        if plan.min() < 0 or (plan.sum(axis=3, dtype=np.int64) != enumerate_histograms(peer.k, zones)).any():
            raise UserError(f"plan for k = {peer.k} does not move the robots of its histograms")
        if plan.max(axis=(0, 1))[~self.game.allowed].any():
            raise UserError(f"plan for k = {peer.k}: robots in some zone make a move that the zone does not have")

    @property
    def ks(self) -> tuple[int, ...]:
        """The k of all tables, ascending."""
        return tuple(table.k for table in self.tables)

    @property
    def certificate(self) -> dict[int, dict[str, Any]]:
        """Certificate of every table by its k."""
        return {table.k: table.certificate for table in self.tables}

    @cached_property
    def _tables(self) -> dict[int, NDArray[Any]]:
        return {table.k: table.dispatch for table in self.tables}

    def dispatch(self, priority: int, histogram: ArrayLike) -> int:
        """The dispatcher's memoryless choice at s_g = priority for a histogram [zone] of k robots.

        Raises:
            UserError: there is no table for that many robots.
        """
        counts = np.asarray(histogram, dtype=np.int64)
        if counts.shape != (self.game.zones,) or (counts < 0).any() or not 0 <= priority < self.game.priorities:
            raise UserError(f"histogram {counts.tolist()} at priority {priority} is outside the game")
        table = self._tables.get(int(counts.sum()))
        if table is None:
            raise UserError(f"no dispatch table for {counts.sum()} robots: this bundle has k = {_listed(self.ks)}")
        return int(table[priority, rank(counts)])

    def table_for(self, answered: int) -> int | None:
        """The largest k of a table that `answered` samples fill, None if there is none."""
        return max((k for k in self.ks if k <= answered), default=None)

    def require_k(self, k: int, where: str = "the bundle") -> None:
        """Raise UserError unless there is a table for k."""
        if k not in self._tables:
            raise UserError(
                f"{where} has no table for k = {k}, only for k = {_listed(self.ks)}: "
                f"choose one of these or solve again with -k {k}"
            )

    def require_graph(self, graph: ZoneGraph, priorities: int | None = None) -> None:
        """Raise UserError unless robots' zones are those of this graph, and priorities and dispatches the same.

        Where robots have types, the graph is that of their states, and `priorities` are the zones.
        """
        game = self.game
        same = (graph.zones, priorities or graph.zones, priorities or graph.zones)
        if game.graph is None:
            raise UserError(
                f"the policy is for a game of {game.zones} zones whose moves lead to no zones in particular, so no "
                "robot can drive by it: run it by 'meanfleet simulate' or 'compare' with --backend model and the "
                "configuration that names the game's file, or add 'graph' to that and solve again"
            )
        if (game.zones, game.priorities, game.dispatches) != same or game.graph != graph:
            raise UserError(
                f"the policy is for {game.graph}, {game.priorities} priorities and {game.dispatches} dispatches, "
                f"but the configuration has {_otherwise(graph, game.graph)}: solve for this configuration"
            )

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all of the bundle."""
        return _checksum(self._content())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the bundle; the file appears whole or not at all.

        Raises:
            UserError: the folder cannot be written.
        """
        content = self._content()
        with replacing(path) as stream:
            np.savez_compressed(stream, allow_pickle=False, **(content | {"checksum": np.array(_checksum(content))}))

    def _content(self) -> dict[str, NDArray[Any]]:
        meta: dict[str, Any] = {
            "how": self.how,
            "certificates": {str(k): value for k, value in self.certificate.items()},
        }
        if self.filtering is not None:
            settings = {str(k): asdict(setting) for k, setting in self.filtering.settings.items()}
            meta["filtering"] = {"kappa": self.filtering.kappa, "settings": settings}
        content: dict[str, NDArray[Any]] = {
            "schema": np.array(SCHEMA),
            "ks": np.array(self.ks, dtype=np.int64),
            "local_policy": self.local_policy,
            "meta": np.array(json.dumps(meta, sort_keys=True)),
            "game_digest": np.array(self.game.digest),
        }
        content |= {f"game_{name}": array for name, array in self.game.arrays().items()}
        if self.filtering is not None:
            content |= {"filtering_q": self.filtering.q.astype(np.float32), "filtering_prior": self.filtering.prior}
        smallest = np.min_scalar_type(self.game.dispatches - 1)
        content |= {f"dispatch_{table.k}": table.dispatch.astype(smallest) for table in self.tables}
        content |= {f"peers_{peer.k}": peer.plan.astype(np.min_scalar_type(peer.k)) for peer in self.peers}
        return content

    @classmethod
    def load(cls, path: str | os.PathLike[str], game: Game | None = None) -> Self:
        """Read and verify a bundle; with `game`, also that it was solved for that very game.

        Raises:
            UserError: unreadable, damaged, foreign, of another schema, or for another game.
        """
        bundle = cls.from_content(read_content(path, cls.made_by), path)
        if game is not None and bundle.game.digest != game.digest:
            raise UserError(
                f"{path} was solved for another game than the configuration describes: run 'meanfleet solve' again"
            )
        return bundle

    @classmethod
    def from_content(cls, content: dict[str, NDArray[Any]], path: str | os.PathLike[str]) -> Self:
        """The bundle of `read_content`; `path` is for what is said of it.

        Raises:
            UserError: something in it is missing, or does not fit the rest.
        """
        try:
            return cls(**cls._parts(content))
        except (UserError, GameError) as error:
            raise UserError(f"{path} is no valid policy bundle: {error}") from None
        except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{path} is no valid policy bundle: it lacks or garbles {reason}") from None

    @classmethod
    def _parts(cls, content: dict[str, NDArray[Any]]) -> dict[str, Any]:
        """Values of the attributes, by name."""
        if "line" in content:
            raise UserError("its policies are for robots on a line, and here policies for zones are asked for")
        meta = json.loads(str(content["meta"]))
        names = [name for name in content if name.startswith("game_") and name != "game_digest"]
        game = Game.from_arrays({name.removeprefix("game_"): content[name] for name in names}, "its game")
        if game.digest != str(content["game_digest"]):
            raise UserError("its game does not match its hash")
        certificates = meta["certificates"]
        plans = sorted(int(name[6:]) for name in content if name.startswith("peers_"))
        return {
            "game": game,
            "local_policy": np.asarray(content["local_policy"], dtype=np.float64),
            "tables": tuple(Table(k, content[f"dispatch_{k}"], certificates[str(k)]) for k in content["ks"].tolist()),
            "how": meta["how"],
            "filtering": _filtering(meta.get("filtering"), content),
            "peers": tuple(PeerPlan(k, content[f"peers_{k}"]) for k in plans),
        }


def _otherwise(graph: ZoneGraph, known: ZoneGraph | None) -> str:
    return f"{graph}" if str(graph) != str(known) else f"other ways: {graph}"


def _filtering(meta: Any, content: dict[str, NDArray[Any]]) -> FilterModel | None:
    if meta is None:
        return None
    settings = {int(k): FilterSetting(**setting) for k, setting in meta["settings"].items()}
    prior = np.asarray(content["filtering_prior"], dtype=np.float64)
    return FilterModel(int(meta["kappa"]), content["filtering_q"], prior, settings)


def read_content(path: str | os.PathLike[str], made_by: str) -> dict[str, NDArray[Any]]:
    """All arrays of a bundle's file, after schema and checksum agreed; `made_by` is the command that makes one.

    Raises:
        UserError: missing, unreadable, damaged, foreign or of another schema.
    """
    if not Path(path).is_file():
        command = made_by.replace("FILE", str(path))
        raise UserError(f"policy bundle {path} does not exist: make one with '{command}'")
    try:
        content = read_arrays(path)
    except OSError as error:
        raise UserError(f"cannot read policy bundle {path}: {error.strerror}") from None
    except ValueError as error:
        reason = f"{error}; " if "GiB" in str(error) else ""
        raise UserError(f"{path} is damaged or no policy bundle: {reason}solve again or copy the file anew") from None
    foreign = [name for name, array in content.items() if array.dtype.kind not in "biufU"]
    if foreign:
        raise UserError(f"{path} is no policy bundle: its {foreign[0][:80]!r} holds neither real numbers nor text")
    schema = content.get("schema")
    if schema is None or "checksum" not in content:
        raise UserError(f"{path} is no policy bundle: give a file written by 'meanfleet solve'")
    if schema.shape != () or schema.dtype.kind not in "iu" or int(schema) != SCHEMA:
        raise UserError(f"{path} has bundle schema {schema}, this version reads schema {SCHEMA}: solve again")
    checksum = str(content.pop("checksum"))
    if _checksum(content) != checksum:
        raise UserError(f"{path} is damaged (its checksum does not agree): solve again or copy the file anew")
    return content


def _checksum(content: dict[str, NDArray[Any]]) -> str:
    sha = hashlib.sha256()
    for name in sorted(content):
        array = np.asarray(content[name])
        sha.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def _listed(ks: tuple[int, ...]) -> str:
    return ", ".join(str(k) for k in ks)
