"""What a run's log is made of: statuses that are what they claim to be. Anybody may publish diagnostics. No ROS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class TickReport(_Report):
    """Of a tick of the dispatcher, what a log's readers ask for (`dispatcher_node.report.TickReport`)."""

    tick: Count
    stamp: Number
    priority: str
    dispatch: str
    k: Count
    answered: Count
    complete: bool
    gather_seconds: Number
    skipped: Count
    table_k: Count | None
    sampled: list[str]
    replacements: list[str]
    messages: dict[str, Count]
    place: Number | None = None


class ActReport(_Report):
    """Of what the robots of a process did at a tick."""

    stamp: Number
    robots: list[str]
    zones: list[Count]
    moves: list[Count]
    zone_messages: Count
    places: list[Number] | None = None


class WorldReport(_Report):
    """Of the simulation."""

    time: Number
    wall: Number
    real_time_factor: Number
    statistics: dict[str, Any]


def is_tick(values: Mapping[str, Any]) -> bool:
    """Whether these are values of a tick."""
    return _fits(TickReport, values)


def is_act(values: Mapping[str, Any]) -> bool:
    """Whether these are values of an act, as many of each kind as there are robots."""
    if not _fits(ActReport, values):
        return False
    count = len(values["robots"])
    return all(len(values.get(key) or values["zones"]) == count for key in ("zones", "moves", "places"))


def is_world(values: Mapping[str, Any]) -> bool:
    """Whether these are values of a simulation."""
    return _fits(WorldReport, values)


def _fits(kind: type[_Report], values: Mapping[str, Any]) -> bool:
    try:
        kind.model_validate(dict(values))
    except ValidationError:
        return False
    return True
