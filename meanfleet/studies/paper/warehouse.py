"""What the figures of the paper's warehouse share: one sweep over k, resumable by itself."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from meanfleet.base.arrays import IntArray, Tell
from meanfleet.base.resources import config_file
from meanfleet.config import Config, SolverConfig
from meanfleet.solver import Game
from meanfleet.solver.bundle.policy import PolicyBundle

from ..sweep.plan import SweepPlan
from ..sweep.pool import pool
from ..sweep.results import summarise
from ..sweep.running import SweepResult, run_sweep
from .figure import Settings

CONFIG = "warehouse.yaml"
QUICK = {"starts": ("shortest",), "filtering": False}


def settings(quick: bool) -> Settings:
    """The paper's experiment (Appendix G.1, Table 3); a few k and seeds if it must be quick."""
    config = Config.from_yaml(config_file(CONFIG))
    return {
        "quick": quick,
        "game": Game.from_config(config).digest,
        "n": len(config.robots),
        "ks": [1, 2, 3, 5, 7, 10, 15] if quick else list(range(1, 51)),
        "seeds": 6 if quick else 15,
        "rollouts": 50,
        "horizon": 100,
        "solver": (config.solver.model_copy(update=QUICK) if quick else config.solver).model_dump(mode="json"),
    }


def sweep(chosen: Settings, shared: Path, tell: Tell) -> tuple[SweepResult, dict[str, Any]]:
    """The sweep with these settings, and its summary."""
    config = Config.from_yaml(config_file(CONFIG))
    plan = SweepPlan(
        game=Game.from_config(config),
        ks=tuple(chosen["ks"]),
        n=chosen["n"],
        seeds=chosen["seeds"],
        rollouts=chosen["rollouts"],
        horizon=chosen["horizon"],
        settings=SolverConfig(**chosen["solver"]),
    )
    name = hashlib.sha256(json.dumps(plan.identity(), sort_keys=True).encode()).hexdigest()[:8]
    with pool("processes") as parallel:
        result = run_sweep(
            plan, shared / f"sweep-{name}", parallel, lambda done, total, note: tell(f"{done}/{total} {note}")
        )
    return result, summarise(result)


def command(chosen: Settings) -> str:
    """The sweep by itself; "" where its settings are not the configuration's."""
    if chosen["quick"]:
        return ""
    return (
        f"meanfleet sweep config/{CONFIG} -k 1:50 --seeds {chosen['seeds']} --rollouts {chosen['rollouts']} "
        f"--horizon {chosen['horizon']} -o out/sweep"
    )


def differs(chosen: Settings) -> str:
    """What is not the paper's."""
    exact = "backups are exact where the paper samples 30 draws, robots' best responses are found by exact gradients"
    fewer = f"k = {', '.join(map(str, chosen['ks']))} and {chosen['seeds']} seeds instead of 1…50 and 15, and one start"
    return f"{exact}; {fewer}." if chosen["quick"] else f"{exact}."


def dispatch_table(bundle: PolicyBundle) -> IntArray:
    """The one dispatch table of a bundle of the sweep, int64 [s_g, h]."""
    (table,) = bundle.tables
    return table.dispatch.astype(np.int64)


def lead(last: dict[str, float], first: dict[str, float]) -> tuple[bool | None, str]:
    """Whether one band lies above another, and both in words; None if they overlap."""
    holds = True if last["low"] > first["high"] else False if last["high"] < first["low"] else None
    return holds, f"{first['mean']:.2f} ({first['low']:.2f} … {first['high']:.2f}) to {last['mean']:.2f} " + (
        f"({last['low']:.2f} … {last['high']:.2f}, 95 %)"
    )
