"""A sweep's results as JSON (everything) and CSV (a row per k, and a row per k and seed)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfleet.base.files import write_csv, write_json
from meanfleet.base.statistics import band, gaps

from .fitting import fit_root
from .running import SweepResult
from .units import HOLD, WHOLE, as_json, versions

CERTIFICATE = ("value_low", "value_high", "global_gap", "local_gap_low", "local_gap_high")


def summarise(result: SweepResult) -> dict[str, Any]:
    """Everything known of a sweep, JSON-ready."""
    plan = result.plan
    returns = np.column_stack([result.returns(k) for k in plan.ks])
    gap = gaps(returns)
    fit = fit_root(plan.ks, gap)
    return {
        "options": plan.identity(),
        "discount": plan.game.discount,
        "ks": list(plan.ks),
        "seeds": list(plan.evaluation_seeds),
        "curve": [_point(result, i, k, returns, gap) for i, k in enumerate(plan.ks)],
        "hold": asdict(band(result.returns(HOLD))) | {"by_seed": as_json(_wanted(result, HOLD))},
        **_whole(result),
        "fit": None if fit is None else fit.as_dict(),
        "versions": versions(),
    }


def write_results(summary: dict[str, Any], out: Path) -> dict[str, Path]:
    """Write sweep.json, sweep.csv (a row per k) and returns.csv (a row per k and seed)."""
    paths = {name: out / name for name in ("sweep.json", "sweep.csv", "returns.csv")}
    write_json(paths["sweep.json"], summary)
    write_csv(paths["sweep.csv"], [_row(point) for point in summary["curve"]])
    rows = [
        {"k": point["k"], "seed": int(seed)} | estimate
        for point in summary["curve"]
        for seed, estimate in point["by_seed"].items()
    ]
    write_csv(paths["returns.csv"], rows)
    return paths


def _point(
    result: SweepResult, index: int, k: int, returns: NDArray[np.float64], gap: NDArray[np.float64]
) -> dict[str, Any]:
    bundle = result.bundles[k]
    return {
        "k": k,
        "return": asdict(band(returns[:, index])),
        "gap": asdict(band(gap[:, index])),
        "solve": bundle.how["spent"] | bundle.how["alternation"],
        "certificate": bundle.certificate[k],
        "bundle": {"file": f"units/k{k:04d}.npz", "digest": bundle.digest},
        "by_seed": as_json(_wanted(result, k)),
        **_remembering(result, k),
    }


def _whole(result: SweepResult) -> dict[str, Any]:
    """The dispatcher that sees the whole fleet, if it was evaluated."""
    if not result.remembering:
        return {}
    estimates = {seed: result.remembering[WHOLE][seed] for seed in result.plan.evaluation_seeds}
    return {"whole": asdict(band(result.remembered(WHOLE))) | {"by_seed": as_json(estimates)}}


def _remembering(result: SweepResult, k: int) -> dict[str, Any]:
    """The dispatcher that remembers, if it was evaluated."""
    if not result.remembering:
        return {}
    estimates = {seed: result.remembering[k][seed] for seed in result.plan.evaluation_seeds}
    return {"remembering": asdict(band(result.remembered(k))) | {"by_seed": as_json(estimates)}}


def _wanted(result: SweepResult, k: int) -> dict[int, Any]:
    return {seed: result.estimates[k][seed] for seed in result.plan.evaluation_seeds}


def _row(point: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"k": point["k"]}
    for name in ("return", "gap"):
        row |= {f"{name}_{key}": value for key, value in point[name].items()}
    for key, value in point.get("remembering", {}).items():
        row |= {} if key == "by_seed" else {f"remembering_{key}": value}
    solve = point["solve"]
    row |= {"solve_seconds": solve["seconds"], "solve_cpu_seconds": solve["cpu_seconds"]}
    row |= {name: solve[name] for name in ("start", "warm_from", "settled")}
    return row | {name: point["certificate"][name] for name in CERTIFICATE}
