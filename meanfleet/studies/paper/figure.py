"""What a figure of a paper is here: what the paper says, how it is made again, and what this run says to that."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from meanfleet.base.arrays import Tell
from meanfleet.base.figures import rendered
from meanfleet.base.files import replacing

ALTERNATING = "2603.03759"
MFQ = "2412.00661"
DYNAMICS = "2506.21079"
TITLES = {
    ALTERNATING: "ALTERNATING-MARL: approximate Nash equilibria by mean-field subsampling",
    MFQ: "SUBSAMPLE-MFQ: mean-field sampling for cooperative multi-agent learning",
    DYNAMICS: "Homogenization of multi-agent learning dynamics",
}
Settings = dict[str, Any]
Summary = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """What one run says to one claim.

    Attributes:
        claim: the paper's, in a few words.
        holds: whether this run bears it out; None if it cannot tell.
        found: the numbers, as a sentence.
    """

    claim: str
    holds: bool | None
    found: str


@dataclass(frozen=True)
class PaperFigure:
    """A figure or table.

    Attributes:
        name: as the command line calls it.
        paper: arXiv number.
        where: in the paper.
        title: what it shows.
        order: its place in the report.
        settings: all that the result depends on, JSON-ready, given whether it must be quick.
        run: makes it; gets the settings, a folder of its own, a folder shared by figures that build on the same work,
            and a place to tell of progress. Writes pictures (*.png) into its own folder, returns a JSON-ready summary.
        findings: what the summary says to the paper's claims; computed from the summary alone.
        command: that makes the same by itself, given the settings; "" if only `reproduce` does.
        differs: what is not as in the paper, given the settings; "" if nothing is.
        needs: a module that it cannot do without, and the extra of meanfleet that brings it.
    """

    name: str
    paper: str
    where: str
    title: str
    order: int
    settings: Callable[[bool], Settings]
    run: Callable[[Settings, Path, Path, Tell], Summary]
    findings: Callable[[Summary], Sequence[Finding]]
    command: Callable[[Settings], str]
    differs: Callable[[Settings], str]
    needs: tuple[str, str] = ("", "")

    @property
    def lacks(self) -> str:
        """The extra that has to be installed first; "" if nothing is missing."""
        module, extra = self.needs
        return extra if module and importlib.util.find_spec(module) is None else ""


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write a picture of a figure."""
    with replacing(folder / f"{name}.png") as stream:
        stream.write(rendered(figure, name, "png"))
