"""report.html: the paper's claim, this run's figure and the command side by side; nothing loaded from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import meanfleet
from meanfleet.base.html import STYLE

from .figure import TITLES, Finding
from .result import Result

MORE = """
body { max-width: 78rem; } .facts th { text-align: left; }
section { margin: 0 0 2.6rem; border-top: 1px solid #ccc; padding-top: 0.4rem; }
.pair { display: grid; grid-template-columns: minmax(17rem, 2fr) 3fr; gap: 1.6rem; align-items: start; }
@media (max-width: 55rem) { .pair { grid-template-columns: 1fr; } }
img { max-width: 100%; height: auto; display: block; margin-bottom: 0.8rem; } .how { color: #555; font-size: 0.88rem; }
dl { margin: 0; } dt { margin-top: 0.9rem; } dd { margin: 0.2rem 0 0; font-size: 0.92rem; }
.yes { color: #00684c; } .no { color: #b13c00; } .unknown { color: #555; } .mark { font-weight: 600; }
pre { white-space: pre-wrap; background: #f4f4f4; padding: 0.4rem 0.6rem; font-size: 0.82rem; }
"""
VERDICTS = {
    True: ("yes", "borne out"),
    False: ("no", "not borne out"),
    None: ("unknown", "cannot be told from this run"),
}


def page(results: Sequence[Result]) -> str:
    """The page over finished figures, in their order."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>meanfleet: the papers, run again</title>',
        f"<style>{STYLE}{MORE}</style></head><body>",
        "<h1>The papers, run again</h1>",
        "<p>Left: what a paper says or leads one to expect, and what this run found. Right: this run's figure. Every "
        f"verdict is computed from the numbers of the run (meanfleet {escape(meanfleet.__version__)}).</p>",
        _overview(results),
    ]
    for paper, group in groupby(results, key=lambda result: result.figure.paper):
        parts.append(
            f"<h2>{escape(TITLES[paper])} "
            f'<small>(<a href="https://arxiv.org/abs/{paper}">arXiv {paper}</a>)</small></h2>'
        )
        parts += [_section(result) for result in group]
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _overview(results: Sequence[Result]) -> str:
    rows = []
    for result in results:
        for finding in result.figure.findings(result.summary):
            name, claim = escape(result.figure.name), escape(finding.claim)
            rows.append(f'<tr><td><a href="#{name}">{name}</a></td><td>{claim}</td><td>{_mark(finding)}</td></tr>')
    return f'<table class="facts"><tr><th>figure</th><th>claim</th><th>this run</th></tr>{"".join(rows)}</table>'


def _section(result: Result) -> str:
    figure, settings = result.figure, result.settings
    findings = "".join(
        f"<dt>{escape(finding.claim)}</dt><dd>{_mark(finding)}: {escape(finding.found)}</dd>"
        for finding in figure.findings(result.summary)
    )
    pictures = "".join(_picture(path, figure.title) for path in result.pictures) + _table(result.summary.get("table"))
    differs = figure.differs(settings)
    own = figure.command(settings)
    commands = [f"meanfleet reproduce {figure.name}{' --quick' if settings['quick'] else ''}", *([own] if own else [])]
    return (
        f'<section id="{escape(figure.name)}"><h3>{escape(figure.title)}</h3>'
        f'<p class="how">{escape(figure.where)}</p><div class="pair"><div><dl>{findings}</dl>'
        + (f'<p class="how">Not as in the paper: {escape(differs)}</p>' if differs else "")
        + f'<pre>{escape(chr(10).join(commands))}</pre><p class="how">{result.seconds:.0f} s</p></div>'
        f"<div>{pictures}</div></div></section>"
    )


def _picture(path: Path, title: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{escape(title)}" src="data:image/png;base64,{data}">'


def _table(rows: Any) -> str:
    if not rows:
        return ""
    head, *body = ([escape(str(cell)) for cell in row] for row in rows)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in body)
    return "<table><tr>" + "".join(f"<th>{cell}</th>" for cell in head) + f"</tr>{lines}</table>"


def _mark(finding: Finding) -> str:
    kind, words = VERDICTS[finding.holds]
    return f'<span class="mark {kind}">{words}</span>'
