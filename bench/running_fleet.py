"""One run of a fleet's processes over ROS, and what it cost: CPU and memory of every process, sampled while it runs."""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from meanfleet.base.errors import UserError
from meanfleet.config import Config
from meanfleet.running.graph import warehouse_graph
from meanfleet.running.record import RunRecord
from meanfleet.running.summary import summarise
from meanfleet.running.supervisor import Supervisor
from meanfleet.sim.trajectory import Trajectory
from meanfleet.solver.bundle.policy import PolicyBundle

SAMPLING = 0.5  # [s, wall] between two looks at the processes
WARM_UP = 3  # ticks not counted


@dataclass
class Usage:
    """Samples of the processes of a run: wall time [s], CPU seconds so far and resident bytes, by executable."""

    rows: list[tuple[float, dict[str, tuple[float, int]]]] = field(default_factory=list)

    def within(self, seconds: float, last: float = 1.0) -> dict[str, dict[str, float]]:
        """CPU share (1 = one core) and MiB of each process over the last `seconds` but the `last` of the run."""
        end = self.rows[-1][0] - last
        rows = [row for row in self.rows if end - seconds <= row[0] <= end]
        (began, before), (ended, after) = rows[0], rows[-1]
        return {
            name: {
                "cpu": (after[name][0] - before[name][0]) / (ended - began),
                "mib": max(row[1][name][1] for row in rows) / 2**20,
            }
            for name in before
        }


class Sampler(threading.Thread):
    """Looks at a supervisor's processes until it is stopped."""

    def __init__(self, supervisor: Supervisor) -> None:
        super().__init__(daemon=True)
        self.supervisor, self.usage, self.stopped = supervisor, Usage(), threading.Event()

    def run(self) -> None:
        """Sample while all processes live."""
        while not self.stopped.wait(SAMPLING):
            children = list(self.supervisor.children)
            if len(children) < len(self.supervisor.processes):
                continue
            try:
                self.usage.rows.append(
                    (time.monotonic(), {c.process.executable: _used(c.handle.pid) for c in children})
                )
            except psutil.Error:
                return  # one of them has ended


def _used(pid: int) -> tuple[float, int]:
    process = psutil.Process(pid)
    times = process.cpu_times()
    return times.user + times.system, process.memory_info().rss


def run_fleet(config: Config, policy: Path, ticks: int, **arguments: Any) -> dict[str, Any]:
    """Run world, robots, dispatcher and monitor for so many ticks; what they did and what it cost.

    Raises:
        UserError: a process failed, or the run has no tick.
    """
    n = arguments["n"]
    duration = ticks * config.dispatcher.tick
    with tempfile.TemporaryDirectory(prefix="meanfleet-bench-") as folder:
        given = {"config": str(config.source), "policy": str(policy), "duration": duration, "out": folder, **arguments}
        supervisor = Supervisor(warehouse_graph(given), Path(folder) / "logs", quiet=True)
        sampler = Sampler(supervisor)
        sampler.start()
        code = supervisor.run()
        sampler.stopped.set()
        sampler.join()
        if code or supervisor.interrupted:
            raise UserError(f"the run with n = {n} failed with code {code}")
        record = RunRecord.load(Path(folder))
    bundle = PolicyBundle.load(policy)
    fleet = config.with_robots(n)
    record.ticks = record.ticks[WARM_UP:]
    factor = summarise(record, fleet, bundle)["world"]["real_time_factor"]
    usage = sampler.usage.within((ticks - WARM_UP - 1) * config.dispatcher.tick / max(factor, 0.1))
    return cell(record, fleet, bundle) | {"n": n, "processes": usage}


def cell(record: RunRecord, config: Config, bundle: PolicyBundle) -> dict[str, Any]:
    """Completeness, latency, messages and quality of the decisions of a run."""
    summary = summarise(record, config, bundle)
    ticks = record.ticks
    seconds = ticks[-1]["stamp"] - ticks[0]["stamp"] + config.dispatcher.tick
    skipped = ticks[-1]["skipped"] - ticks[0]["skipped"]
    gather = np.array([tick["gather_seconds"] for tick in ticks])
    messages = sum(sum(tick["messages"].values()) for tick in ticks)
    size = np.mean([header_bytes(zone) for zone in config.zones])
    return {
        "k": ticks[-1]["k"],
        "ticks": len(ticks) + skipped,
        "complete": sum(tick["complete"] for tick in ticks) / (len(ticks) + skipped),
        "gather_p50": float(np.median(gather)),
        "gather_p99": float(np.quantile(gather, 0.99)),
        "messages_per_second": messages / seconds,
        "bytes_per_second": messages * float(size) / seconds,
        "real_time_factor": summary["world"]["real_time_factor"],
        "reward": summary.get("reward", {}).get("per_tick"),
        **decisions(record.trajectory(config, bundle), bundle),
    }


def header_bytes(zone: str) -> int:
    """Bytes of a std_msgs/Header in CDR: encapsulation, stamp, length, text with its final zero."""
    return 4 + 8 + 4 + len(zone.encode()) + 1


def decisions(run: Trajectory, bundle: PolicyBundle) -> dict[str, Any]:
    """How the decisions compare with those of a dispatcher that knows where every robot is, at the same moments.

    `agreement` is the share of ticks with its decision; `loss` the mean of max_a Q_κ(s_g, fleet, a) − Q_κ(s_g, fleet,
    a_g), with its standard error.
    """
    model = bundle.filtering
    if model is None:
        return {}
    zone_count = bundle.game.zones
    losses = np.array(
        [
            _loss(model.values(s, np.bincount(zones, minlength=zone_count) + 1e-9, "interpolated"), a)
            for s, a, zones in zip(run.priority.tolist(), run.dispatch.tolist(), run.zones, strict=True)
        ]
    )
    error = float(losses.std(ddof=1) / np.sqrt(len(losses))) if len(losses) > 1 else float("nan")
    return {"agreement": float((losses < 1e-9).mean()), "loss": float(losses.mean()), "loss_error": error}


def _loss(values: NDArray[np.float64], dispatch: int) -> float:
    return float(values.max() - values[dispatch])
