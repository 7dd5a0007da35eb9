"""A figure that was made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .figure import PaperFigure


@dataclass(frozen=True)
class Result:
    """A finished figure.

    Attributes:
        figure: which one.
        settings: it was made with.
        summary: its numbers.
        seconds: it took.
        pictures: PNG files.
        kept: whether it was there already.
    """

    figure: PaperFigure
    settings: dict[str, Any]
    summary: dict[str, Any]
    seconds: float
    pictures: tuple[Path, ...]
    kept: bool
