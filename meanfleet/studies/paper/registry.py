"""All figures: the modules of `figures`, in the order they ask for."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

from meanfleet.base.errors import UserError, suggestion

from . import figures
from .figure import PaperFigure


def every() -> tuple[PaperFigure, ...]:
    """Every figure, in the order of the report."""
    modules = [
        importlib.import_module(f"{figures.__name__}.{info.name}") for info in pkgutil.iter_modules(figures.__path__)
    ]
    found = [module.FIGURE for module in modules if hasattr(module, "FIGURE")]
    return tuple(sorted(found, key=lambda one: (one.order, one.name)))


def named(names: Sequence[str]) -> tuple[PaperFigure, ...]:
    """The figures with these names, in the order of the report; all of them without names.

    Raises:
        UserError: a name that no figure has.
    """
    known = {figure.name: figure for figure in every()}
    for name in names:
        if name not in known:
            raise UserError(f"figure {name!r} is unknown: expected {', '.join(known)}{suggestion(name, list(known))}")
    return tuple(figure for figure in known.values() if not names or figure.name in names)
