"""A replay's files: report.html for people, replay.json with everything, two CSV; same input, same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from meanfleet.base.figures import rendered
from meanfleet.base.files import replacing, write_csv, write_json

from .figures import draw
from .page import page
from .sweep import Replay


def write_results(result: Replay, out: Path) -> list[Path]:
    """Write report.html, replay.json, replay.csv (a row per observer and k) and seeds.csv (and per seed)."""
    paths = [out / name for name in ("report.html", "replay.json", "replay.csv", "seeds.csv")]
    figures = {name: rendered(figure, name, "svg").decode() for name, figure in draw(result).items()}
    text = page(result.summary, figures)
    with replacing(paths[0]) as stream:
        stream.write(text.encode())
    write_json(paths[1], result.summary)
    write_csv(paths[2], [_row(result.summary, point) for point in result.summary["curve"]])
    write_csv(paths[3], result.rows())
    return paths


def _row(summary: dict[str, Any], point: dict[str, Any]) -> dict[str, Any]:
    verdict = summary["verdict"]
    row: dict[str, Any] = {"observer": point["observer"], "k": point["k"]}
    for name, value in point.items():
        if isinstance(value, dict):
            row |= {f"{name}_{key}": part for key, part in value.items()}
    recommended = (point["observer"], point["k"]) == (verdict["observer"], verdict["k"])
    return row | {"recommended": int(recommended), **{key: verdict[key] for key in ("seed", "seeds", "bag", "policy")}}
