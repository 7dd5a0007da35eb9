"""What all sections of the configuration have in common, and how a mistake in them is told."""

from __future__ import annotations

import math
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from meanfleet.base.errors import suggestion

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
NAME = r"^[A-Za-z][A-Za-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=255)]
LEGIBLE = 60  # letters of a wrong value that are shown


class Section(BaseModel):
    """A frozen part of the configuration that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML reads yes and on as true, which pydantic would take as the number 1."""
        if _mistaken(value, cls.model_fields[str(info.field_name)].annotation):
            raise ValueError("expected a number; YAML reads yes, no, on and off as true and false")
        return value


def first_complaint(error: ValidationError, root: type[BaseModel]) -> str:
    """One sentence for the first thing pydantic found, with the key's path."""
    details = error.errors()
    # An unknown key explains a missing one, so it is told first.
    first = next((e for e in details if e["type"] == "extra_forbidden"), details[0])
    path = ".".join(_clipped(str(part)) for part in first["loc"])
    rest = f" ({len(details) - 1} more)" if len(details) > 1 else ""
    if first["type"] == "extra_forbidden":
        where = _section(root, first["loc"][:-1])
        hint = suggestion(str(first["loc"][-1]), where.model_fields) if where else ""
        return f"unknown key '{path}'{hint}{rest}"
    if first["type"] == "missing":
        return f"key '{path}' is missing{rest}"
    message = first["msg"].removeprefix("Value error, ")
    if not path:
        return message + rest
    value = first.get("input")
    shown = _shown(value) if first["type"] != "value_error" else ""
    if first["type"] == "string_pattern_mismatch" and first["ctx"]["pattern"] == NAME:
        message = "expected a name of letters (a to z), digits and _ that begins with a letter"
    elif first["type"] == "string_type" and not isinstance(value, dict | list | None):
        return f"key '{path}': expected text{shown}: put it in quotes{rest}"
    message = message[0].lower() + message[1:]
    return f"key '{path}': {message}{shown}{rest}"


def _shown(value: Any) -> str:
    if isinstance(value, dict | list) or (isinstance(value, float) and math.isnan(value)):
        return ""
    try:
        text = repr(value)
    except ValueError:  # thousands of digits
        return ""
    return f", not {_clipped(text)}"


def _clipped(text: str) -> str:
    return text if len(text) <= LEGIBLE else text[:LEGIBLE] + "…"


def _mistaken(value: Any, kind: Any) -> bool:
    """Whether a truth value stands where `kind` has a number; sections look after their own."""
    if get_origin(kind) is Annotated:
        return _mistaken(value, get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        kinds = get_args(kind)
        if isinstance(value, bool):
            return bool not in kinds and any(_mistaken(value, one) for one in kinds)
        found = [_mistaken(value, one) for one in kinds if get_args(one)]
        return bool(found) and all(found)
    if isinstance(value, list | tuple):
        kinds = tuple(one for one in get_args(kind) if one is not Ellipsis)
        return bool(kinds) and any(_mistaken(part, kinds[min(i, len(kinds) - 1)]) for i, part in enumerate(value))
    if isinstance(value, dict):
        return get_origin(kind) is dict and any(_mistaken(part, get_args(kind)[1]) for part in value.values())
    return isinstance(value, bool) and kind in (int, float)


def _section(root: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel] | None:
    kind: Any = root
    for key in path:
        if _is_section(kind):
            field = kind.model_fields.get(str(key))
            kind = field.annotation if field else None
        else:  # a list or a mapping of sections: the key is an index or a name
            kind = next(filter(_is_section, get_args(kind)), None)
    return kind if _is_section(kind) else None


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
