"""NAME.fit.html: what a bag says of the game, for people; one file, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from meanfleet.base.html import STYLE
from meanfleet.space.zone_graph import ZoneGraph


def page(summary: dict[str, Any], zones: Sequence[str], source: str, graph: ZoneGraph) -> str:
    """The page, from the summary of a fit (`summary_of`, and `model_free` where it was compared)."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>meanfleet fit</title>',
        f"<style>{STYLE}</style></head><body>",
        "<h1>The game that a fleet played</h1>",
        f"<p>From <code>{escape(source)}</code>, bag <code>{escape(str(summary['bag']))}</code>.</p>",
        _read(summary),
        *(
            line
            for name, part in summary.get("types", {"": summary}).items()
            for line in _part(name, part, zones, graph)
        ),
        *_steering(summary, zones),
        "<h2>The way without a model</h2>",
        _model_free(summary.get("model_free")),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _read(summary: dict[str, Any]) -> str:
    """What of the bag was read, and what dropped."""
    read = summary["read"]
    lines = [f"{name}: {count}" for name, count in read["counts"].items()] + read["remarks"]
    listed = "".join(f"<li>{escape(line)}</li>" for line in lines)
    told = f"<p>{summary['robots']} robots, {summary['ticks']} ticks, {read['messages']} messages.</p>"
    return told + (f"<ul>{listed}</ul>" if listed else "")


def _part(name: str, summary: dict[str, Any], zones: Sequence[str], graph: ZoneGraph) -> list[str]:
    """What is known of the robots of one type, or of all if they are alike."""
    return [
        f"<h2>Where {f'robots of type {escape(name)}' if name else 'robots'} go</h2>",
        _coverage(summary, zones, graph),
        "<p>Share of robots in each zone a tick after a move, in percent, with 95 % credible intervals; n: how often "
        "the row was seen. Rows never seen hold the prior alone: the solver knows nothing of such moves.</p>",
        _law(summary, zones, graph),
    ]


def _coverage(summary: dict[str, Any], zones: Sequence[str], graph: ZoneGraph) -> str:
    seen, p = summary["coverage"], summary["priorities_differ_p"]
    text = (
        f"<b>{seen['seen']} of {seen['rows']} rows seen</b> in {summary['transitions']} transitions (fewest "
        f"{seen['fewest']}, median {seen['median']:g}); widest interval {seen['widest_interval']:.2f}. "
        f"Moves: {summary['moves_from']}. "
    )
    text += "Each priority has rows of its own" if summary["by_priority"] else "One law for all priorities"
    text += "." if p is None else f" (chance of so much difference between priorities if there is none: {p:.2g})."
    if summary["unseen"]:
        text += " Never seen: " + escape("; ".join(_row(row, zones, graph) for row in summary["unseen"])) + "."
    if summary["moves_from"] == "way":
        text += " Moves were inferred from where robots went, so that failed drives look like stays."
    left = "".join(f"<li>{escape(reason)}: {count}</li>" for reason, count in summary["left_out"].items())
    return f'<p class="verdict">{text}</p>' + (f"<p>Not counted:</p><ul>{left}</ul>" if left else "")


def _row(row: Sequence[int], zones: Sequence[str], graph: ZoneGraph) -> str:
    """A row's index in words: zone, priority where it has one, move."""
    parts = [zones[row[0]], *(f"priority {zones[s]}" for s in row[1:-1]), graph.move_names(row[0], zones)[row[-1]]]
    return ", ".join(parts)


def _law(summary: dict[str, Any], zones: Sequence[str], graph: ZoneGraph) -> str:
    size = len(zones)
    priorities = [[s] for s in range(size)] if summary["by_priority"] else [[]]
    moves = [(z, a) for z in range(size) for a in np.flatnonzero(graph.allowed[z]).tolist()]
    rows = [(z, *s, a) for z, a in moves for s in priorities]
    heads = ["zone", *(["priority"] if summary["by_priority"] else []), "move", "n", *map(escape, zones)]
    lines = []
    for row in rows:
        names = [zones[i] for i in row[:-1]] + [graph.move_names(row[0], zones)[row[-1]]]
        lines.append(_line(names, summary, ("counts", "P_l", "P_l_low", "P_l_high"), row))
    return _table(heads, lines)


def _steering(summary: dict[str, Any], zones: Sequence[str]) -> list[str]:
    steering = summary.get("steering")
    if steering is None:
        return []
    rows = [(s, a) for s in range(len(zones)) for a in range(len(zones))]
    keys = ("counts", "P_g", "P_g_low", "P_g_high")
    lines = [_line([zones[s], zones[a]], steering, keys, (s, a)) for s, a in rows]
    return [
        "<h2>How the priority follows the dispatch</h2>",
        _table(["priority", "dispatch", "n", *map(escape, zones)], lines),
    ]


def _line(names: Sequence[str], source: dict[str, Any], keys: Sequence[str], row: Sequence[int]) -> str:
    counts, mean, low, high = (_at(source[key], row) for key in keys)
    cells = [f"<td>{escape(name)}</td>" for name in names] + [f"<td>{sum(counts)}</td>"]
    for share, least, most in zip(mean, low, high, strict=True):
        if not sum(counts):
            cells.append("<td>–</td>")
            continue
        style = f"background: rgba(0, 114, 178, {0.6 * share:.2f})"
        cells.append(f'<td style="{style}">{100 * share:.0f}<small>{100 * least:.0f} … {100 * most:.0f}</small></td>')
    return "".join(cells)


def _at(nested: Any, row: Sequence[int]) -> Any:
    for i in row:
        nested = nested[i]
    return nested


def _table(heads: Sequence[str], lines: Sequence[str]) -> str:
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f"<table><tr>{head}</tr>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _model_free(free: dict[str, Any] | None) -> str:
    if free is None:
        return "<p>Not compared.</p>"
    if "skipped" in free:
        return f"<p>Not compared: {escape(free['skipped'])}.</p>"
    lead, own, model = free["model_leads"], free["return_model_free"], free["return_model"]
    if lead["low"] > 0:
        verdict = "The model's is better."
    elif lead["high"] < 0:
        verdict = "The one without a model is better."
    else:
        verdict = "No difference is shown."
    return (
        f"<p>Q-learning on the same log, k = {free['k']}: {free['updates']} updates reached {free['pairs_seen']} of "
        f"{free['pairs']} pairs of state and dispatch. Its table decides like that of the fitted model in "
        f"{free['agreement']:.0%} of the visited states. In the fitted game with the robots as recorded it earns "
        f"{own['mean']:.2f} ± {own['error']:.2f}, the model's {model['mean']:.2f} ± {model['error']:.2f} "
        f"(discounted return, ± 1 s.e.); the model leads by {lead['mean']:.2f} ({lead['low']:.2f} … "
        f"{lead['high']:.2f}, 95 %). {verdict} This is the model judging itself: a bag too short for its P_l is too "
        "short for this comparison.</p>"
    )
