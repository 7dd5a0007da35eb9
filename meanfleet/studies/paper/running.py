"""Making figures, each once: OUT/figures/NAME holds its pictures and result.json, which says what it was made with."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import meanfleet
from meanfleet.base.arrays import Tell
from meanfleet.base.files import replacing, writable_folder, write_json

from .figure import PaperFigure
from .page import page
from .registry import every
from .result import Result


def digest(figure: PaperFigure, settings: dict[str, Any]) -> str:
    """SHA-256 over the figure's name, its settings and the version: another one is made anew."""
    text = json.dumps([figure.name, settings, meanfleet.__version__], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def make(figure: PaperFigure, out: Path, quick: bool, tell: Tell) -> Result:
    """The figure from `out`, made first if it is not there, damaged, or of other settings."""
    settings = json.loads(json.dumps(figure.settings(quick)))  # as it is read back
    done = finished(figure, out, settings)
    if done is not None:
        return done
    folder = writable_folder(_folder(figure, out))
    for left in (*_pictures(folder), folder / "result.json"):  # of other settings, or of a run that was killed
        left.unlink(missing_ok=True)
    began = time.monotonic()
    summary = json.loads(json.dumps(figure.run(settings, folder, writable_folder(out / "shared"), tell)))
    seconds = time.monotonic() - began
    pictures = _pictures(folder)
    sums = {path.name: _sum(path.read_bytes()) for path in pictures}
    content = {"settings": settings, "summary": summary, "seconds": seconds, "pictures": sums}
    write_json(folder / "result.json", {"digest": digest(figure, settings), "checksum": _check(content)} | content)
    return Result(figure, settings, summary, seconds, pictures, kept=False)


def finished(figure: PaperFigure, out: Path, settings: dict[str, Any] | None) -> Result | None:
    """The figure if it is in `out`, whole, and of these settings (None: of any); None otherwise."""
    folder = _folder(figure, out)
    try:
        found = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        content = {key: found[key] for key in ("settings", "summary", "seconds", "pictures")}
        pictures = tuple(folder / name for name in sorted(content["pictures"]))
        whole = found["checksum"] == _check(content) and found["digest"] == digest(figure, content["settings"])
        whole = whole and all(_sum(path.read_bytes()) == content["pictures"][path.name] for path in pictures)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not whole or (settings is not None and content["settings"] != settings):
        return None
    return Result(figure, content["settings"], content["summary"], content["seconds"], pictures, kept=True)


def write_report(out: Path) -> Path:
    """report.html over all figures that are in `out`, whatever their settings; returns its path."""
    results = [result for figure in every() if (result := finished(figure, out, None)) is not None]
    path = out / "report.html"
    with replacing(path) as stream:
        stream.write(page(results).encode())
    return path


def statements(results: Sequence[Result]) -> tuple[int, int, int]:
    """How many claims hold, do not, and cannot be told."""
    verdicts = [finding.holds for result in results for finding in result.figure.findings(result.summary)]
    return verdicts.count(True), verdicts.count(False), verdicts.count(None)


def _folder(figure: PaperFigure, out: Path) -> Path:
    """A figure's own, apart from those of other commands, which are named alike: `meanfleet mfq … -o out/squeeze`."""
    return out / "figures" / figure.name


def _pictures(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in folder.glob("*.png") if path.is_file()))


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _check(content: dict[str, Any]) -> str:
    return _sum(json.dumps(content, sort_keys=True).encode())
