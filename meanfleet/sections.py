"""What all sections of the configuration have in common, and how a mistake in them is told."""

from __future__ import annotations

import math
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import suggestion

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class Section(BaseModel):
    """A frozen part of the configuration that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


def first_complaint(error: ValidationError, root: type[BaseModel]) -> str:
    """One sentence for the first thing pydantic found, with the key's path."""
    details = error.errors()
    # An unknown key explains a missing one, so it is told first.
    first = next((e for e in details if e["type"] == "extra_forbidden"), details[0])
    path = ".".join(str(part) for part in first["loc"])
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
    shown = (
        "" if isinstance(value, dict | list) or (isinstance(value, float) and math.isnan(value)) else f", not {value!r}"
    )
    message = message[0].lower() + message[1:]
    return f"key '{path}': {message}{shown if first['type'] != 'value_error' else ''}{rest}"


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
