"""The policy bundle of robots on a line: one .npz, read and run with numpy alone, checked whole as every bundle.

It is the bundle of the bins' finite game, with its tables and its filter, and says beside that how robots move by their
exact places: by a rule, or by a network whose weights are plain arrays. A dispatcher's network, where there is one,
takes the place of the tables; a dispatcher that remembers asks the filter.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from meanfleet.base.errors import UserError
from meanfleet.config.line import LineConfig
from meanfleet.config.sections import first_complaint
from meanfleet.solver.bundle.policy import PolicyBundle
from meanfleet.solver.continuous.networks import Layers, greedy, logits, shares
from meanfleet.solver.continuous.rollouts import Robots
from meanfleet.solver.continuous.rules import Toward
from meanfleet.solver.continuous.warehouse import ContinuousWarehouse

NETWORKS = ("dispatcher", "robots")


@dataclass(frozen=True, eq=False, kw_only=True)
class ContinuousBundle(PolicyBundle):
    """A bundle of the bins' game, and the line it was made for.

    Attributes:
        line: the model.
        slack: robots go towards s_g while they are further away than this, unless they have a network.
        robots: network (s_g, s_i) -> logits of a_l; None: they follow the rule.
        dispatcher: network, shares per bin -> logits of a_g; None: the tables decide where the filter does not.

    Raises:
        UserError: parts that do not fit each other or the line, or numbers that are not finite.
    """

    line: LineConfig
    slack: float
    robots: Layers | None = None
    dispatcher: Layers | None = None

    made_by: ClassVar[str] = "meanfleet continuous CONFIG"
    family: ClassVar[str] = "line"

    def __post_init__(self) -> None:
        super().__post_init__()
        game, bins = self.game, len(self.line.targets)
        if {game.zones, game.priorities, game.dispatches} != {bins} or game.moves != 1:
            raise UserError(f"its game is not one of the {bins} bins of its line")
        if not (np.isfinite(self.slack) and self.slack >= 0):
            raise UserError(f"slack is {self.slack}: expected 0 or more")
        for name, ends in (("dispatcher", (bins, bins)), ("robots", (2, len(self.line.moves)))):
            layers = getattr(self, name)
            if layers is not None:
                _check(name, layers, *ends)

    def warehouse(self, robots: int | None = None) -> ContinuousWarehouse:
        """The model, for another number of robots if one is given."""
        return ContinuousWarehouse(**self.line.model_dump() | ({} if robots is None else {"robots": robots}))

    def dispatch(self, priority: int, histogram: ArrayLike) -> int:
        """a_g at s_g in the bin `priority` for the histogram [bin] of the polled robots.

        Raises:
            UserError: it is none of the line's bins, nobody is in it, or no table is for so many robots.
        """
        if self.dispatcher is None:
            return super().dispatch(priority, histogram)
        counts = np.asarray(histogram, dtype=np.int64)
        if counts.shape != (self.game.zones,) or (counts < 0).any() or not counts.any():
            raise UserError(f"histogram {counts.tolist()} is none of {self.game.zones} bins with robots in them")
        return int(logits(self.dispatcher, shares(counts[None]))[0].argmax())

    def moves(self, places: ArrayLike, priority: float) -> NDArray[np.int64]:
        """a_l [robot] of robots at places [robot], given s_g."""
        where = np.asarray(places, dtype=np.float64)
        chosen = self._move(where[None], np.array([priority]), np.random.default_rng(0))  # nothing is drawn
        return np.asarray(chosen[0], dtype=np.int64)

    @cached_property
    def _move(self) -> Robots:
        return Toward(self.warehouse(), self.slack) if self.robots is None else greedy(self.robots)

    def table_for(self, answered: int) -> int | None:
        """As for tables; a network takes any number of samples."""
        return super().table_for(answered) if self.dispatcher is None else (answered or None)

    def require_k(self, k: int, where: str = "the bundle") -> None:
        """As for tables; a network takes any number of samples."""
        if self.dispatcher is None and k not in self.ks:
            known = ", ".join(map(str, self.ks))
            remembering = ", or observer dirichlet, which serves any k" if self.filtering is not None else ""
            raise UserError(f"{where} has no table for k = {k}, only for k = {known}: choose one of these{remembering}")

    def require_line(self, line: LineConfig) -> None:
        """Raise UserError unless the line is this one, whatever the number of robots."""
        for name, value in self.line:
            if name != "robots" and value != getattr(line, name):
                raise UserError(
                    f"the policy is for a line with {name} {_short(value)}, but the configuration has "
                    f"{_short(getattr(line, name))}: run 'meanfleet continuous' for this configuration"
                )

    def _content(self) -> dict[str, NDArray[Any]]:
        content = super()._content()
        content |= {"line": np.array(json.dumps(self.line.model_dump(mode="json"))), "slack": np.array(self.slack)}
        for name in NETWORKS:
            for index, (weights, biases) in enumerate(getattr(self, name) or ()):
                content |= {
                    f"{name}_weights_{index}": np.asarray(weights),
                    f"{name}_biases_{index}": np.asarray(biases),
                }
        return content

    @classmethod
    def _parts(cls, content: dict[str, NDArray[Any]]) -> dict[str, Any]:
        if "line" not in content:
            raise UserError("its policies are for zones, and here policies of robots on a line are asked for")
        own = {name: array for name, array in content.items() if name.startswith(("line", "slack", *NETWORKS))}
        try:
            line = LineConfig(**json.loads(str(own["line"])))
        except ValidationError as error:
            raise UserError(f"its line: {first_complaint(error, LineConfig)}") from None
        parts = super()._parts({name: array for name, array in content.items() if name not in own})
        networks = {name: _layers(name, own) for name in NETWORKS}
        return parts | {"line": line, "slack": float(own["slack"])} | networks


def _check(name: str, layers: Layers, first: int, last: int) -> None:
    width = first
    for weights, biases in layers:
        if weights.ndim != 2 or weights.shape[0] != width or biases.shape != (weights.shape[1],):
            raise UserError(f"{name}: a layer has weights {weights.shape} and biases {biases.shape} for {width} inputs")
        if {weights.dtype.kind, biases.dtype.kind} != {"f"} or not (
            np.isfinite(weights).all() and np.isfinite(biases).all()
        ):
            raise UserError(f"{name}: weights hold something that is no finite number")
        width = weights.shape[1]
    if not layers or width != last:
        raise UserError(f"{name}: {width} outputs, expected {last}")


def _layers(name: str, content: dict[str, NDArray[Any]]) -> list[tuple[NDArray[Any], NDArray[Any]]] | None:
    many = sum(key.startswith(f"{name}_weights_") for key in content)
    layers = [(content[f"{name}_weights_{index}"], content[f"{name}_biases_{index}"]) for index in range(many)]
    return layers or None


def _short(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else f"{value:g}"
