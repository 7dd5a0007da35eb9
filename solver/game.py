"""The game (math.md §1): one dispatcher, many identical robots, finite sets, common reward.

s_g(t+1) ~ P_g[s_g, a_g, ·]        s_i(t+1) ~ P_l[s_i, s_g, a_i, ·]
r(t) = r_g[s_g, a_g] + (1/n) Σ_i r_l[s_i, s_g, a_i]        J = E Σ_t γ^t r(t)

Where zones have different moves (`ZoneGraph`), arrays are as long as the largest set, and the rows of a move that a
zone does not have are those of its move 0: whatever maximises or bounds over moves is right without knowing. Who
chooses moves looks at `Game.allowed`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.archives import read_arrays
from meanfleet.base.arrays import FloatArray
from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.config.families import family_of
from meanfleet.space.zone_graph import RING_MOVES, ZoneGraph, ZoneGraphError

ROW_SUM_TOLERANCE = 1e-9
LARGEST_DISCOUNT = 0.999999
LARGEST_REWARD = 1e100  # squares of values must not overflow
_ARRAYS = ("P_g", "P_l", "r_g", "r_l", "start_priority", "start_concentration")


class GameError(UserError):
    """The arrays are not a game; the message names the offending index."""


@dataclass(frozen=True, eq=False)
class Game:
    """A validated game; its arrays are read-only, and rows that sum to 1 nearly are made to sum to 1.

    Attributes:
        P_g: float64 [s_g, a_g, s_g'], law of the next priority.
        P_l: float64 [z, s_g, a_l, z'], law of a robot's next zone; s_g is the priority before the step.
        r_g: float64 [s_g, a_g], reward of the dispatcher per tick.
        r_l: float64 [z, s_g, a_l], reward of one robot per tick (averaged over the fleet).
        discount: γ in [0, 1).
        start_priority: float64 [s_g], law of the first priority.
        start_concentration: float64 [z], Dirichlet parameters from which the fleet's first distribution is drawn.
        graph: where moves lead. None: the ring if robots have three moves, else moves that lead nowhere in particular.

    Raises:
        GameError: wrong shape, not finite, negative, or a row that does not sum to 1.
    """

    P_g: FloatArray
    P_l: FloatArray
    r_g: FloatArray
    r_l: FloatArray
    discount: float
    start_priority: FloatArray
    start_concentration: FloatArray
    graph: ZoneGraph | None = None

    def __post_init__(self) -> None:
        rounding = {name: _rounding(getattr(self, name)) for name in _ARRAYS}
        for name in _ARRAYS:
            object.__setattr__(self, name, _numeric(name, getattr(self, name)))
        discount = _numeric("discount", self.discount)
        if discount.shape != ():
            raise GameError(f"discount has shape {discount.shape}: expected one number in [0, 1)")
        object.__setattr__(self, "discount", float(discount))
        self._check_shapes()
        self._lay_on_graph()
        for name in _ARRAYS:
            getattr(self, name).setflags(write=False)
        for name in _ARRAYS:
            _check_finite(name, getattr(self, name))
        if not 0 <= self.discount < 1:
            raise GameError(f"discount is {self.discount}: expected a number in [0, 1)")
        self._check_reach()
        for name in ("P_g", "P_l", "start_priority"):
            object.__setattr__(self, name, _law(name, getattr(self, name), rounding[name]))
        if (self.start_concentration <= 0).any():
            zone = int(np.argmax(self.start_concentration <= 0))
            raise GameError(
                f"start_concentration[{zone}] is {self.start_concentration[zone]}: expected a number above 0"
            )

    def _check_shapes(self) -> None:
        if self.P_g.ndim != 3 or self.P_l.ndim != 4:
            raise GameError(
                f"P_g has shape {self.P_g.shape} and P_l {self.P_l.shape}: "
                "expected [s_g, a_g, s_g'] and [z, s_g, a_l, z']"
            )
        priorities, dispatches, _ = self.P_g.shape
        zones, _, moves, _ = self.P_l.shape
        expected = {
            "P_g": (priorities, dispatches, priorities),
            "P_l": (zones, priorities, moves, zones),
            "r_g": (priorities, dispatches),
            "r_l": (zones, priorities, moves),
            "start_priority": (priorities,),
            "start_concentration": (zones,),
        }
        for name, shape in expected.items():
            actual = getattr(self, name).shape
            if actual != shape or 0 in shape:
                raise GameError(f"{name} has shape {actual}, expected {shape}, none of them 0")

    def _check_reach(self) -> None:
        """Numbers that values can be computed with: 64 bits carry some 15 digits, and sums run over 1/(1 − γ) ticks."""
        if self.discount > LARGEST_DISCOUNT:
            raise GameError(
                f"discount is {self.discount!r}: above {LARGEST_DISCOUNT} rounding outweighs what dispatchers "
                "differ by; lower it, or make ticks longer"
            )
        for name in ("r_g", "r_l"):
            array = getattr(self, name)
            large = np.abs(array) > LARGEST_REWARD
            if large.any():
                raise GameError(
                    f"{name}{_at(array, large)} is {array[large][0]:g}: rewards are {LARGEST_REWARD:g} at most; "
                    "divide all of them by one number, which changes no decision"
                )
        if self.reward_range < 1 / LARGEST_REWARD:
            raise GameError(
                f"r_g and r_l vary by {self.reward_range:g} in all: less than {1 / LARGEST_REWARD:g} cannot be "
                "computed with; multiply all of them by one number, which changes no decision"
            )

    def _lay_on_graph(self) -> None:
        """Find the graph; make the rows of moves that a zone does not have those of its move 0."""
        if self.graph is None:
            if self.moves == len(RING_MOVES):
                object.__setattr__(self, "graph", ZoneGraph.ring(self.zones))
            return
        if self.graph.targets.shape != (self.zones, self.moves):
            raise GameError(
                f"the graph has {self.graph.zones} zones with {self.graph.moves} moves at most, "
                f"the game's arrays {self.zones} zones with {self.moves} moves"
            )
        for zone, move in np.argwhere(~self.allowed):
            self.P_l[zone, :, move] = self.P_l[zone, :, 0]
            self.r_l[zone, :, move] = self.r_l[zone, :, 0]

    @property
    def priorities(self) -> int:
        """|S_g|."""
        return int(self.P_g.shape[0])

    @property
    def dispatches(self) -> int:
        """|A_g|."""
        return int(self.P_g.shape[1])

    @property
    def zones(self) -> int:
        """|S_l|."""
        return int(self.P_l.shape[0])

    @property
    def moves(self) -> int:
        """|A_l|."""
        return int(self.P_l.shape[2])

    @cached_property
    def allowed(self) -> NDArray[np.bool_]:
        """Which moves a robot has, bool [z, a]; move 0 always."""
        return np.ones((self.zones, self.moves), dtype=bool) if self.graph is None else self.graph.allowed

    @cached_property
    def types(self) -> int:
        """Types of robots: a robot's state is type·zones + zone, and its type never changes. 1: all are alike."""
        copies = 1 if self.graph is None else self.graph.copies
        return copies if self.zones == copies * self.priorities else 1

    @property
    def reward_scale(self) -> float:
        """Largest absolute value of one tick's reward."""
        return float(np.abs(self.r_g).max() + np.abs(self.r_l).max())

    @property
    def reward_range(self) -> float:
        """How much one tick's reward can vary, the unit of tolerances; its size where it does not, 1 if that is 0."""
        return float(np.ptp(self.r_g) + np.ptp(self.r_l)) or self.reward_scale or 1.0

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all arrays, γ and a graph that is no ring: two games are the same if and only if these agree."""
        sha = hashlib.sha256(repr(self.discount).encode())
        for name in _ARRAYS:
            array = getattr(self, name)
            sha.update(f"{name}{array.shape}".encode())
            sha.update(np.ascontiguousarray(array).tobytes())
        for name, targets in self._targets().items():
            sha.update(f"{name}{targets.shape}".encode())
            sha.update(np.ascontiguousarray(targets).tobytes())
        return sha.hexdigest()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays by name, `discount` as a 0-d array, and the graph's `targets` if it is no ring."""
        named = {name: getattr(self, name) for name in _ARRAYS}
        return named | {"discount": np.asarray(self.discount)} | self._targets()

    def _targets(self) -> dict[str, NDArray[np.int64]]:
        return {} if self.graph is None or self.graph.is_ring else {"targets": self.graph.targets}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Any], where: str = "game") -> Game:
        """Build a game from named arrays; the start is uniform where not given, `targets` are those of a `ZoneGraph`.

        Raises:
            GameError: an array is missing, unknown or invalid; the message begins with `where`.
        """
        known = {field.name for field in fields(cls)} - {"graph"} | {"targets"}
        optional = {"start_priority", "start_concentration", "targets"}
        missing = sorted(known - optional - set(arrays))
        unknown = sorted(set(arrays) - known)
        if missing or unknown:
            what = f"lacks {', '.join(missing)}" if missing else f"has unknown {', '.join(unknown)}"
            raise GameError(
                f"{where} {what}: expected {', '.join(sorted(known - optional))} and optionally the start and targets"
            )
        full = dict(arrays)
        targets = full.pop("targets", None)
        if "start_priority" not in full:
            full["start_priority"] = np.full(np.shape(arrays["P_g"])[0], 1 / max(np.shape(arrays["P_g"])[0], 1))
        if "start_concentration" not in full:
            full["start_concentration"] = np.ones(np.shape(arrays["P_l"])[0])
        try:
            return cls(**full, graph=None if targets is None else ZoneGraph(targets))
        except (GameError, ZoneGraphError) as error:
            raise GameError(f"{where}: {error}") from None

    @classmethod
    def from_npz(cls, path: str | os.PathLike[str]) -> Game:
        """Read a game from the arrays of an .npz file.

        Raises:
            GameError: the file is unreadable, not an .npz of plain arrays, or not a game.
        """
        return cls.from_arrays(plain_arrays(path), str(path))

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str]) -> Game:
        """Read the game that a configuration file describes.

        Raises:
            UserError: the configuration or the game in it is invalid.
        """
        return cls.from_config(Config.from_yaml(path))

    @classmethod
    def from_config(cls, config: Config, law: Callable[[FloatArray], FloatArray] | None = None) -> Game:
        """Build the game of a configuration; files it names are relative to it.

        `law` makes counted transitions of their Dirichlet weights; None: their mean.

        Raises:
            UserError: the game in it is invalid, or fleets of its family have none.
        """
        game: Game = family_of(config).game(config, law)
        return game

    def on_graph_of(self, config: Config) -> Game:
        """The same game on the graph that a configuration has; one without `graph:` leaves the game as it is."""
        if config.graph is None or self.graph == config.zone_graph:
            return self
        if self.graph is not None and not self.graph.is_ring:  # a ring may be no more than three moves
            raise GameError(f"{config.source}: key 'graph' is another graph than that of {config.game.file}: give one")
        return replace(self, graph=config.zone_graph)


def plain_arrays(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file, by name.

    Raises:
        GameError: the file is unreadable, or holds more than plain arrays.
    """
    try:
        return read_arrays(path)
    except FileNotFoundError:
        raise GameError(f"game file {path} does not exist") from None
    except (OSError, ValueError) as error:
        raise GameError(f"{path} is not an .npz file of plain arrays ({error})") from None


def _numeric(name: str, value: Any) -> FloatArray:
    if np.ma.isMaskedArray(value):
        raise GameError(f"{name} is a masked array: give plain numbers, {name}.filled(…)")
    try:
        found = np.asarray(value)
        if found.dtype.kind == "c":
            raise GameError(f"{name} holds complex numbers: give its real part, {name}.real")
        if found.dtype.kind not in "biuf":
            raise GameError(f"{name} is not an array of numbers (it holds {found.dtype.name})")
        return np.array(found, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise GameError(f"{name} is not an array of numbers ({error})") from None


def _rounding(value: Any) -> float:
    """Relative error of one number as it came in; of lists and whole numbers that of float64."""
    kind = getattr(value, "dtype", None)
    coarse = isinstance(kind, np.dtype) and kind.kind == "f"
    return float(max(np.finfo(kind).eps if coarse else 0.0, np.finfo(np.float64).eps))


def _at(array: FloatArray, flags: NDArray[np.bool_]) -> str:
    index = np.unravel_index(int(np.argmax(flags)), array.shape)
    return "[" + ", ".join(str(int(i)) for i in index) + "]"


def _check_finite(name: str, array: FloatArray) -> None:
    bad = ~np.isfinite(array)
    if bad.any():
        raise GameError(f"{name}{_at(array, bad)} is not a finite number")


def _normalised(array: FloatArray) -> FloatArray:
    """Rows divided by their sums where these are off by more than rounding: proofs rely on laws that sum to 1."""
    sums = array.sum(axis=-1, keepdims=True)
    off = np.abs(sums - 1) > 1e-15 * array.shape[-1]
    result = np.where(off, array / sums, array)
    result.setflags(write=False)
    return result


def _law(name: str, array: FloatArray, rounding: float) -> FloatArray:
    """Rows that sum to 1, from rows that do so up to the rounding of what came in."""
    error = array.shape[-1] * rounding  # of a sum of so many, and of what is left of 1 after so many
    negative = array < -error
    if negative.any():
        raise GameError(f"{name}{_at(array, negative)} is {array[negative][0]:g}: a probability cannot be negative")
    array = np.where(array < 0, 0.0, array)
    sums = array.sum(axis=-1)
    off = np.abs(sums - 1) > max(ROW_SUM_TOLERANCE, error)
    if off.any():
        where = _at(sums, off).replace("]", ", :]") if array.ndim > 1 else ""
        raise GameError(
            f"{name}{where} sums to {np.atleast_1d(sums)[np.atleast_1d(off)][0]:.12g}, expected 1: "
            f"if its rows are only rounded, give {name} / {name}.sum(-1, keepdims=True)"
        )
    return _normalised(array)
