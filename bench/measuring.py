"""Measuring one piece of work in a process of its own, so that memory and caches are its own."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MARK = "measured: "
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Spread:
    """Median, least and greatest of some repetitions."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


def peak_bytes() -> int:
    """Largest resident memory of this process so far [bytes]."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Run it: its result, and wall and CPU seconds (all threads) and memory (peak, and beyond what was there)."""
    before = peak_bytes()
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = peak_bytes()
    return result, {"wall": wall, "cpu": cpu, "peak": peak, "beyond": peak - before}


def report(value: dict[str, Any]) -> None:
    """What the child hands to `in_child`."""
    print(MARK + json.dumps(value), flush=True)


def in_child(script: Path, arguments: Sequence[str], limit: float) -> dict[str, Any]:
    """Run `script` in a process of its own and return what it reported, or {"failed": why}."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        done = subprocess.run(
            [sys.executable, str(script), *arguments],
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not done within {limit:g} s"}
    lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if lines:
        return dict(json.loads(lines[-1].removeprefix(MARK)))
    reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
    return {"failed": f"exit code {done.returncode}: {reason}"}


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg(),
        "threads": {name: os.environ[name] for name in THREADS if name in os.environ},
    }
