"""Learning dynamics: CPU time of the ODE and of the process, and how close the process comes to the ODE.

    python bench/dynamics.py [--quick] [--json FILE]

The prisoner's dilemma of arXiv 2506.21079 (math.md §9), compiled beforehand, one thread; medians of 20 with the least
and greatest. The authors' code took 4.1 s for the ODE and 3.8 s for 10 × 1000 steps.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Spread, machine

from meanfleet.solver.dynamics.convergence import decay
from meanfleet.solver.dynamics.ode import integrate
from meanfleet.solver.dynamics.process import simulate
from meanfleet.studies.dynamics.study import load

ROOT = Path(__file__).resolve().parent.parent
REPEATS, SPEEDUPS = 20, (1, 2, 4, 8, 16)
END = [30.1090, 30.6422, 30.0547, 30.1682, 29.9955, 30.4519, 30.1076, 30.3384]
END += [21.4723, 20.5857, 21.8961, 20.0728, 21.3303, 21.3379, 21.7581, 20.1562]


def spread(work: Callable[[], Any]) -> Spread:
    """CPU time in [ms]."""
    work()
    times = []
    for _ in range(REPEATS):
        began = time.process_time()
        work()
        times.append(1e3 * (time.process_time() - began))
    return Spread.of(times)


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="200 runs per N instead of 1000")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    prisoners = load(ROOT / "config" / "prisoners.yaml")
    fleet = load(ROOT / "config" / "warehouse.yaml").system
    system, process, start = prisoners.system, prisoners.process, prisoners.start
    ode = integrate(system, start, 1000)
    x = fleet.layout.start([100, 100])
    rows = {
        "drift, prisoners": spread(lambda: system.drift(start)),
        "ODE to 1000, rtol 1e-8": spread(lambda: integrate(system, start, 1000)),
        "10 × 1000 steps": spread(lambda: simulate(process, start, [0, 1000], runs=10)),
        "drift, warehouse, k = 2": spread(lambda: fleet.drift(x)),
    }
    off = float(np.abs(ode.end - END).max())
    print(f"end point of the ODE: {off:.1e} from the published one (given to 4 decimals)")
    print(f"{'CPU time in [ms]':>26} {'median':>9} {'(least … greatest)':>24}")
    for name, row in rows.items():
        print(f"{name:>26} {row.median:>9.3f} {f'({row.low:.3f} … {row.high:.3f})':>24}")
    runs = 200 if given.quick else 1000
    found = decay(process, ode, np.linspace(0, 1000, 101), SPEEDUPS, runs=runs, seed=1)
    print(f"{'N':>4} {'distance of a run':>20} {f'of the mean of {runs}':>20}")
    for p in found.points:
        distance, bias = f"{p.distance:.4f} ± {p.distance_error:.4f}", f"{p.bias:.4f} ± {p.bias_error:.4f}"
        print(f"{p.speedup:>4} {distance:>20} {bias:>20}")
    powers = (found.distance_power, found.bias_power)
    print("falls as N to the power of " + ", ".join("–" if p is None else f"{p:.2f}" for p in powers))
    if given.json is not None:
        content = {name: asdict(row) for name, row in rows.items()}
        text = json.dumps({"machine": machine(), "off": off, "ms": content, "decay": asdict(found)}, indent=2)
        given.json.write_text(text)


if __name__ == "__main__":
    main()
