"""Seconds, memory and certified width of the dispatcher's best response, per k and method.

    python bench/solver.py [--quick] [--json FILE]

Task: the best response to shortest-way robots on the paper's game (config/warehouse.yaml), its value known to 1e-3,
from the game's arrays on. Methods: meanfleet's exact backup, the paper's sampled backup (30 draws), value iteration
with the naive dense operator, and as peers QuantEcon's DiscreteDP and mdpsolver, each with the fastest of its own
algorithms. Every run is a process of its own; compilation is left out, building the model is not. "width" is what one
exact backup of the values proves afterwards, "off" their distance from the optimum (known to 1e-7).
"""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `meanfleet` from this checkout

from measuring import ROOT, Spread, in_child, machine
from solver_methods import OWN, PEERS, bytes_needed

from meanfleet.base.errors import UserError
from meanfleet.base.files import writable_folder, write_json
from meanfleet.solver import Game

METHODS = (*OWN, *PEERS)
KS, QUICK = (1, 2, 5, 10, 20, 30, 50), (1, 2, 5)
PEER_K = 10  # beyond it an explicit transition array of 5 actions has billions of entries
TOLERANCE = 1e-3
SCRIPT = ROOT / "bench" / "solver_methods.py"
Row = dict[str, Any]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="k = 1, 2, 5, each run 3 times")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured to FILE")
    parser.add_argument("-k", type=int, nargs="+", metavar="K", help="robots polled (default 1 2 5 10 20 30 50)")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, help="default: all")
    parser.add_argument("--repeats", type=int, help="runs of each measurement (default 5)")
    parser.add_argument("--limit", type=float, default=300.0, help="[s] per run, warm-up and check included")
    parser.add_argument("--memory", type=float, default=8.0, help="[GiB] a method may need by its formula")
    options = parser.parse_args()
    options.k = options.k or list(QUICK if options.quick else KS)
    options.repeats = options.repeats or (3 if options.quick else 5)
    if min(options.k) < 1 or options.repeats < 1:
        parser.error("-k and --repeats: expected at least 1")
    return options


def run(method: str, k: int, limit: float) -> Row:
    """One run in its own process."""
    return in_child(SCRIPT, [method, str(k), str(TOLERANCE)], limit)


def fastest_variant(peer: str, k: int, limit: float) -> tuple[str, Row]:
    """The quickest of a peer's algorithms in one run each; a row with "failed" if none comes through."""
    tried = {f"{peer}:{variant}": run(f"{peer}:{variant}", k, limit) for variant in PEERS[peer][1]}
    done = {name: row["wall"] for name, row in tried.items() if "failed" not in row}
    if not done:
        return peer, next(iter(tried.values()))
    best = min(done, key=lambda name: done[name])
    return best, {"variants": {name: row.get("wall", row.get("failed")) for name, row in tried.items()}}


def measure(method: str, k: int, options: argparse.Namespace, game: Game) -> Row:
    """All repetitions of one method at one k."""
    row: Row = {"method": method, "k": k}
    need = bytes_needed(method, k, game) / 2**30
    if need > options.memory:
        return row | {"failed": f"does not fit: needs about {need:,.0f} GiB"}
    if method in PEERS:
        row["method"], trial = fastest_variant(method, k, options.limit)
        row |= trial
        if "failed" in trial:
            return row
    runs: list[Row] = []
    for _ in range(options.repeats):
        runs.append(run(row["method"], k, options.limit))
        if "failed" in runs[-1]:
            return row | runs[-1]
    row |= {name: asdict(Spread.of([one[name] for one in runs])) for name in ("wall", "cpu", "peak", "beyond")}
    row |= {"width": max(one["width"] for one in runs), "kind": runs[0]["kind"], "backups": runs[0]["backups"]}
    if runs[0]["solving"] is not None:
        row["solving"] = asdict(Spread.of([one["solving"] for one in runs]))
    if "off" in runs[0]:
        row["off"] = max(one["off"] for one in runs)
    return row


def show(row: Row, reference: float | None) -> None:
    """One line of the table."""
    head = f"{row['k']:>3}  {row['method']:<22}"
    if "failed" in row:
        print(f"{head}{row['failed']}", flush=True)
        return
    wall, cpu = row["wall"], row["cpu"]
    ratio = f"{wall['median'] / reference:8.1f}" if reference else " " * 8
    off = f"{row['off']:.1e}" if "off" in row else "      -"
    print(
        f"{head}{wall['median']:9.3f} [{wall['low']:.3f}, {wall['high']:.3f}]".ljust(54)
        + f"{cpu['median']:9.3f} {row['peak']['median'] / 2**20:8.0f} {row['beyond']['median'] / 2**20:8.0f}"
        + f"  {row['width']:.1e}  {off}  {row['kind']:<16}{ratio}",
        flush=True,
    )


def compared(rows: list[Row]) -> list[str]:
    """What the rows say of the peers: how much slower, and whether their values disagree."""
    lines = []
    own = {row["k"]: row for row in rows if row["method"] == "exact" and "failed" not in row}
    for row in rows:
        if row["method"].partition(":")[0] not in PEERS or "failed" in row:
            continue
        if row["k"] in own:
            wall, cpu = (row[unit]["median"] / own[row["k"]][unit]["median"] for unit in ("wall", "cpu"))
            solving = row["solving"]["median"] / own[row["k"]]["wall"]["median"]
            lines.append(
                f"k = {row['k']}: {row['method']} takes {wall:.1f} times the seconds of exact, {cpu:.1f} times in CPU, "
                f"{solving:.1f} times without building its model"
            )
        if row["off"] > TOLERANCE:
            lines.append(f"k = {row['k']}: the values of {row['method']} are off by {row['off']:.1e}, asked for 1e-3")
    return lines


def main() -> int:
    """Measure, print, write."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, which ends the child as well
    if options.json is not None:
        writable_folder(options.json.parent)
    game = Game.from_yaml(ROOT / "config" / "warehouse.yaml")
    where = machine()
    print(f"{where['system']}, Python {where['python']}, {where['cpus']} cores, load {where['load'][0]:.1f}")
    print(
        f"median of {options.repeats} [least, greatest]; memory: peak, and beyond imports and warm-up; ratio to exact"
    )
    print(
        f"  k  {'method':<22}{'wall s':>9}{'CPU s':>33} {'MiB':>8} {'beyond':>8}  width    off      kind{'ratio':>20}"
    )
    rows: list[Row] = []
    given_up: dict[str, str] = {}
    for k in sorted(options.k):
        reference = None
        for method in METHODS:
            if method not in options.methods or (method in PEERS and k > PEER_K):
                continue
            if method in given_up:
                row: Row = {"method": method, "k": k, "failed": f"not tried: {given_up[method]}"}
            else:
                row = measure(method, k, options, game)
            rows.append(row)
            show(row, reference)
            if "failed" in row:
                given_up.setdefault(method, f"k = {k}: {row['failed']}")
            elif method == "exact":
                reference = row["wall"]["median"]
    verdict = compared(rows)
    print(*verdict, sep="\n")
    if options.json is not None:
        write_json(options.json, {"machine": where, "tolerance": TOLERANCE, "rows": rows, "verdict": verdict})
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"bench: {error}")
