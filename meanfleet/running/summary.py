"""What a run over ROS amounts to: one JSON-ready summary of its record."""

from __future__ import annotations

from typing import Any

import numpy as np

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.solver.bundle.policy import PolicyBundle

from .record import RunRecord


def summarise(record: RunRecord, config: Config, bundle: PolicyBundle | None) -> dict[str, Any]:
    """Ticks, messages, traffic and reward of a run.

    Raises:
        UserError: the run has no tick.
    """
    if not record.ticks:
        raise UserError("the run has no tick: let it run longer, or look into the logs")
    summary: dict[str, Any] = {"robots": len(config.robots), "ticks": len(record.ticks)}
    summary["dispatcher"] = _dispatcher(record.ticks)
    summary["messages"] = _messages(record)
    summary["world"] = _world(record)
    summary["unreadable_statuses"] = record.unreadable
    if bundle is not None:
        run = record.trajectory(config, bundle)
        summary["reward"] = {
            "ticks_with_all_robots": len(run.reward),
            "per_tick": float(run.reward.mean()),
            "share_in_priority_zone": float((run.zones == run.priority[:, None]).mean()),
        }
    return summary


def _dispatcher(ticks: list[dict[str, Any]]) -> dict[str, Any]:
    gather = np.array([tick["gather_seconds"] for tick in ticks])
    return {
        "k": ticks[-1]["k"],
        "complete_ticks": sum(tick["complete"] for tick in ticks),
        "complete_fraction": sum(tick["complete"] for tick in ticks) / len(ticks),
        "held_ticks": sum(_held(tick) for tick in ticks),
        "skipped_ticks": ticks[-1]["skipped"],
        "gather_seconds_median": float(np.median(gather)),
        "gather_seconds_p99": float(np.quantile(gather, 0.99)),
    }


def _held(tick: dict[str, Any]) -> bool:
    return tick.get("rule") != "random" and tick["table_k"] is None and tick.get("kappa") is None


def _messages(record: RunRecord) -> dict[str, Any]:
    """From whom the dispatcher heard, counted in its subscriptions, against whom it asked."""
    ticks = record.ticks
    foreign = sum(len(set(tick["messages"]) - _asked(tick)) for tick in ticks)
    silent = sum(len(_asked(tick) - set(tick["messages"])) for tick in ticks)
    received = [sum(tick["messages"].values()) for tick in ticks]
    published = [act["zone_messages"] for acts in record.acts.values() for act in acts]
    span = max(len(record.acts) - 1, 1)
    return {
        "received_per_tick": float(np.mean(received)),
        "robots_heard_per_tick": float(np.mean([len(tick["messages"]) for tick in ticks])),
        "robots_asked_per_tick": float(np.mean([len(_asked(tick)) for tick in ticks])),
        "replacements": sum(len(tick["replacements"]) for tick in ticks),
        "from_robots_not_asked": foreign,
        "asked_robots_not_heard": silent,
        "exactly_the_asked": foreign == 0 and silent == 0,
        "published_by_the_fleet_per_tick": (max(published) - min(published)) / span if published else 0.0,
    }


def _asked(tick: dict[str, Any]) -> set[str]:
    return set(tick["sampled"]) | set(tick["replacements"])


def _world(record: RunRecord) -> dict[str, Any]:
    if len(record.world) < 2:
        return dict(record.world[-1]["statistics"]) if record.world else {}
    first, last = record.world[0], record.world[-1]
    wall = last["wall"] - first["wall"]
    factor = (last["time"] - first["time"]) / wall if wall else last["real_time_factor"]
    return {
        "simulated_seconds": last["time"],
        "real_time_factor": factor,
        "real_time_factor_min": min(status["real_time_factor"] for status in record.world),
        **last["statistics"],
    }
