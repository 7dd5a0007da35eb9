"""The nodes' statuses as checked values: what comes over the network may be of another version, or of anybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

Level = Literal["ok", "warn", "error"]
MOST_ZONES = 1000  # anything beyond is garbage
MOST = 10**15  # of anything that is counted
LONGEST = 500  # characters of a text


def printable(text: str) -> str:
    """The text as one line of a terminal: nothing in it that would steer one."""
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
    return text if text.isprintable() else "".join(one if one.isprintable() else "�" for one in text)


Word = Annotated[str, AfterValidator(printable)]
Count = Annotated[int, Field(ge=0, le=MOST)]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e15, le=1e15)]


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

    tick: Count
    stamp: Number
    priority: Word
    dispatch: Word
    next_priority: Word
    k: Count
    answered: Count
    complete: bool
    gather_seconds: Number
    table_k: Count | None
    kappa: Count | None
    rule: Word
    observer: Word
    sampling: Word
    ledger: dict[Word, Count]
    mean: Annotated[tuple[Number, ...], Field(max_length=MOST_ZONES)]
    effective: Number
    surprise: Number
    clashes: Count = 0
    missing: tuple[Word, ...] = ()
    stale: dict[Word, Word] = {}
    mode: Word | None = None
    weighted: Annotated[tuple[Number, ...], Field(max_length=MOST_ZONES)] | None = None

    @property
    def held(self) -> bool:
        """Whether the priority was held, for lack of samples or by rule."""
        return self.rule != "random" and self.table_k is None and self.kappa is None


class Act(_Said):
    """What the robots of one process did at a tick: zones by index; poses that were no numbers, or too old [s]."""

    stamp: Number
    robots: tuple[Word, ...]
    zones: tuple[Annotated[int, Field(ge=0, lt=MOST_ZONES)], ...]
    bad_poses: dict[Word, Count] = {}
    silent_poses: dict[Word, Number | None] = {}


class Hold(_Said):
    """Robots of one process that stay where they are, for lack of a dispatcher or for too many."""

    holding: tuple[Word, ...]
    clashes: Count = 0


class World(_Said):
    """The simulation's status."""

    time: Number
    real_time_factor: Number


def read_as(kind: type[_Said], status: Status) -> Any:
    """The status's values as `kind`; None if they are something else."""
    try:
        return kind.model_validate(dict(status.values))
    except ValidationError:
        return None
