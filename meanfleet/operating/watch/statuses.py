"""The nodes' statuses as checked values: what comes over the network may be of another version, or of anybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Level = Literal["ok", "warn", "error"]
MOST_ZONES = 1000  # anything beyond is garbage


@dataclass(frozen=True)
class Status:
    """One status of a node.

    Attributes:
        name: of the speaker, such as "dispatcher" or "robots robot_00".
        level: of alarm.
        message: in words.
        values: what it says in figures.
    """

    name: str
    level: Level
    message: str
    values: Mapping[str, Any]


class _Said(BaseModel):
    """Values of a status; those that are not needed here are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Tick(_Said):
    """A tick of the dispatcher, as `dispatcher_node.report.TickReport`; `mode` only if it runs in one."""

    tick: int
    stamp: float
    priority: str
    dispatch: str
    next_priority: str
    k: int
    answered: int
    complete: bool
    gather_seconds: float
    table_k: int | None
    kappa: int | None
    rule: str
    observer: str
    sampling: str
    ledger: dict[str, int]
    mean: tuple[float, ...]
    effective: float
    surprise: float
    clashes: int = 0
    missing: tuple[str, ...] = ()
    stale: dict[str, str] = {}
    mode: str | None = None
    weighted: tuple[float, ...] | None = None

    @property
    def held(self) -> bool:
        """Whether the priority was held, for lack of samples or by rule."""
        return self.rule != "random" and self.table_k is None and self.kappa is None


class Act(_Said):
    """What the robots of one process did at a tick: zones by index; poses that were no numbers, or too old [s]."""

    stamp: float
    robots: tuple[str, ...]
    zones: tuple[Annotated[int, Field(ge=0, lt=MOST_ZONES)], ...]
    bad_poses: dict[str, int] = {}
    silent_poses: dict[str, float | None] = {}


class Hold(_Said):
    """Robots of one process that stay where they are, for lack of a dispatcher or for too many."""

    holding: tuple[str, ...]
    clashes: int = 0


class World(_Said):
    """The simulation's status."""

    time: float
    real_time_factor: float


def read_as(kind: type[_Said], status: Status) -> Any:
    """The status's values as `kind`; None if they are something else."""
    try:
        return kind.model_validate(dict(status.values))
    except ValidationError:
        return None
