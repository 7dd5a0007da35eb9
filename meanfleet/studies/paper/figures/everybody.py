"""SUBSAMPLE-MFQ next to ALTERNATING-MARL on the warehouse."""

from __future__ import annotations

from pathlib import Path

from meanfleet.base.arrays import Tell
from meanfleet.base.resources import config_file

from ...mfq import figures
from ...mfq.study import Effort, conduct, load
from .. import warehouse
from ..figure import MFQ, Finding, PaperFigure, Settings, Summary, save


def settings(quick: bool) -> Settings:
    """The warehouse with the k whose joint plans can be enumerated in the time."""
    ks, rollouts = ([1, 2, 3, 4, 5], 200) if quick else ([1, 2, 3, 4, 5, 6, 7, 8], 1000)
    game = {key: value for key, value in warehouse.settings(quick).items() if key in ("quick", "game", "n", "horizon")}
    return game | {"ks": ks, "seeds": 10, "rollouts": rollouts}


def run(settings: Settings, folder: Path, shared: Path, tell: Tell) -> Summary:
    """The study of `meanfleet mfq`."""
    effort = Effort(tuple(settings["ks"]), settings["seeds"], settings["rollouts"], settings["horizon"])
    summary = conduct(load(config_file(warehouse.CONFIG)), effort, tell)
    save(figures.comparison(summary), folder, "everybody")
    return summary


def findings(summary: Summary) -> list[Finding]:
    """Messages, tables, time, and what is earned for them."""
    last, n = summary["curve"][-1], summary["n"]
    mfq, other, lead, k = last["mfq"], last["alternating"], last["lead"], last["k"]
    found = [
        Finding(
            "The dispatcher alone samples k robots where SUBSAMPLE-MFQ has everybody sample: n·k messages against k.",
            mfq["messages"] > n * (k - 1) and other["messages"] == k,
            f"at k = {k}, n = {n}: {mfq['messages']} zones sent per tick against {other['messages']}.",
        ),
        Finding(
            "Separating local actions makes tables smaller.",
            mfq["cells"]["joint"] > other["cells"],
            f"at k = {k}: {mfq['cells']['tagged']} entries ({mfq['cells']['joint']} without the tag) against "
            f"{other['cells']}.",
        ),
        Finding(
            "At the same k, robots that sample too earn at least as much.",
            True if lead["high"] < 0 else False if lead["low"] > 0 else None,
            f"at k = {k} ALTERNATING-MARL leads by {lead['mean']:.2f} ({lead['low']:.2f} … {lead['high']:.2f}, 95 %).",
        ),
    ]
    rows = summary["moves"]
    if len(rows) > 1:
        grown = [[row[which]["cpu_seconds"] for row in rows] for which in ("mfq", "alternating")]
        times = [each[-1] / max(each[0], 1e-9) for each in grown]
        cells = (
            rows[-1]["mfq"]["cells"]["tagged"] / rows[0]["mfq"]["cells"]["tagged"],
            rows[-1]["alternating"]["cells"] / rows[0]["alternating"]["cells"],
        )
        found.append(
            Finding(
                "Its cost grows faster with the number of a robot's actions.",
                times[0] > times[1],
                f"from {rows[0]['moves']} to {rows[-1]['moves']} moves at k = {rows[0]['k']}: time × {times[0]:.1f} "
                f"against × {times[1]:.1f}, entries × {cells[0]:.1f} "
                f"against × {cells[1]:.1f}.",
            )
        )
    return found


def _command(chosen: Settings) -> str:
    ks = f"{chosen['ks'][0]}:{chosen['ks'][-1]}"
    return (
        f"meanfleet mfq config/{warehouse.CONFIG} -k {ks} --seeds {chosen['seeds']} --rollouts {chosen['rollouts']} "
        f"--horizon {chosen['horizon']} -o out/mfq"
    )


FIGURE = PaperFigure(
    "everybody",
    MFQ,
    "the comparison that ALTERNATING-MARL's abstract draws",
    "Everybody samples, or the dispatcher alone",
    100,
    settings,
    run,
    findings,
    _command,
    lambda settings: (
        "no figure of the papers has both; robots of one zone take their places in the plan by lot, and the time of "
        "ALTERNATING-MARL includes several starts and its certificate."
    ),
)
