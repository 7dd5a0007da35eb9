"""A node's parameters as one table: names, defaults, bounds, and when a new value takes effect. Needs no ROS."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from meanfleet.base.errors import UserError
from meanfleet.safety import MODES

Effect = Literal["between ticks", "at configure", "at start"]

EFFECTS: dict[Effect, str] = {
    "between ticks": "a new value takes effect between two ticks",
    "at configure": "read when the node is configured",
    "at start": "given at the start",
}


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter.

    Attributes:
        name: of the parameter.
        default: and with it its type; () is an empty list of texts.
        about: what it is, with its unit.
        low: least value of a number; None: any.
        high: greatest value of a number that has a least one; None: any.
        choices: of a text, "" included if it may be empty; (): any.
        effect: when a new value counts.
    """

    name: str
    default: bool | int | float | str | tuple[str, ...]
    about: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    effect: Effect = "at configure"

    def is_default(self, value: Any) -> bool:
        """Whether a value says no more than the default; an array that was never given has none."""
        return value is None or (not len(value) if self.default == () else bool(value == self.default))

    @property
    def expected(self) -> str:
        """What values are allowed, in words; empty if any of its type is."""
        if self.choices:
            return f"one of {', '.join(filter(None, self.choices))}"
        if self.low is None:
            return ""
        return f"{self.low:g} or more" if self.high is None else f"{self.low:g} to {self.high:g}"

    @property
    def constraints(self) -> str:
        """`expected`, and when a new value counts."""
        return "; ".join(filter(None, (self.expected, EFFECTS[self.effect])))

    def check(self, value: Any) -> None:
        """Raise UserError unless the value is within the bounds or among the choices."""
        if self.choices and value not in self.choices:
            known = ", ".join(filter(None, self.choices))
            raise UserError(f"{self.name} {value!r} is unknown: choose from {known}")
        if self.low is not None and not self.low <= value <= (math.inf if self.high is None else self.high):
            raise UserError(f"{self.name} = {value}: expected {self.expected}")


CONFIG = ParameterSpec("config", "", "configuration (YAML)")
N = ParameterSpec("n", 0, "robots of the fleet; 0: as the configuration says", low=0)
POLICY = ParameterSpec(
    "policy", "", "policy bundle (.npz); set it again to load a file that was replaced", effect="between ticks"
)
MODE = ParameterSpec(
    "mode",
    "",
    "shadow: nobody is moved; advise: after a confirm; run; empty: as the configuration says",
    choices=("", *MODES),
    effect="between ticks",
)
EXCLUDE = ParameterSpec(
    "exclude",
    (),
    "robots neither polled nor sent goals; empty: as the configuration says; ['']: none",
    effect="between ticks",
)
AUTOSTART = ParameterSpec(
    "autostart", True, "configure and activate itself; false: wait for a lifecycle manager", effect="at start"
)
STATE_DIR = ParameterSpec(
    "state_dir",
    "",
    "folder of what operators did at run time (stops, settings), taken over at the next start; empty: under "
    "XDG_STATE_HOME, by ROS domain; none: nothing is kept",
    effect="at start",
)
