"""What the figures of SUBSAMPLE-MFQ's experiments share."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from meanfleet.base.arrays import Tell
from meanfleet.base.resources import config_file

from ..mfq import figures
from ..mfq.study import Effort, conduct, load
from .figure import MFQ, Finding, PaperFigure, Settings, Summary, save


def settings(config: str, quick: bool) -> Settings:
    """Every k up to the whole fleet."""
    return {
        "quick": quick,
        "config": config_file(config).read_text(encoding="utf-8"),
        "ks": list(range(1, load(config_file(config)).n + 1)),
        "seeds": 10,
        "rollouts": 500 if quick else 5000,
    }


def experiment(name: str, config: str, title: str, order: int) -> PaperFigure:
    """The figure of one experiment: the gap to the optimum against k."""

    def run(chosen: Settings, folder: Path, shared: Path, tell: Tell) -> Summary:
        effort = Effort(tuple(chosen["ks"]), chosen["seeds"], chosen["rollouts"])
        summary = conduct(load(config_file(config)), effort, tell)
        save(figures.gap(summary, title), folder, name)
        return summary

    def command(chosen: Settings) -> str:
        ks = f"{chosen['ks'][0]}:{chosen['ks'][-1]}"
        return (
            f"meanfleet mfq config/{config} -k {ks} --seeds {chosen['seeds']} --rollouts {chosen['rollouts']} "
            f"-o out/{name}"
        )

    return PaperFigure(
        name,
        MFQ,
        "Appendix B, numerical simulations",
        title,
        order,
        lambda quick: settings(config, quick),
        run,
        findings,
        command,
        lambda chosen: f"the game's numbers are those of config/{config}; backups are exact, and the optimum is known.",
    )


def findings(summary: Summary) -> list[Finding]:
    """Better with k, with the shape of the theorem, and optimal at k = n."""
    first, last = (summary["curve"][i]["name"]["gap"] for i in (0, -1))
    fit, best = summary["fit"]["name"], summary["optimum"]["low"]
    falls = [point["name"]["gap"]["mean"] for point in summary["curve"]]
    steps = sum(later <= earlier for earlier, later in pairwise(falls))
    found = [
        Finding(
            "The reward rises monotonically with k.",
            _falls(summary),
            f"the gap goes from {_band(first)} to {_band(last)} and falls in {steps} of {len(falls) - 1} steps.",
        ),
        Finding(
            "With k = n the policy is optimal.",
            last["low"] <= 1e-3 * abs(best),
            f"at k = n = {summary['n']} the gap is {_band(last)}, the optimum {best:.4g}; robots of one zone take "
            f"their places in the plan by name. By lot it is {_band(summary['curve'][-1]['lot']['gap'])}.",
        ),
    ]
    found.append(_bounded(summary))
    if fit is not None:
        found.append(
            Finding(
                "It falls like 1/√k (the shape of the bound; a gap below the bound may have another).",
                not fit["refuted"],
                f"{fit['offset']['mean']:.3g} + {fit['slope']['mean']:.3g}/√k explains {fit['r_squared']:.0%}; at "
                f"k = {fit['worst_k']} the residual is {fit['worst']:.1f} times its error. Best power instead of 1/2: "
                f"{fit['exponent']:.2f}.",
            )
        )
    return found


def _bounded(summary: Summary) -> Finding:
    """√k · gap must not keep growing."""
    scaled = {point["k"]: point["k"] ** 0.5 * point["name"]["gap"]["mean"] for point in summary["curve"]}
    first, last, peak = min(scaled), max(scaled), max(scaled, key=lambda k: scaled[k])
    return Finding(
        "The gap is at most of the order of 1/√k.",
        peak < last,
        f"√k · gap is {scaled[first]:.3g} at k = {first}, at most {scaled[peak]:.3g} (k = {peak}), and "
        f"{scaled[last]:.3g} at k = {last}.",
    )


def _falls(summary: Summary) -> bool | None:
    """False if some step rises beyond the noise, None if the whole fall is within it."""
    bands: list[dict[str, Any]] = [point["name"]["gap"] for point in summary["curve"]]
    if any(later["low"] > earlier["high"] for earlier, later in pairwise(bands)):
        return False
    return True if bands[-1]["high"] < bands[0]["low"] else None


def _band(band: dict[str, float]) -> str:
    return f"{band['mean']:.3f} ({band['low']:.3f} … {band['high']:.3f})"
